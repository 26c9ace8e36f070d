/* What becomes of a call whose attempt failed: another attempt, or its end. */
#include <stdio.h>

#include "client.h"

const fault FAULT_UNREACHABLE = {STOCK_CODE_UNAVAILABLE, "UNREACHABLE", "The server cannot be reached",
                                 true, false, true};
const fault FAULT_CONNECTION_LOST = {STOCK_CODE_UNAVAILABLE, "CONNECTION_LOST",
                                     "The connection was lost", true, true, true};
const fault FAULT_NO_ANSWER = {STOCK_CODE_DEADLINE_EXCEEDED, "NO_ANSWER",
                               "The server did not answer in time.", true, true, false};
const fault FAULT_DEADLINE = {STOCK_CODE_DEADLINE_EXCEEDED, "DEADLINE",
                              "The timeout passed before the call could be sent.", true, false, false};
const fault FAULT_MALFORMED = {STOCK_CODE_INTERNAL, "MALFORMED_REPLY",
                               "The reply is not the method's message.", false, true, false};
const fault FAULT_CLOSED = {STOCK_CODE_CANCELLED, "CLIENT_CLOSED",
                            "The client was closed before the call was sent.", false, false, false};
const fault FAULT_CLOSED_SENT = {STOCK_CODE_CANCELLED, "CLIENT_CLOSED",
                                 "The client was closed before the answer.", false, true, false};
const fault FAULT_PROTOCOL = {STOCK_CODE_FAILED_PRECONDITION, "PROTOCOL_UNSUPPORTED",
                              "The server speaks no version of the protocol that this library speaks.",
                              false, false, false};
const fault FAULT_PROTOCOL_SENT = {STOCK_CODE_FAILED_PRECONDITION, "PROTOCOL_UNSUPPORTED",
                                   "The server speaks no version of the protocol that this library speaks.",
                                   false, true, false};
const fault FAULT_STREAM = {STOCK_CODE_UNIMPLEMENTED, "STREAM",
                            "The method answers with a stream, which a stub cannot read.", false, false,
                            false};
const fault FAULT_MEMORY = {STOCK_CODE_RESOURCE_EXHAUSTED, "OUT_OF_MEMORY", "Memory is short.", true, false,
                            false};
const fault FAULT_TOO_LARGE = {STOCK_CODE_INVALID_ARGUMENT, "TOO_LARGE",
                               "The call is larger than a frame may be, or has more than 4,096 items.",
                               false, false, false};
const fault FAULT_TOO_MANY_CALLS = {STOCK_CODE_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS",
                                    "As many calls are outstanding as the client may have.", true, false,
                                    false};
const fault FAULT_BUSY = {STOCK_CODE_FAILED_PRECONDITION, "CLIENT_BUSY",
                          "Submitted calls are outstanding: a blocking call has to wait for them.", false,
                          false, false};

const fault FAULT_ENDED = {STOCK_CODE_CANCELLED, "STREAM_ENDED", "The stream was ended here.", false, false,
                           false};
const fault FAULT_MALFORMED_ITEM = {STOCK_CODE_INTERNAL, "MALFORMED_REPLY",
                                    "An item of the stream is not the method's message.", false, false,
                                    false};

bool call_repeats(stock_client *c, call *one, bool curable, uint32_t retry_after_ms) {
  uint64_t now = now_ns();
  retry_case what = {.attempts = one->attempts, .curable = curable, .retry_after_ms = retry_after_ms};
  what.left_ms = one->deadline_ns > now ? (one->deadline_ns - now) / MS : 0;
  /* A stream goes on for as long as its caller likes, unless nothing is to be repeated. */
  if (is_stream(one) && c->policy.attempts_max > 1)
    what.attempts = one->failures < c->policy.attempts_max ? one->failures : c->policy.attempts_max - 1;
  int64_t pause = retry_pause_ms(&c->policy, &what, next_chance(c));
  if (pause < 0 || (!is_stream(one) && !budget_spend(&c->budget))) return false;
  one->state = CALL_PAUSED;
  one->resume_ns = now + (uint64_t)pause * MS;
  schedule(c, one->resume_ns);
  return true;
}

void call_fails(stock_client *c, uint32_t place, const fault *why) {
  call *one = &c->calls[place];
  bool was_sent = one->state == CALL_SENT;
  if (was_sent) call_leaves_channel(c, one);
  one->may_have_happened |= why->outcome_unknown && !is_stream(one);
  bool curable = was_sent && (why->retryable || why->outcome_unknown);
  /* Closing and a foreign protocol are not cured by an attempt. */
  curable = curable && why->code != STOCK_CODE_CANCELLED && why->code != STOCK_CODE_FAILED_PRECONDITION;
  if (curable && call_repeats(c, one, true, 0)) return;
  call_ends(c, place, why);
}

void call_ends(stock_client *c, uint32_t place, const fault *why) {
  call *one = &c->calls[place];
  one->state = CALL_DONE;
  one->why = why;
  list_push(c, &c->done, place);
}

const stock_reply REPLY_EMPTY = {.reason = "", .message = "", .field = "", .hold_id = "",
                                 .server_version = "", .token = "", .request_id = "", .next = ""};

stock_reply *reply_begin(stock_client *c) {
  c->reply = REPLY_EMPTY;
  return &c->reply;
}

void reply_fault(stock_client *c, stock_reply *into, const fault *why) {
  into->code = why->code;
  into->reason = why->reason;
  into->message = why->message;
  into->retryable = why->retryable;
  into->outcome_unknown = why->outcome_unknown;
  if (!why->says_why) return;
  enum { BYTES_MAX = 192 };
  char *text = arena_take(&c->memory, BYTES_MAX);
  if (text == NULL) return;
  snprintf(text, BYTES_MAX, "%s: %s.", why->message, c->why);
  into->message = text;
}

/* The slot is released first: a closure may submit. */
void run_closure(stock_client *c, uint32_t place, const ProtobufCMessage *message) {
  call *one = &c->calls[place];
  ProtobufCClosure closure = one->closure;
  void *data = one->closure_data;
  service *of = one->of;
  call_release(c, place);
  c->ran_closure = true;
  service_shows(of, &c->reply);
  closure(message, data);
  service_shows(of, NULL);
  service_call_ended(c, of);
}

const stock_reply *hand_out_failed(stock_client *c, uint32_t place) {
  const call *one = &c->calls[place];
  arena_reset(&c->memory);
  stock_reply *reply = reply_begin(c);
  reply_fault(c, reply, one->why);
  reply->tag = one->tag;
  reply->attempts = one->attempts;
  reply->outcome_unknown = one->may_have_happened;
  if (one->of != NULL) {
    run_closure(c, place, NULL);
    return NULL;
  }
  call_release(c, place);
  return reply;
}
