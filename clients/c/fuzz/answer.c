/* What a server might send: the input is a stream of bytes that comes in while one call of each method waits,
 * on a connection in each phase of its life.  Each call is completed at most once, whatever comes, a stream
 * after any number of items, and all that a reply points to can be read.
 *
 * The ids of the waiting calls, in the order below, are 3 << 14, 4 << 14 | 1, ...: the corpus knows them
 * (corpus.py). */
#include <string.h>

#include "client.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

enum { CALLS = 16, LIST = 15 };

static size_t read_hold(const stock_hold *hold) {
  if (hold == NULL) return 0;
  return strlen(hold->hold_id) + strlen(hold->sku) + strlen(hold->user_id) + strlen(hold->key) +
         strlen(hold->payment_ref) + strlen(hold->order_id);
}

static size_t read_event(const stock_event *event) {
  if (event == NULL) return 0;
  size_t length = strlen(event->type) + strlen(event->event_id) + strlen(event->traceparent) +
                  strlen(event->request_id) + strlen(event->actor) + strlen(event->reason) +
                  read_hold(event->hold) + (event->stock == NULL ? 0 : strlen(event->stock->sku));
  for (size_t place = 0; place < event->unread_bytes; place++) length += (uint8_t)event->unread[place];
  return length;
}

static size_t read_texts(const stock_reply *reply) {
  size_t length = strlen(reply->reason) + strlen(reply->message) + strlen(reply->field) +
                  strlen(reply->hold_id) + strlen(reply->server_version) + strlen(reply->token) +
                  strlen(reply->request_id) + strlen(reply->next) + read_hold(reply->hold) +
                  read_event(reply->event);
  if (reply->stock != NULL) length += strlen(reply->stock->sku);
  for (size_t place = 0; place < reply->warning_count; place++) length += strlen(reply->warnings[place]);
  for (size_t place = 0; place < reply->item_count; place++) length += read_texts(reply->items[place]);
  return length;
}

static void submit_each(stock_client *c) {
  stock_reservation what = {.sku = "box", .qty = 1, .user_id = "ada", .key = "k"};
  stock_submit_reserve(c, 0, &what, 0);
  stock_submit_reserve_batch(c, 1, &what, 1, 0);
  stock_submit_confirm(c, 2, "H-1", "p", 0);
  stock_submit_cancel(c, 3, "H-1", 0);
  stock_submit_get_hold(c, 4, "H-1", 0);
  stock_submit_get_stock(c, 5, "box", 0);
  stock_submit_set_stock(c, 6, "box", 1, "r", 0);
  stock_submit_health(c, 7, NULL, 0);
  stock_submit_ping(c, 8, 0);
  const char *skus[] = {"box"};
  stock_follow events = {0};
  stock_submit_watch(c, 9, skus, 1, NULL);
  stock_submit_follow(c, 10, &events);
  stock_submit_extend(c, 11, "H-1", 1, 0);
  stock_submit_adjust(c, 12, "box", 1, "r", NULL, NULL, 0);
  stock_submit_release(c, 13, "H-1", "why", "ada", 0);
  stock_submit_retire(c, 14, "box", "r", NULL, NULL, 0);
  stock_submit_list(c, LIST, NULL, 0, 0);
}

static void play(const uint8_t *bytes, size_t count, channel_phase phase) {
  stock_client *c = stock_client_new("unix:/nowhere", NULL, NULL);
  if (c == NULL) __builtin_trap();
  c->chance = 1;
  channel *ch = &c->channels[0];
  ch->hello_id = 1 << SLOT_BITS | CONTROL_PLACE;
  ch->health_id = 2 << SLOT_BITS | CONTROL_PLACE;
  c->attempts = 2;
  ch->phase = CHANNEL_OPEN;
  submit_each(c);
  uint64_t now = now_ns();
  send_queued(c, now);
  if (ch->calls != CALLS) __builtin_trap();
  ch->phase = phase;
  if (!buffer_reserve(&ch->input, count)) __builtin_trap();
  if (count > 0) memcpy(ch->input.bytes, bytes, count);
  ch->input.end = count;

  int seen[CALLS] = {0};
  for (const stock_reply *reply; (reply = next_completion(c, now)) != NULL;) {
    bool streams = reply->tag == 9 || reply->tag == 10;
    if (reply->tag >= CALLS || seen[reply->tag] > 0 || (reply->more && !streams)) __builtin_trap();
    seen[reply->tag] += !reply->more;
    for (size_t place = 0; reply->tag == LIST && place < reply->item_count; place++)
      if (reply->items[place]->stock == NULL) __builtin_trap();
    read_texts(reply);
  }
  stock_client_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  play(bytes, count, CHANNEL_OPEN);
  play(bytes, count, CHANNEL_LEAVING);
  play(bytes, count, CHANNEL_GREETING);
  return 0;
}
