/* The headers that go with each call: keys and values, kept as they are sent. */
#ifndef STOCK_HEADERS_H
#define STOCK_HEADERS_H

#include "buffer.h"

/* The server takes no more; and of keys and values in all, with a zero behind each. */
enum { HEADERS_MAX = 32, HEADER_BYTES_MAX = 4096 };

typedef struct headers {
  char pairs[HEADER_BYTES_MAX]; /* "key\0value\0", one after the other */
  size_t bytes, count;
  buffer encoded; /* as fields of an envelope */
} headers;

typedef enum headers_result { HEADERS_SET, HEADERS_TOO_MANY, HEADERS_MEMORY } headers_result;

/* Replaces the value of a key; NULL: takes the key away.  Unless SET, nothing has changed. */
headers_result headers_set(headers *all, const char *key, const char *value);
void headers_free(headers *all);

#endif
