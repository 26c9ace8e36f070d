// Frames and envelopes of proto/WIRE.md, written and read by hand.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { FRAME_HEADER = 4, CODE_DEADLINE_EXCEEDED = 4, CODE_RESOURCE_EXHAUSTED = 8 };
enum { OUTCOME_HELD = 1, OUTCOME_SOLD_OUT = 3, OUTCOME_CONFIRMED = 5 };

static inline uint8_t *put_varint(uint8_t *at, uint64_t value) {
  for (; value >= 128; value >>= 7) *at++ = (uint8_t)(value | 128);
  *at++ = (uint8_t)value;
  return at;
}

static inline uint8_t *put_bytes(uint8_t *at, unsigned field, const void *bytes, size_t count) {
  at = put_varint(at, field << 3 | 2);
  at = put_varint(at, count);
  memcpy(at, bytes, count);
  return at + count;
}

static inline uint32_t frame_length(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

// A stock.v1.Request as a frame; returns its end.
static inline uint8_t *put_request(
    uint8_t *start, uint64_t call_id, const char *method, uint32_t timeout_ms, const uint8_t *message,
    size_t message_bytes) {
  uint8_t *at = start + FRAME_HEADER;
  *at++ = 1 << 3;
  at = put_varint(at, call_id);
  at = put_bytes(at, 2, method, strlen(method));
  if (timeout_ms) {
    *at++ = 3 << 3;
    at = put_varint(at, timeout_ms);
  }
  if (message_bytes) at = put_bytes(at, 5, message, message_bytes);
  uint32_t length = (uint32_t)(at - start) - FRAME_HEADER;
  for (int place = 0; place < 4; place++) start[place] = (uint8_t)(length >> (24 - 8 * place));
  return at;
}

static inline const uint8_t *get_varint(const uint8_t *at, const uint8_t *end, uint64_t *value) {
  *value = 0;
  for (unsigned shift = 0; at < end && shift < 64; shift += 7) {
    *value |= (uint64_t)(*at & 127) << shift;
    if (!(*at++ & 128)) return at;
  }
  return NULL;
}

// One field of a message: its number, and either a number or bytes.
typedef struct {
  uint64_t tag, number;
  const uint8_t *bytes;
} field;

// Returns what follows the field; NULL where there is none, or none that is well formed.
static inline const uint8_t *get_field(const uint8_t *at, const uint8_t *end, field *found) {
  if (at >= end || !(at = get_varint(at, end, &found->tag))) return NULL;
  if (!(at = get_varint(at, end, &found->number))) return NULL;
  if ((found->tag & 7) == 0) return at;
  if ((found->tag & 7) != 2 || found->number > (uint64_t)(end - at)) return NULL;
  found->bytes = at;
  return at + found->number;
}

// What a stock.v1.Response says.  `outcome` is the first field of the replies of Reserve and Confirm, and
// `hold_id` the second of a ReserveReply; `items_held` counts in a BatchReserveReply.
typedef struct {
  uint64_t call_id, status, outcome, items_held;
  const uint8_t *hold_id;
  size_t hold_id_bytes;
} answer;

static inline void get_reply(const uint8_t *at, const uint8_t *end, answer *into) {
  field one = {0, 0, NULL};
  while ((at = get_field(at, end, &one))) {
    if (one.tag == 1 << 3) into->outcome = one.number;
    if (one.tag == (2 << 3 | 2)) into->hold_id = one.bytes, into->hold_id_bytes = one.number;
  }
}

// The items of a stock.v1.BatchReserveReply: its field 1; each has its reply as field 3.
static inline void get_items(const uint8_t *at, const uint8_t *end, answer *into) {
  field item = {0, 0, NULL}, one = {0, 0, NULL};
  while ((at = get_field(at, end, &item))) {
    const uint8_t *inner = item.bytes, *inner_end = at;
    if (item.tag != (1 << 3 | 2)) continue;
    while ((inner = get_field(inner, inner_end, &one))) {
      answer reply = {0, 0, 0, 0, NULL, 0};
      if (one.tag == (3 << 3 | 2)) get_reply(one.bytes, inner, &reply);
      into->items_held += reply.outcome == OUTCOME_HELD;
    }
  }
}

static inline answer get_answer(const uint8_t *at, const uint8_t *end, bool is_batch) {
  answer read = {0, 0, 0, 0, NULL, 0};
  field one = {0, 0, NULL};
  while ((at = get_field(at, end, &one))) {
    if (one.tag == 1 << 3) read.call_id = one.number;
    if (one.tag == 2 << 3) read.status = one.number;
    if (one.tag == (4 << 3 | 2)) (is_batch ? get_items : get_reply)(one.bytes, at, &read);
  }
  return read;
}
