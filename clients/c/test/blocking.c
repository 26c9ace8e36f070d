/* Blocking calls against a server. */
#include <pthread.h>

#include "scenario.h"

static void supply(stock_client *client, const char *sku, uint64_t units) {
  const stock_reply *reply = stock_set_stock(client, sku, units, sku, 0);
  CHECK_OK(reply);
  CHECK(reply->outcome == STOCK_OUTCOME_STOCK_SET || reply->outcome == STOCK_OUTCOME_REPEATED);
  CHECK(reply->stock != NULL && strcmp(reply->stock->sku, sku) == 0);
}

static void check_figures(stock_client *client, const char *sku, uint64_t available, uint64_t held,
                          uint64_t sold) {
  const stock_reply *reply = stock_get_stock(client, sku, 0);
  CHECK_OK(reply);
  CHECK(reply->outcome == STOCK_OUTCOME_FOUND);
  const stock_level *level = reply->stock;
  CHECK(level->available == available && level->held == held && level->sold == sold);
  CHECK(level->supplied == available + held + sold);
}

void sale(const scenario_input *input) {
  stock_client *client = client_of(input->address);
  const char *sku = input->sku;
  char hold_id[64];
  const stock_reply *reply = stock_health(client, NULL, 0);
  CHECK_OK(reply);
  CHECK(reply->serving == STOCK_SERVING_YES || reply->serving == STOCK_SERVING_DEGRADED);
  CHECK(reply->server_version[0] != 0);
  CHECK((reply->serving == STOCK_SERVING_DEGRADED) == (reply->warning_count > 0));
  CHECK_OK(stock_ping(client, 0));
  CHECK(stock_get_stock(client, sku, 0)->outcome == STOCK_OUTCOME_UNKNOWN_SKU);

  supply(client, sku, 3);
  stock_reservation what = {.sku = sku, .qty = 2, .user_id = "ada", .key = sku, .ttl_ms = 60000};
  reply = stock_reserve(client, &what, 0);
  CHECK_OK(reply);
  CHECK(reply->outcome == STOCK_OUTCOME_HELD && reply->available == 1 && reply->attempts == 1);
  CHECK(reply->hold_status == STOCK_HOLD_ACTIVE && reply->expires_at_ms > 0);
  strcpy(hold_id, reply->hold_id);
  reply = stock_reserve(client, &what, 0);
  CHECK(reply->outcome == STOCK_OUTCOME_REPEATED && strcmp(reply->hold_id, hold_id) == 0);

  stock_reservation more = {.sku = sku, .qty = 2, .user_id = "bob", .key = sku};
  reply = stock_reserve(client, &more, 0);
  CHECK(reply->code == STOCK_CODE_OK && reply->outcome == STOCK_OUTCOME_SOLD_OUT);
  CHECK(reply->available == 1 && reply->hold_id[0] == 0);

  reply = stock_confirm(client, hold_id, "pay-1", 0);
  CHECK_OK(reply);
  CHECK(reply->outcome == STOCK_OUTCOME_CONFIRMED && reply->hold->status == STOCK_HOLD_CONFIRMED);
  CHECK(strcmp(reply->hold->payment_ref, "pay-1") == 0 && strlen(reply->hold->order_id) == 36);
  CHECK(stock_cancel(client, hold_id, 0)->outcome == STOCK_OUTCOME_ALREADY_CONFIRMED);
  check_figures(client, sku, 1, 0, 2);

  more.qty = 1;
  reply = stock_reserve(client, &more, 0);
  CHECK_OK(reply);
  strcpy(hold_id, reply->hold_id);
  const int64_t later = reply->expires_at_ms + 60000;
  reply = stock_extend(client, hold_id, later, 0);
  CHECK_OK(reply);
  CHECK(reply->outcome == STOCK_OUTCOME_EXTENDED && reply->hold->expires_at_ms == later);
  reply = stock_extend(client, hold_id, later, 0);
  CHECK(reply->outcome == STOCK_OUTCOME_REPEATED && reply->hold->expires_at_ms == later);
  reply = stock_find_hold(client, "bob", sku, 0);
  CHECK_OK(reply);
  CHECK(reply->outcome == STOCK_OUTCOME_FOUND && strcmp(reply->hold->hold_id, hold_id) == 0);
  CHECK(strcmp(reply->hold->sku, sku) == 0 && reply->hold->qty == 1 && reply->hold->version == 2);
  reply = stock_cancel(client, hold_id, 0);
  CHECK(reply->outcome == STOCK_OUTCOME_CANCELLED && reply->hold->payment_ref[0] == 0);
  reply = stock_get_hold(client, hold_id, 0);
  CHECK(reply->outcome == STOCK_OUTCOME_FOUND && reply->hold->status == STOCK_HOLD_CANCELLED);
  CHECK(stock_find_hold(client, "nobody", sku, 0)->hold == NULL);
  check_figures(client, sku, 1, 0, 2);
  char request[64];
  snprintf(request, sizeof request, "%s-more", sku);
  reply = stock_adjust(client, sku, 4, request, "a delivery", "ada", 0);
  CHECK_OK(reply);
  CHECK(reply->outcome == STOCK_OUTCOME_STOCK_ADJUSTED && reply->stock->available == 5);
  CHECK(stock_adjust(client, sku, 4, request, NULL, NULL, 0)->outcome == STOCK_OUTCOME_REPEATED);
  snprintf(request, sizeof request, "%s-less", sku);
  CHECK(stock_adjust(client, sku, -6, request, NULL, NULL, 0)->outcome == STOCK_OUTCOME_TOO_FEW_AVAILABLE);
  check_figures(client, sku, 5, 0, 2);
  stock_client_free(client);
}

