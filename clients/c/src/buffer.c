#include "buffer.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 256 };

bool buffer_reserve(buffer *b, size_t more) {
  if (b->capacity - b->end >= more) return true;
  size_t count = buffer_count(b);
  if (b->capacity - count < more) {
    size_t capacity = b->capacity < CAPACITY_MIN ? CAPACITY_MIN : b->capacity;
    while (capacity - count < more) capacity *= 2;
    uint8_t *grown = realloc(b->bytes, capacity);
    if (grown == NULL) return false;
    b->bytes = grown;
    b->capacity = capacity;
  }
  if (b->start > 0) {
    memmove(b->bytes, b->bytes + b->start, count);
    b->start = 0;
    b->end = count;
  }
  return true;
}

void buffer_consume(buffer *b, size_t count) {
  b->start += count;
  if (b->start == b->end) buffer_clear(b);
}

void buffer_clear(buffer *b) { b->start = b->end = 0; }

void buffer_free(buffer *b) {
  free(b->bytes);
  *b = (buffer){0};
}
