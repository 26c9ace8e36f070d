/* Bytes that come in at the end and leave at the front, in memory that is kept. */
#ifndef STOCK_BUFFER_H
#define STOCK_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct buffer {
  uint8_t *bytes;
  size_t start, end, capacity;
} buffer;

static inline size_t buffer_count(const buffer *b) { return b->end - b->start; }
static inline uint8_t *buffer_front(const buffer *b) { return b->bytes + b->start; }

/* Makes room for `more` bytes at the end; false: out of memory. */
bool buffer_reserve(buffer *b, size_t more);
void buffer_consume(buffer *b, size_t count);
/* Empties it; the memory stays. */
void buffer_clear(buffer *b);
void buffer_free(buffer *b);

#endif