/* The test's Redis syncs always and has no replica. */
void acknowledged(const scenario_input *input) {
  stock_client *client = client_of(input->address);
  supply(client, input->sku, 10);
  stock_reservation what = order(input->sku, "k");
  CHECK(stock_reserve(client, &what, 0)->acknowledged == STOCK_ACKNOWLEDGE_DEFAULT);
  stock_set_acknowledge(client, STOCK_ACKNOWLEDGE_FSYNC);
  what.key = "k2";
  const stock_reply *reply = stock_reserve(client, &what, 0);
  CHECK_OK(reply);
  CHECK(reply->outcome == STOCK_OUTCOME_HELD && reply->acknowledged == STOCK_ACKNOWLEDGE_FSYNC);
  char hold_id[64];
  strcpy(hold_id, reply->hold_id);
  CHECK(stock_confirm(client, hold_id, "pay", 0)->acknowledged == STOCK_ACKNOWLEDGE_FSYNC);
  what.key = "k3";
  reply = stock_reserve_batch(client, &what, 1, 0);
  CHECK_OK(reply);
  CHECK(reply->items[0]->acknowledged == STOCK_ACKNOWLEDGE_FSYNC);
  strcpy(hold_id, reply->items[0]->hold_id);
  CHECK(stock_cancel(client, hold_id, 0)->acknowledged == STOCK_ACKNOWLEDGE_FSYNC);
  what.key = "k5";
  strcpy(hold_id, stock_reserve(client, &what, 0)->hold_id);
  CHECK(stock_release(client, hold_id, "why", "ada", 0)->acknowledged == STOCK_ACKNOWLEDGE_FSYNC);
  stock_set_acknowledge(client, STOCK_ACKNOWLEDGE_REPLICA);
  what.key = "k4";
  reply = stock_reserve(client, &what, 0);
  CHECK(reply->code == STOCK_CODE_FAILED_PRECONDITION);
  CHECK(strcmp(reply->reason, "ACKNOWLEDGE_UNAVAILABLE") == 0 && !reply->outcome_unknown);
  stock_set_acknowledge(client, STOCK_ACKNOWLEDGE_DEFAULT);
  CHECK(stock_reserve(client, &what, 0)->outcome == STOCK_OUTCOME_HELD);
  stock_client_free(client);
}

