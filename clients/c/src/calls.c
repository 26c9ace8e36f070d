/* Slots, the lists that they are in, and the way of a call into the output. */
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "frame.h"

void list_push(stock_client *c, call_list *list, uint32_t place) {
  c->calls[place].next = NOWHERE;
  if (list->head == NOWHERE)
    list->head = place;
  else
    c->calls[list->tail].next = place;
  list->tail = place;
}

uint32_t list_pop(stock_client *c, call_list *list) {
  uint32_t place = list->head;
  if (place != NOWHERE) list->head = c->calls[place].next;
  return place;
}

void list_remove(stock_client *c, call_list *list, uint32_t place) {
  call_list old = *list;
  list->head = NOWHERE;
  for (uint32_t one; (one = list_pop(c, &old)) != NOWHERE;)
    if (one != place) list_push(c, list, one);
}

static bool more_slots(stock_client *c) {
  uint32_t capacity = c->call_capacity == 0 ? 16 : c->call_capacity * 2;
  if (capacity > c->options.calls_max) capacity = c->options.calls_max;
  if (capacity == c->call_capacity) return false;
  call *grown = realloc(c->calls, capacity * sizeof *grown);
  if (grown == NULL) return false;
  memset(grown + c->call_capacity, 0, (capacity - c->call_capacity) * sizeof *grown);
  c->calls = grown;
  while (c->call_capacity < capacity) list_push(c, &c->free, c->call_capacity++);
  return true;
}

static bool encode(buffer *into, const buffer *with, const ProtobufCMessage *message, size_t size) {
  size_t header_bytes = buffer_count(with);
  buffer_clear(into);
  if (!buffer_reserve(into, header_bytes + size)) return false;
  if (header_bytes > 0) memcpy(into->bytes, buffer_front(with), header_bytes);
  into->end = header_bytes + protobuf_c_message_pack(message, into->bytes + header_bytes);
  return true;
}

stock_code submit(stock_client *c, uint64_t tag, const method *what, const ProtobufCMessage *message,
                  uint32_t timeout_ms, uint32_t *at) {
  if (c->is_closed) return STOCK_CODE_CANCELLED;
  if (what->after_field != 0 && c->streams == STREAMS_MAX) return STOCK_CODE_RESOURCE_EXHAUSTED;
  const buffer *with = &c->headers.encoded;
  size_t size = protobuf_c_message_get_packed_size(message);
  if (size + buffer_count(with) > FRAME_PAYLOAD_BYTES_MAX - ENVELOPE_BYTES_MAX)
    return STOCK_CODE_INVALID_ARGUMENT;
  if (c->free.head == NOWHERE && !more_slots(c)) return STOCK_CODE_RESOURCE_EXHAUSTED;
  call *one = &c->calls[c->free.head];
  if (!encode(&one->message, with, message, size)) return STOCK_CODE_RESOURCE_EXHAUSTED;
  uint32_t place = list_pop(c, &c->free);
  if (timeout_ms == 0) timeout_ms = TIMEOUT_MS_DEFAULT;
  if (timeout_ms > TIMEOUT_MS_MAX) timeout_ms = TIMEOUT_MS_MAX;
  *one = (call){.state = CALL_QUEUED, .tag = tag, .what = what, .message = one->message,
                .header_bytes = buffer_count(with), .request_end = one->message.end};
  one->deadline_ns = is_stream(one) ? NEVER : now_ns() + timeout_ms * MS;
  list_push(c, &c->queue, place);
  c->outstanding++;
  c->streams += is_stream(one);
  schedule(c, one->deadline_ns);
  if (at != NULL) *at = place;
  return STOCK_CODE_OK;
}

void call_release(stock_client *c, uint32_t place) {
  call *one = &c->calls[place];
  one->state = CALL_FREE;
  one->id = 0;
  buffer_clear(&one->message);
  c->outstanding--;
  c->streams -= is_stream(one);
  list_push(c, &c->free, place);
}

uint32_t call_answered(const stock_client *c, uint64_t id) {
  uint32_t place = (uint32_t)id & CONTROL_PLACE;
  if (place >= c->call_capacity) return NOWHERE;
  const call *one = &c->calls[place];
  return one->state == CALL_SENT && one->id == id ? place : NOWHERE;
}

/* What a call counts for on its channel. */
static size_t request_bytes(const call *one) { return buffer_count(&one->message) + ENVELOPE_BYTES_MAX; }

void call_leaves_channel(stock_client *c, call *one) {
  channel *ch = &c->channels[one->on];
  ch->calls--;
  ch->request_bytes -= request_bytes(one);
  one->id = 0;
}

bool can_send(const stock_client *c) {
  const channel *ch = &c->channels[c->current];
  if (c->queue.head == NOWHERE || ch->phase != CHANNEL_OPEN) return false;
  if (ch->calls == 0) return true;
  return ch->request_bytes + request_bytes(&c->calls[c->queue.head]) <= REQUEST_BYTES_MAX &&
         buffer_count(&ch->output) < OUTPUT_BYTES_MAX;
}

static bool append(const stock_client *c, channel *ch, const call *one, uint64_t id, uint64_t left_ms) {
  const uint8_t *bytes = buffer_front(&one->message);
  outgoing sent = {.call_id = id, .method = one->what->name};
  sent.headers = (ProtobufCBinaryData){one->header_bytes, (uint8_t *)bytes};
  sent.message = (ProtobufCBinaryData){buffer_count(&one->message) - one->header_bytes,
                                       (uint8_t *)bytes + one->header_bytes};
  if (is_stream(one))
    sent.window_bytes = c->options.window_bytes;
  else
    sent.timeout_ms = (uint32_t)left_ms;
  if (!is_stream(one) && c->options.send_deadline_at) sent.deadline_at = wall_ms() + left_ms;
  return frame_append(&ch->output, &sent);
}

void send_queued(stock_client *c, uint64_t now) {
  channel *ch = current(c);
  while (can_send(c)) {
    uint32_t place = list_pop(c, &c->queue);
    call *one = &c->calls[place];
    uint64_t left_ms = one->deadline_ns > now ? (one->deadline_ns - now) / MS : 0;
    uint64_t id = ++c->attempts << SLOT_BITS | place;
    bool in_time = left_ms > 0;
    if (!in_time || !append(c, ch, one, id, left_ms)) {
      call_fails(c, place, in_time ? &FAULT_MEMORY : &FAULT_DEADLINE);
      continue;
    }
    if (ch->calls == 0) {
      ch->heard_ns = now;
      ch->pinged_ns = 0;
      if (c->options.keepalive_ms > 0) schedule(c, now + c->options.keepalive_ms * MS);
    }
    one->state = CALL_SENT;
    one->id = id;
    one->on = ch->number;
    one->attempts++;
    one->failures++;
    one->read_bytes = 0;
    ch->calls++;
    ch->request_bytes += request_bytes(one);
    if (!is_stream(one)) schedule(c, one->deadline_ns + GRACE_MS * MS);
  }
}

uint64_t send_control(stock_client *c, channel *ch, const char *name, const ProtobufCMessage *message,
                      uint32_t timeout_ms) {
  uint8_t packed[256];
  uint64_t id = ++c->attempts << SLOT_BITS | CONTROL_PLACE;
  outgoing sent = {.call_id = id, .method = name, .timeout_ms = timeout_ms};
  sent.message = (ProtobufCBinaryData){protobuf_c_message_pack(message, packed), packed};
  return frame_append(&ch->output, &sent) ? id : 0;
}
