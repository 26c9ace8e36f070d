/* What a person does with stock and with holds: set if, adjust, retire, list, release. */
#include "scenario.h"

static const stock_reply *of(const stock_reply *reply, stock_outcome outcome) {
  CHECK_OK(reply);
  if (reply->outcome != outcome) {
    fprintf(stderr, "%s instead of %s\n", stock_outcome_name(reply->outcome), stock_outcome_name(outcome));
    exit(1);
  }
  return reply;
}

static void check_refused(const stock_reply *reply, const char *field) {
  CHECK(reply->code == STOCK_CODE_INVALID_ARGUMENT && strcmp(reply->reason, "INVALID_FIELD") == 0);
  CHECK(strcmp(reply->field, field) == 0 && reply->attempts == 1);
}

/* The next event of the SKU, by whom and why. */
static void check_event(stock_client *client, const char *type, const char *actor, const char *reason) {
  const stock_reply *reply = stock_poll(client, 20000);
  CHECK(reply != NULL && reply->more && reply->event != NULL);
  const stock_event *event = reply->event;
  if (strcmp(event->type, type) != 0 || strcmp(event->actor, actor) != 0 ||
      strcmp(event->reason, reason) != 0) {
    fprintf(stderr, "%s by %s: %s\n", event->type, event->actor, event->reason);
    exit(1);
  }
}

static void check_events(stock_client *client, const char *sku) {
  stock_follow what = {.from_earliest = true, .skus = &sku, .sku_count = 1};
  CHECK(stock_submit_follow(client, 1, &what) == STOCK_CODE_OK);
  const stock_reply *reply = stock_poll(client, 20000);
  CHECK(reply != NULL && reply->more && reply->event == NULL);
  check_event(client, "STOCK_SET", "ada", "delivery 17");
  check_event(client, "HOLD_CREATED", "", "");
  check_event(client, "STOCK_SET", "", "counted");
  check_event(client, "STOCK_RETIRED", "bob", "end of line");
  check_event(client, "HOLD_CANCELLED", "eve", "the buyer has called");
  check_event(client, "STOCK_SET", "", "");
  stock_stream_end(client, 1);
  while (stock_poll(client, -1) != NULL) continue;
}

/* EXPECTED: -1: however many. */
static const stock_reply *set(stock_client *client, const char *sku, uint64_t units, int64_t expected,
                              const char *change, const char *reason, const char *actor) {
  const uint64_t as_expected = (uint64_t)expected;
  return stock_set_stock_if(client, sku, units, expected < 0 ? NULL : &as_expected, request_id(sku, change),
                            reason, actor, 0);
}

static const stock_reply *retire(stock_client *client, const char *sku, const char *reason,
                                 const char *actor) {
  return stock_retire(client, sku, request_id(sku, "retire"), reason, actor, 0);
}

static void check_refusals(stock_client *client, const char *sku, const char *hold_id) {
  check_refused(set(client, sku, 1, INT64_MAX, "x", NULL, NULL), "if_available");
  check_refused(set(client, sku, 1, -1, "x", "a\nb", NULL), "reason");
  check_refused(stock_retire(client, sku, NULL, NULL, NULL, 0), "request_id");
  check_refused(stock_release(client, hold_id, NULL, "eve", 0), "reason");
  check_refused(stock_release(client, hold_id, "why", NULL, 0), "actor");
  check_refused(stock_list(client, NULL, 201, 0), "limit");
}

