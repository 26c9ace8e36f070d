/* Calls with many answers.
 *
 * How it works.  A stream is a call without a deadline.  An item is handed out as it is taken from the
 * input: what nobody polls for stays with the kernel and, when the window is used up, with the server.
 * The token of the last item stands behind the request, where it wins over an earlier one, since of a field
 * that comes twice the last counts: what is sent after a lost connection asks for what follows. */
#include <string.h>

#include "client.h"
#include "stock/v1/connection.pb-c.h"
#include "stock/v1/feed.pb-c.h"

enum {
  ITEM_BYTES = 64, /* of the window, beside the item's message */
  TOKEN_BYTES_MAX = 1024
};

/* In memory of the arena; false: it is short. */
static bool texts(arena *memory, const char *const *strings, size_t count, ProtobufCBinaryData **list) {
  *list = arena_take(memory, count * sizeof **list);
  for (size_t place = 0; *list != NULL && place < count; place++) (*list)[place] = text(strings[place]);
  return *list != NULL;
}

stock_code stock_submit_watch(stock_client *c, uint64_t tag, const char *const *skus, size_t count,
                              const char *after) {
  arena_reset(&c->scratch);
  Stock__V1__WatchStockRequest request = STOCK__V1__WATCH_STOCK_REQUEST__INIT;
  request.after = text(after);
  if (!texts(&c->scratch, skus, count, &request.skus)) return STOCK_CODE_RESOURCE_EXHAUSTED;
  request.n_skus = count;
  return submit(c, tag, &METHOD_WATCH, &request.base, 0, NULL);
}

stock_code stock_submit_follow(stock_client *c, uint64_t tag, const stock_follow *what) {
  arena_reset(&c->scratch);
  Stock__V1__FollowRequest request = STOCK__V1__FOLLOW_REQUEST__INIT;
  request.after = text(what->after);
  request.from_earliest = what->from_earliest;
  if (!texts(&c->scratch, what->event_types, what->event_type_count, &request.event_types) ||
      !texts(&c->scratch, what->skus, what->sku_count, &request.skus))
    return STOCK_CODE_RESOURCE_EXHAUSTED;
  request.n_event_types = what->event_type_count;
  request.n_skus = what->sku_count;
  return submit(c, tag, &METHOD_FOLLOW, &request.base, 0, NULL);
}

void cancel_at_server(stock_client *c, channel *ch, uint64_t id) {
  Stock__V1__CancelCallRequest stop = STOCK__V1__CANCEL_CALL_REQUEST__INIT;
  stop.call_id = id;
  send_control(c, ch, "stock.v1.Connection/Cancel", &stop.base, 0);
}

/* Off its connection; what still comes for it there is for nobody. */
static void leave_channel(stock_client *c, call *one) {
  channel *ch = &c->channels[one->on];
  cancel_at_server(c, ch, one->id);
  call_leaves_channel(c, one);
}

static void end_stream(stock_client *c, uint32_t place, const fault *why) {
  call *one = &c->calls[place];
  if (one->state == CALL_QUEUED) list_remove(c, &c->queue, place);
  if (one->state == CALL_SENT) leave_channel(c, one);
  call_ends(c, place, why);
}

void stock_stream_end(stock_client *c, uint64_t tag) {
  for (uint32_t place = 0; place < c->call_capacity; place++) {
    const call *one = &c->calls[place];
    bool is_open = one->state != CALL_FREE && one->state != CALL_DONE;
    if (is_open && is_stream(one) && one->tag == tag) end_stream(c, place, &FAULT_ENDED);
  }
}

void streams_leave(stock_client *c, channel *ch) {
  for (uint32_t place = 0; place < c->call_capacity; place++) {
    call *one = &c->calls[place];
    if (one->state != CALL_SENT || one->on != ch->number || !is_stream(one)) continue;
    leave_channel(c, one);
    one->state = CALL_QUEUED;
    list_push(c, &c->queue, place);
  }
}

/* One grant for many items. */
static void take_from_window(stock_client *c, channel *ch, call *one, size_t bytes) {
  one->read_bytes += (uint32_t)bytes;
  if (one->read_bytes < c->options.window_bytes / 2) return;
  Stock__V1__CreditRequest credit = STOCK__V1__CREDIT_REQUEST__INIT;
  credit.call_id = one->id;
  credit.bytes = one->read_bytes;
  if (send_control(c, ch, "stock.v1.Connection/Credit", &credit.base, 0) != 0) one->read_bytes = 0;
}

/* Without the memory for it, items would come again. */
static void resume_after(call *one, const char *token) {
  size_t length = strlen(token);
  if (length == 0) return;
  one->message.end = one->request_end;
  if (!buffer_reserve(&one->message, length + 8)) return;
  uint8_t *at = one->message.bytes + one->message.end;
  *at++ = (uint8_t)(one->what->after_field << 3 | 2);
  for (size_t rest = length; ; rest >>= 7) {
    *at++ = (uint8_t)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    if (rest <= 0x7f) break;
  }
  memcpy(at, token, length);
  one->message.end = (size_t)(at - one->message.bytes) + length;
}

const stock_reply *take_item(stock_client *c, channel *ch, uint32_t place,
                             const Stock__V1__Response *response) {
  call *one = &c->calls[place];
  stock_reply *reply = reply_begin(c);
  ProtobufCMessage *item = protobuf_c_message_unpack(one->what->reply, &c->memory.allocator,
                                                     response->message.len, response->message.data);
  if (item == NULL || !one->what->show(reply, &c->memory, item) || strlen(reply->token) > TOKEN_BYTES_MAX) {
    end_stream(c, place, &FAULT_MALFORMED_ITEM);
    return NULL;
  }
  take_from_window(c, ch, one, response->message.len + ITEM_BYTES);
  resume_after(one, reply->token);
  one->failures = 0;
  reply->more = true;
  reply->tag = one->tag;
  reply->attempts = one->attempts;
  return reply;
}
