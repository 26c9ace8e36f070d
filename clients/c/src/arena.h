/* Memory of one answer: handed out piece by piece, taken back all at once, and kept for the next. */
#ifndef STOCK_ARENA_H
#define STOCK_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

/* One answer takes no more: a frame has 2 MiB, and hostile bytes grow when they are decoded. */
enum { ARENA_BYTES_MAX = 32 * 1024 * 1024 };

struct arena_block;

typedef struct arena {
  struct arena_block *blocks; /* the newest first */
  size_t total;               /* of all blocks */
  ProtobufCAllocator allocator; /* of this arena; freeing does nothing */
} arena;

void arena_init(arena *a);
/* Zeroed; NULL: out of memory, or past the limit. */
void *arena_take(arena *a, size_t size);
/* The bytes, ended by a zero; NULL as above. */
const char *arena_text(arena *a, ProtobufCBinaryData bytes);
void arena_reset(arena *a);
void arena_free(arena *a);

#endif