void orders(const scenario_input *input) {
  stock_client *client = client_of(input->address);
  const char *sku = input->sku;
  of(retire(client, sku, NULL, NULL), STOCK_OUTCOME_UNKNOWN_SKU);
  of(set(client, sku, 3, 3, "first", NULL, NULL), STOCK_OUTCOME_AVAILABLE_DIFFERS);
  const stock_reply *reply = set(client, sku, 3, 0, "first", "delivery 17", "ada");
  CHECK(of(reply, STOCK_OUTCOME_STOCK_SET)->stock->available == 3);

  stock_reservation what = order(sku, "k");
  char hold_id[64];
  reply = of(stock_reserve(client, &what, 0), STOCK_OUTCOME_HELD);
  snprintf(hold_id, sizeof hold_id, "%s", reply->hold_id);
  reply = of(set(client, sku, 9, 3, "second", NULL, NULL), STOCK_OUTCOME_AVAILABLE_DIFFERS);
  CHECK(reply->stock->available == 2);
  of(set(client, sku, 9, 2, "second", "counted", NULL), STOCK_OUTCOME_STOCK_SET);
  reply = of(set(client, sku, 9, 2, "second", NULL, NULL), STOCK_OUTCOME_REPEATED);
  CHECK(reply->stock->available == 9 && reply->stock->version == 2);

  reply = of(retire(client, sku, "end of line", "bob"), STOCK_OUTCOME_STOCK_RETIRED);
  CHECK(reply->stock->retired && reply->stock->available == 9);
  of(retire(client, sku, NULL, NULL), STOCK_OUTCOME_REPEATED);
  what.key = "k2";
  of(stock_reserve(client, &what, 0), STOCK_OUTCOME_NOT_FOR_SALE);
  reply = of(stock_release(client, hold_id, "the buyer has called", "eve", 0), STOCK_OUTCOME_CANCELLED);
  CHECK(reply->hold->status == STOCK_HOLD_CANCELLED && strcmp(reply->hold->hold_id, hold_id) == 0);
  of(stock_release(client, hold_id, "again", "eve", 0), STOCK_OUTCOME_REPEATED);
  CHECK(!of(set(client, sku, 1, -1, "third", NULL, NULL), STOCK_OUTCOME_STOCK_SET)->stock->retired);
  of(stock_reserve(client, &what, 0), STOCK_OUTCOME_HELD);
  check_events(client, sku);
  check_refusals(client, sku, hold_id);
  stock_client_free(client);
}

/* PREFIX COUNT: SKUs with that prefix and a number of two figures, the first of them retired and the second
 * closed at 77, are each on one page, in their order, whatever the pages' length is; the closed one is
 * adopted. */
void listed(const scenario_input *input) {
  CHECK(input->count == 2);
  stock_client *client = client_of(input->address);
  const char *prefix = input->words[0];
  const int count = atoi(input->words[1]);
  for (uint32_t limit = 1; limit <= 200; limit = limit * 3 + 1) {
    int seen = 0;
    const stock_reply *page = stock_list(client, prefix, limit, 0);
    for (;; page = stock_list(client, page->next, limit, 0)) {
      CHECK_OK(page);
      CHECK(page->item_count <= limit && (page->item_count == limit || page->next[0] == 0));
      for (size_t place = 0; place < page->item_count; place++) {
        const stock_reply *item = page->items[place];
        if (strncmp(item->stock->sku, prefix, strlen(prefix)) != 0) continue;
        char name[64];
        snprintf(name, sizeof name, "%s%02d", prefix, seen);
        CHECK(strcmp(item->stock->sku, name) == 0 && item->stock->supplied == 10 + (uint64_t)seen);
        CHECK(item->stock->retired == (seen == 0) && item->closed == (seen == 1));
        seen++;
      }
      if (page->next[0] == 0) break;
    }
    CHECK(seen == count);
  }
  char closed[64];
  snprintf(closed, sizeof closed, "%s01", prefix);
  const stock_reply *adopted = of(stock_adopt(client, closed, 0), STOCK_OUTCOME_STOCK_ADOPTED);
  CHECK(adopted->stock->available == 77 && adopted->stock->supplied == 77);
  of(stock_adopt(client, closed, 0), STOCK_OUTCOME_REPEATED);
  of(stock_adopt(client, "nobody-has-it", 0), STOCK_OUTCOME_UNKNOWN_SKU);
  stock_client_free(client);
}
