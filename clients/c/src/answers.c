/* Frames into completions. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "frame.h"
#include "stock/v1/connection.pb-c.h"
#include "stock/v1/health.pb-c.h"

static bool is(ProtobufCBinaryData bytes, const char *text) {
  return bytes.len == strlen(text) && memcmp(bytes.data, text, bytes.len) == 0;
}

static bool has_reason(const Stock__V1__Response *response, const char *reason) {
  return response->detail != NULL && is(response->detail->reason, reason);
}

static void take_notice(stock_client *c, channel *ch, ProtobufCBinaryData message, uint64_t now) {
  Stock__V1__Notice *notice =
      stock__v1__notice__unpack(&c->memory.allocator, message.len, message.data);
  if (notice == NULL || notice->going_away == NULL) return;
  ProtobufCBinaryData reason = notice->going_away->reason;
  snprintf(ch->notice, sizeof ch->notice, "%.*s", (int)reason.len, (const char *)reason.data);
  if (notice->going_away->close_after_ms == 0)
    turned_away(c, ch, now);
  else
    leave(c, ch);
}

static void take_hello(stock_client *c, channel *ch, const Stock__V1__Response *response) {
  ch->hello_id = 0;
  if (has_reason(response, FAULT_PROTOCOL.reason)) {
    /* Whoever refuses a Hello does nothing of what follows it (WIRE.md). */
    end_all(c, &FAULT_PROTOCOL, &FAULT_PROTOCOL_SENT, ch);
    return;
  }
  if (response->status != STOCK__V1__CODE__CODE_OK) return; /* the first version has no Hello */
  Stock__V1__HelloReply *hello = stock__v1__hello_reply__unpack(
      &c->memory.allocator, response->message.len, response->message.data);
  if (hello != NULL) ch->version = hello->protocol;
}

static void take_health(stock_client *c, channel *ch, const Stock__V1__Response *response,
                        uint64_t now) {
  ch->health_id = 0;
  bool serves = response->status != STOCK__V1__CODE__CODE_UNAVAILABLE;
  if (response->status == STOCK__V1__CODE__CODE_OK) {
    Stock__V1__HealthCheckReply *health = stock__v1__health_check_reply__unpack(
        &c->memory.allocator, response->message.len, response->message.data);
    serves = health == NULL || health->status != STOCK__V1__SERVING_STATUS__NOT_SERVING;
  }
  greeted(c, ch, serves, now);
}

/* A status other than OK, as the server gave it. */
static void show_status(stock_client *c, stock_reply *into, const Stock__V1__Response *response) {
  into->code = response->status;
  const Stock__V1__ErrorDetail *detail = response->detail;
  if (detail == NULL) return;
  const char *reason = arena_text(&c->memory, detail->reason);
  const char *message = arena_text(&c->memory, detail->message);
  const char *field = arena_text(&c->memory, detail->field);
  if (reason != NULL && message != NULL && field != NULL) {
    into->reason = reason;
    into->message = message;
    into->field = field;
  }
  into->retryable = detail->retryable;
  into->retry_after_ms = detail->retry_after_ms;
  into->outcome_unknown = detail->outcome_unknown;
}

static void show_request_id(stock_client *c, stock_reply *into, const Stock__V1__Response *response) {
  for (size_t place = 0; place < response->n_metadata; place++) {
    if (!is(response->metadata[place]->key, "x-request-id")) continue;
    const char *id = arena_text(&c->memory, response->metadata[place]->value);
    if (id != NULL) into->request_id = id;
    return;
  }
}

