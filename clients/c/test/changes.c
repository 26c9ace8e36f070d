/* Changes through something that goes wrong: each is made exactly once. */
#include "scenario.h"

typedef struct held {
  char id[64];
  int64_t expires_at_ms;
} held;

static held reserve(stock_client *client, const char *sku, const char *key) {
  stock_reservation what = order(sku, key);
  const stock_reply *reply = stock_reserve(client, &what, 20000);
  CHECK_OK(reply);
  CHECK(reply->outcome == STOCK_OUTCOME_HELD);
  held made = {.expires_at_ms = reply->expires_at_ms};
  snprintf(made.id, sizeof made.id, "%s", reply->hold_id);
  return made;
}

/* OUTCOME ATTEMPTS_MIN: what each call ends with, "DONE" for its own outcome. */
static const stock_reply *ends(const scenario_input *input, const stock_reply *reply, stock_outcome done) {
  CHECK_OK(reply);
  bool is_done = strcmp(input->words[0], "DONE") == 0;
  stock_outcome wanted = is_done || done == STOCK_OUTCOME_UNSPECIFIED ? done : STOCK_OUTCOME_REPEATED;
  if (reply->outcome != wanted || reply->attempts < (uint32_t)atoi(input->words[1])) {
    fprintf(stderr, "%s instead of %s, %u attempts\n", stock_outcome_name(reply->outcome),
            stock_outcome_name(done), reply->attempts);
    exit(1);
  }
  return reply;
}

static void change_holds(const scenario_input *input, stock_client *client) {
  const held sold = reserve(client, input->sku, "sold");
  const held cancelled = reserve(client, input->sku, "cancelled");
  const held released = reserve(client, input->sku, "released");
  const int64_t later = sold.expires_at_ms + 60000;
  const stock_reply *reply = stock_extend(client, sold.id, later, 20000);
  const stock_hold *hold = ends(input, reply, STOCK_OUTCOME_EXTENDED)->hold;
  CHECK(hold->expires_at_ms == later && hold->version == 2 && strcmp(hold->hold_id, sold.id) == 0);
  reply = stock_confirm(client, sold.id, "pay", 20000);
  CHECK(ends(input, reply, STOCK_OUTCOME_CONFIRMED)->hold->version == 3);
  reply = stock_cancel(client, cancelled.id, 20000);
  CHECK(ends(input, reply, STOCK_OUTCOME_CANCELLED)->hold->version == 2);
  reply = stock_release(client, released.id, "why", "ada", 20000);
  CHECK(ends(input, reply, STOCK_OUTCOME_CANCELLED)->hold->version == 2);
}

/* OUTCOME ATTEMPTS_MIN: of 1,000 supplied, one is sold. */
void changes(const scenario_input *input) {
  CHECK(input->count == 2);
  stock_client *client = client_of(input->address);
  const char *sku = input->sku;
  change_holds(input, client);
  const stock_reply *reply = stock_adjust(client, sku, 4, request_id(sku, "more"), NULL, NULL, 20000);
  CHECK(ends(input, reply, STOCK_OUTCOME_STOCK_ADJUSTED)->stock->available == 1003);
  const uint64_t expected = 1003;
  reply = stock_set_stock_if(client, sku, 50, &expected, request_id(sku, "set"), NULL, NULL, 20000);
  CHECK(ends(input, reply, STOCK_OUTCOME_STOCK_SET)->stock->available == 50);
  reply = stock_retire(client, sku, request_id(sku, "off"), NULL, NULL, 20000);
  /* Supplied, adjusted, set, retired: no change was made twice. */
  CHECK(ends(input, reply, STOCK_OUTCOME_STOCK_RETIRED)->stock->version == 4 && reply->stock->retired);

  char before[64];
  snprintf(before, sizeof before, "%s", sku);
  before[strlen(before) - 1] = 0;
  reply = stock_list(client, before, 1, 20000);
  ends(input, reply, STOCK_OUTCOME_UNSPECIFIED);
  CHECK(reply->item_count == 1 && reply->next[0] != 0);
  const stock_level *level = reply->items[0]->stock;
  CHECK(strcmp(level->sku, sku) == 0 && level->available == 50 && level->held == 0);
  CHECK(level->sold == 1 && level->supplied == 51);
  stock_client_free(client);
}

enum { EACH = 8, EXTEND = 0, RELEASE = 1, ADJUST = 2, SET = 3, RETIRE = 4, LIST = 5, KINDS = 6 };