void refusals(const scenario_input *input) {
  stock_client *client = client_of(input->address);
  supply(client, input->sku, 3);
  stock_reservation what = order(input->sku, "k");
  what.qty = 0;
  const stock_reply *reply = stock_reserve(client, &what, 0);
  CHECK(reply->code == STOCK_CODE_INVALID_ARGUMENT && strcmp(reply->reason, "INVALID_FIELD") == 0);
  CHECK(strcmp(reply->field, "qty") == 0 && reply->message[0] != 0);
  CHECK(!reply->retryable && !reply->outcome_unknown && reply->attempts == 1);
  what.user_id = NULL;
  what.qty = 1;
  CHECK(strcmp(stock_reserve(client, &what, 0)->field, "user_id") == 0);
  CHECK(stock_get_hold(client, "box", 0)->code == STOCK_CODE_INVALID_ARGUMENT);
  CHECK(stock_health(client, "no.such.Service", 0)->code == STOCK_CODE_NOT_FOUND);

  char *huge = malloc(3 << 20);
  memset(huge, 'x', 3 << 20);
  huge[(3 << 20) - 1] = 0;
  reply = stock_get_stock(client, huge, 0);
  CHECK(reply->code == STOCK_CODE_INVALID_ARGUMENT && strcmp(reply->reason, "TOO_LARGE") == 0);
  free(huge);
  CHECK_OK(stock_ping(client, 0));
  stock_client_close(client);
  reply = stock_ping(client, 0);
  CHECK(reply->code == STOCK_CODE_CANCELLED && strcmp(reply->reason, "CLIENT_CLOSED") == 0);
  stock_client_free(client);
}

void batch(const scenario_input *input) {
  enum { COUNT = 4096 };
  static stock_reservation items[COUNT + 1];
  static char keys[COUNT][16];
  stock_client *client = client_of(input->address);
  supply(client, input->sku, COUNT - 2);
  for (int place = 0; place < COUNT; place++) {
    snprintf(keys[place], sizeof keys[place], "k%d", place);
    items[place] = order(input->sku, keys[place]);
  }
  items[17].qty = 0;
  const stock_reply *reply = stock_reserve_batch(client, items, COUNT, 30000);
  CHECK_OK(reply);
  CHECK(reply->item_count == COUNT);
  int held = 0, sold_out = 0;
  for (int place = 0; place < COUNT; place++) {
    const stock_reply *item = reply->items[place];
    held += item->code == STOCK_CODE_OK && item->outcome == STOCK_OUTCOME_HELD && item->hold_id[0] == 'H';
    sold_out += item->code == STOCK_CODE_OK && item->outcome == STOCK_OUTCOME_SOLD_OUT;
  }
  CHECK(held == COUNT - 2 && sold_out == 1);
  CHECK(reply->items[17]->code == STOCK_CODE_INVALID_ARGUMENT);
  CHECK(strcmp(reply->items[17]->field, "items[17].qty") == 0);
  check_figures(client, input->sku, 0, COUNT - 2, 0);
  reply = stock_reserve_batch(client, items, COUNT + 1, 0);
  CHECK(reply->code == STOCK_CODE_INVALID_ARGUMENT && reply->item_count == 0);
  reply = stock_reserve_batch(client, items, 0, 0);
  CHECK(reply->code == STOCK_CODE_INVALID_ARGUMENT && strcmp(reply->field, "items") == 0);
  stock_client_free(client);
}

static void *sell_alone(void *given) {
  const scenario_input *input = given;
  stock_client *client = client_of(input->address);
  char key[32];
  for (int round = 0; round < 50; round++) {
    snprintf(key, sizeof key, "%p-%d", (void *)client, round);
    stock_reservation what = order(input->sku, key);
    const stock_reply *reply = stock_reserve(client, &what, 20000);
    CHECK_OK(reply);
    CHECK(reply->outcome == STOCK_OUTCOME_HELD);
  }
  stock_client_free(client);
  return NULL;
}

/* A client each for four threads. */
void several_clients(const scenario_input *input) {
  stock_client *client = client_of(input->address);
  pthread_t threads[4];
  supply(client, input->sku, 1000);
  for (int place = 0; place < 4; place++)
    CHECK(pthread_create(&threads[place], NULL, sell_alone, (void *)input) == 0);
  for (int place = 0; place < 4; place++) pthread_join(threads[place], NULL);
  check_figures(client, input->sku, 800, 200, 0);
  stock_client_free(client);
}
