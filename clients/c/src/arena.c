#include "arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 16, BLOCK_BYTES_MIN = 4096 };

struct arena_block {
  struct arena_block *next;
  size_t used, capacity;
  _Alignas(ALIGNMENT) uint8_t bytes[];
};

static struct arena_block *block_new(size_t capacity) {
  struct arena_block *block = malloc(sizeof *block + capacity);
  if (block != NULL) *block = (struct arena_block){.capacity = capacity};
  return block;
}

static void blocks_free(arena *a) {
  while (a->blocks != NULL) {
    struct arena_block *next = a->blocks->next;
    free(a->blocks);
    a->blocks = next;
  }
  a->total = 0;
}

/* Not zeroed. */
static void *take(arena *a, size_t size) {
  if (size > ARENA_BYTES_MAX) return NULL;
  size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  struct arena_block *block = a->blocks;
  if (block == NULL || block->capacity - block->used < size) {
    size_t capacity = a->total < BLOCK_BYTES_MIN ? BLOCK_BYTES_MIN : a->total;
    if (capacity < size) capacity = size;
    if (a->total + capacity > ARENA_BYTES_MAX) capacity = size;
    if (a->total + capacity > ARENA_BYTES_MAX) return NULL;
    block = block_new(capacity);
    if (block == NULL) return NULL;
    block->next = a->blocks;
    a->blocks = block;
    a->total += capacity;
  }
  void *taken = block->bytes + block->used;
  block->used += size;
  return taken;
}

static void *allocator_take(void *a, size_t size) { return take(a, size); }
static void allocator_free(void *a, void *memory) { (void)a, (void)memory; }

void arena_init(arena *a) {
  *a = (arena){.allocator = {allocator_take, allocator_free, a}};
}

void *arena_take(arena *a, size_t size) {
  void *taken = take(a, size);
  return taken == NULL ? NULL : memset(taken, 0, size);
}

const char *arena_text(arena *a, ProtobufCBinaryData bytes) {
  char *text = take(a, bytes.len + 1);
  if (text == NULL) return NULL;
  if (bytes.len > 0) memcpy(text, bytes.data, bytes.len);
  text[bytes.len] = 0;
  return text;
}

/* What took several blocks finds one that is large enough the next time. */
void arena_reset(arena *a) {
  if (a->blocks != NULL && a->blocks->next != NULL) {
    size_t total = a->total;
    blocks_free(a);
    a->blocks = block_new(total);
    if (a->blocks != NULL) a->total = total;
  }
  if (a->blocks != NULL) a->blocks->used = 0;
}

void arena_free(arena *a) { blocks_free(a); }