/* Hands out the server's last word on a call, unless the call is made again. */
static const stock_reply *complete(stock_client *c, uint32_t place, const Stock__V1__Response *response,
                                   const fault *why) {
  call *one = &c->calls[place];
  stock_reply *reply = reply_begin(c);
  ProtobufCMessage *message = NULL;
  if (why == NULL && response->status == STOCK__V1__CODE__CODE_OK && !is_stream(one)) {
    message = protobuf_c_message_unpack(one->what->reply, &c->memory.allocator, response->message.len,
                                        response->message.data);
    bool shown = message != NULL &&
                 (one->what->show == NULL || one->what->show(reply, &c->memory, message)) &&
                 (one->what != &METHOD_BATCH_RESERVE || reply->item_count == one->items);
    if (!shown) {
      message = NULL;
      reply = reply_begin(c);
      why = &FAULT_MALFORMED;
    }
  }
  if (why != NULL) reply_fault(c, reply, why);
  if (why == NULL && response->status != STOCK__V1__CODE__CODE_OK) show_status(c, reply, response);
  show_request_id(c, reply, response);
  one->may_have_happened |= reply->outcome_unknown && !is_stream(one);
  bool curable = reply->retryable || reply->outcome_unknown;
  if (curable && call_repeats(c, one, true, reply->retry_after_ms)) return NULL;
  if (reply->code == STOCK_CODE_OK)
    budget_earn(&c->budget);
  else
    reply->outcome_unknown = one->may_have_happened;
  reply->tag = one->tag;
  reply->attempts = one->attempts;
  if (one->of != NULL) {
    run_closure(c, place, message);
    return NULL;
  }
  call_release(c, place);
  return reply;
}

static const stock_reply *take_answer(stock_client *c, channel *ch, const Stock__V1__Response *response) {
  uint32_t place = call_answered(c, response->call_id);
  if (place == NOWHERE) return NULL; /* it was given up */
  if (response->more && is_stream(&c->calls[place])) return take_item(c, ch, place, response);
  const fault *why = NULL;
  if (response->more) {
    why = &FAULT_STREAM;
    cancel_at_server(c, ch, response->call_id);
  }
  call_leaves_channel(c, &c->calls[place]);
  const stock_reply *reply = complete(c, place, response, why);
  /* The server is going, or its store is: others may be better off. */
  bool gone = has_reason(response, "SHUTTING_DOWN") ||
              (c->address_count > 1 && response->status == STOCK__V1__CODE__CODE_UNAVAILABLE);
  if (gone) leave(c, ch);
  return reply;
}

static const stock_reply *take_response(stock_client *c, channel *ch, const Stock__V1__Response *response,
                                        uint64_t now) {
  uint64_t id = response->call_id;
  if (id == 0) {
    take_notice(c, ch, response->message, now);
    return NULL;
  }
  if (ch->phase != CHANNEL_GREETING) c->failed_dials = 0;
  if (id == ch->hello_id)
    take_hello(c, ch, response);
  else if (id == ch->health_id)
    take_health(c, ch, response, now);
  else
    return take_answer(c, ch, response);
  return NULL;
}

const stock_reply *take_frames(stock_client *c, channel *ch, uint64_t now) {
  ProtobufCBinaryData payload = {0, NULL};
  size_t missing;
  while (ch->phase >= CHANNEL_GREETING) {
    frame_state state = frame_next(&ch->input, &payload, &missing);
    if (state == FRAME_INCOMPLETE) return NULL;
    arena_reset(&c->memory);
    Stock__V1__Response *response = state == FRAME_WHOLE ? response_decode(&c->memory, payload) : NULL;
    if (response == NULL) {
      ch->error = EPROTO;
      lost(c, ch, now);
      return NULL;
    }
    buffer_consume(&ch->input, FRAME_HEADER_BYTES + payload.len);
    const stock_reply *reply = take_response(c, ch, response, now);
    if (ch->phase == CHANNEL_LEAVING && ch->calls == 0) channel_close(ch);
    if (reply != NULL) return reply;
  }
  return NULL;
}

const stock_reply *next_completion(stock_client *c, uint64_t now) {
  do {
    for (uint32_t place; (place = list_pop(c, &c->done)) != NOWHERE;) {
      const stock_reply *reply = hand_out_failed(c, place);
      if (reply != NULL) return reply;
    }
    for (int number = 0; number < 2; number++) {
      const stock_reply *reply = take_frames(c, &c->channels[number], now);
      if (reply != NULL) return reply;
    }
  } while (c->done.head != NOWHERE);
  return NULL;
}