static held holds[RELEASE + 1][EACH];

/* The SKU that a change of stock is about. */
static const char *named(const scenario_input *input, int kind, int place) {
  static char name[64];
  snprintf(name, sizeof name, "%s.%d%d", input->sku, kind, place);
  return name;
}

static uint64_t supplied(int place) { return 10 + (uint64_t)place; }

static stock_code submit(const scenario_input *input, stock_client *client, int kind, int place) {
  const uint64_t tag = (uint64_t)(kind * EACH + place), expected = supplied(place);
  const char *sku = named(input, kind, place);
  char list_after[80];
  switch (kind) {
    case EXTEND: {
      const held *hold = &holds[kind][place];
      return stock_submit_extend(client, tag, hold->id, hold->expires_at_ms + 1000 + place, 20000);
    }
    case RELEASE: return stock_submit_release(client, tag, holds[kind][place].id, "why", "ada", 20000);
    case ADJUST: return stock_submit_adjust(client, tag, sku, 100, sku, NULL, NULL, 20000);
    case SET: return stock_submit_set_stock_if(client, tag, sku, 500, &expected, sku, NULL, NULL, 20000);
    case RETIRE: return stock_submit_retire(client, tag, sku, sku, NULL, NULL, 20000);
    default:
      snprintf(list_after, sizeof list_after, "%s.", input->sku);
      return stock_submit_list(client, tag, list_after, (uint32_t)place + 1, 20000);
  }
}

/* The answer is that of its own call, and the change was made once. */
static void check_answer(const scenario_input *input, const stock_reply *reply) {
  static const stock_outcome done[KINDS] = {STOCK_OUTCOME_EXTENDED, STOCK_OUTCOME_CANCELLED,
                                            STOCK_OUTCOME_STOCK_ADJUSTED, STOCK_OUTCOME_STOCK_SET,
                                            STOCK_OUTCOME_STOCK_RETIRED, STOCK_OUTCOME_UNSPECIFIED};
  CHECK_OK(reply);
  CHECK(reply->tag < KINDS * EACH);
  const int kind = (int)reply->tag / EACH, place = (int)reply->tag % EACH;
  CHECK(reply->outcome == done[kind] || (reply->outcome == STOCK_OUTCOME_REPEATED && reply->attempts > 1));
  if (kind == LIST) {
    CHECK(reply->item_count == (size_t)place + 1);
    CHECK(strcmp(reply->items[place]->stock->sku, named(input, ADJUST, place)) == 0);
  } else if (kind <= RELEASE) {
    CHECK(strcmp(reply->hold->hold_id, holds[kind][place].id) == 0 && reply->hold->version == 2);
  } else {
    const uint64_t left[KINDS] = {[ADJUST] = supplied(place) + 100, [SET] = 500, [RETIRE] = supplied(place)};
    CHECK(strcmp(reply->stock->sku, named(input, kind, place)) == 0 && reply->stock->version == 2);
    CHECK(reply->stock->available == left[kind] && reply->stock->retired == (kind == RETIRE));
  }
}

/* ADDRESS: of a server without anything between.  Eight changes of each kind, under way at once. */
void changes_together(const scenario_input *input) {
  CHECK(input->count == 1);
  stock_client *client = client_of(input->address), *direct = client_of(input->words[0]);
  for (int place = 0; place < EACH; place++) {
    char key[32];
    for (int kind = EXTEND; kind <= RELEASE; kind++) {
      snprintf(key, sizeof key, "%d-%d", kind, place);
      holds[kind][place] = reserve(direct, input->sku, key);
    }
    for (int kind = ADJUST; kind <= RETIRE; kind++) {
      const char *sku = named(input, kind, place);
      CHECK_OK(stock_set_stock(direct, sku, supplied(place), request_id(sku, "supply"), 0));
    }
  }
  int seen[KINDS * EACH] = {0};
  for (int place = 0; place < EACH; place++)
    for (int kind = 0; kind < KINDS; kind++)
      CHECK(submit(input, client, kind, place) == STOCK_CODE_OK);
  for (const stock_reply *reply; (reply = stock_poll(client, -1)) != NULL; seen[reply->tag]++)
    check_answer(input, reply);
  for (int tag = 0; tag < KINDS * EACH; tag++) CHECK(seen[tag] == 1);
  stock_client_free(direct);
  stock_client_free(client);
}
