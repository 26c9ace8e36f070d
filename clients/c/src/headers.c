#include "headers.h"

#include <string.h>

#include "stock/v1/envelope.pb-c.h"

/* A pair's own length, both zeros included. */
static size_t pair_bytes(const char *pair) {
  size_t key = strlen(pair) + 1;
  return key + strlen(pair + key) + 1;
}

/* Where the pair of a key begins; `bytes` when there is none. */
static size_t find(const headers *all, const char *key) {
  size_t at = 0;
  while (at < all->bytes && strcmp(all->pairs + at, key) != 0) at += pair_bytes(all->pairs + at);
  return at;
}

/* An envelope with nothing but its headers is what they add to one: at most seven bytes for each. */
static void encode(headers *all) {
  Stock__V1__Metadata entries[HEADERS_MAX], *list[HEADERS_MAX];
  Stock__V1__Request envelope = STOCK__V1__REQUEST__INIT;
  envelope.metadata = list;
  for (size_t at = 0; at < all->bytes; at += pair_bytes(all->pairs + at)) {
    char *key = all->pairs + at, *value = key + strlen(key) + 1;
    Stock__V1__Metadata *entry = list[envelope.n_metadata] = &entries[envelope.n_metadata];
    stock__v1__metadata__init(entry);
    entry->key = (ProtobufCBinaryData){strlen(key), (uint8_t *)key};
    entry->value = (ProtobufCBinaryData){strlen(value), (uint8_t *)value};
    envelope.n_metadata++;
  }
  buffer_clear(&all->encoded);
  all->encoded.end = stock__v1__request__pack(&envelope, all->encoded.bytes);
}

headers_result headers_set(headers *all, const char *key, const char *value) {
  /* Room for the most, so that encoding cannot fail. */
  if (all->encoded.capacity == 0 && !buffer_reserve(&all->encoded, HEADER_BYTES_MAX + HEADERS_MAX * 8))
    return HEADERS_MEMORY;
  size_t at = find(all, key), before = at < all->bytes ? pair_bytes(all->pairs + at) : 0;
  size_t after = value == NULL ? 0 : strlen(key) + strlen(value) + 2;
  size_t count = all->count - (before > 0) + (after > 0);
  if (count > HEADERS_MAX || after > HEADER_BYTES_MAX || all->bytes - before + after > HEADER_BYTES_MAX)
    return HEADERS_TOO_MANY;
  memmove(all->pairs + at, all->pairs + at + before, all->bytes - at - before);
  all->bytes -= before;
  if (after > 0) {
    memcpy(all->pairs + all->bytes, key, strlen(key) + 1);
    memcpy(all->pairs + all->bytes + strlen(key) + 1, value, strlen(value) + 1);
    all->bytes += after;
  }
  all->count = count;
  encode(all);
  return HEADERS_SET;
}

void headers_free(headers *all) { buffer_free(&all->encoded); }
