/* Calls with many answers, and the headers that go with calls. */
#include "scenario.h"

static const char TRACE[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

enum { STREAM = 7 };

/* The next item of the stream. */
static const stock_reply *item(stock_client *client) {
  const stock_reply *reply = stock_poll(client, 20000);
  CHECK(reply != NULL);
  CHECK_OK(reply);
  CHECK(reply->more && reply->tag == STREAM);
  return reply;
}

static const stock_event *event(stock_client *client, const char *type) {
  const stock_event *found = item(client)->event;
  CHECK(found != NULL && strcmp(found->type, type) == 0 && found->time_ms > 0);
  CHECK((found->hold != NULL) == (strncmp(type, "HOLD_", 5) == 0));
  CHECK((found->stock != NULL) == (strncmp(type, "STOCK_", 6) == 0));
  return found;
}

/* The last completion, which comes once. */
static void check_end(stock_client *client, stock_code code, const char *reason) {
  const stock_reply *reply = stock_poll(client, 20000);
  CHECK(reply != NULL && reply->tag == STREAM && !reply->more);
  if (reply->code != code || strcmp(reply->reason, reason) != 0 || reply->outcome_unknown) {
    fprintf(stderr, "%s %s: %s\n", stock_code_name(reply->code), reply->reason, reply->message);
    exit(1);
  }
  CHECK(stock_outstanding(client) == 0 && stock_poll(client, -1) == NULL);
}

static void sell(stock_client *client, const char *sku, const char *key, char hold_id[64]) {
  stock_reservation what = order(sku, key);
  const stock_reply *reply = stock_reserve(client, &what, 20000);
  CHECK_OK(reply);
  CHECK(reply->outcome == STOCK_OUTCOME_HELD || reply->outcome == STOCK_OUTCOME_REPEATED);
  if (hold_id != NULL) snprintf(hold_id, 64, "%s", reply->hold_id);
}

/* The figures after some updates: those in between may be left out. */
static void check_watched(stock_client *client, const char *sku, uint64_t available, char token[64]) {
  const stock_reply *reply;
  do {
    reply = item(client);
    CHECK(reply->outcome == STOCK_OUTCOME_FOUND && strcmp(reply->stock->sku, sku) == 0 && !reply->closed);
  } while (reply->stock->available != available);
  CHECK(reply->stock->supplied == 3 && reply->event == NULL);
  snprintf(token, 64, "%s", reply->token);
}

void watched(const scenario_input *input) {
  stock_client *client = client_of(input->address), *seller = client_of(input->address);
  const char *skus[] = {input->sku};
  char token[64];
  CHECK(stock_submit_watch(client, STREAM, skus, 1, NULL) == STOCK_CODE_OK);
  const stock_reply *reply = item(client);
  CHECK(reply->outcome == STOCK_OUTCOME_UNKNOWN_SKU && strcmp(reply->stock->sku, input->sku) == 0);
  CHECK(reply->token[0] != 0 && reply->attempts == 1);
  CHECK_OK(stock_set_stock(seller, input->sku, 3, input->sku, 0));
  check_watched(client, input->sku, 3, token);
  sell(seller, input->sku, "a", NULL);
  check_watched(client, input->sku, 2, token);

  /* Other calls go on beside it, by submitting. */
  CHECK(strcmp(stock_ping(client, 0)->reason, "CLIENT_BUSY") == 0);
  CHECK(stock_submit_get_stock(client, 8, input->sku, 0) == STOCK_CODE_OK);
  reply = stock_poll(client, -1);
  CHECK_OK(reply);
  CHECK(reply->tag == 8 && !reply->more && reply->stock->held == 1);

  stock_stream_end(client, STREAM);
  check_end(client, STOCK_CODE_CANCELLED, "STREAM_ENDED");
  CHECK_OK(stock_ping(client, 0));

  /* With the token nothing comes until something differs. */
  CHECK(stock_submit_watch(client, STREAM, skus, 1, token) == STOCK_CODE_OK);
  CHECK(stock_poll(client, 300) == NULL);
  sell(seller, input->sku, "b", NULL);
  check_watched(client, input->sku, 1, token);
  stock_client_free(seller);
  stock_client_free(client);
}

static void check_hold(const stock_hold *hold, const char *id, stock_hold_status status, uint64_t version) {
  CHECK(strcmp(hold->hold_id, id) == 0 && hold->status == status && hold->version == version);
  CHECK(hold->qty == 1 && hold->created_at_ms > 0 && hold->expires_at_ms > hold->created_at_ms);
}

void followed(const scenario_input *input) {
  stock_client *client = client_of(input->address), *seller = client_of(input->address);
  CHECK(stock_set_metadata(seller, "traceparent", TRACE) == STOCK_CODE_OK);
  CHECK(stock_set_metadata(seller, "x-request-id", "r-1") == STOCK_CODE_OK);
  const stock_reply *reply = stock_set_stock(seller, input->sku, 5, input->sku, 0);
  CHECK_OK(reply);
  CHECK(strcmp(reply->request_id, "r-1") == 0);
  CHECK(stock_set_metadata(seller, "x-request-id", NULL) == STOCK_CODE_OK);
  char first[64], second[64];
  sell(seller, input->sku, "a", first);
  CHECK(stock_set_metadata(seller, "traceparent", NULL) == STOCK_CODE_OK);
  sell(seller, input->sku, "b", second);

  const char *skus[] = {input->sku};
  stock_follow what = {.from_earliest = true, .skus = skus, .sku_count = 1};
  CHECK(stock_submit_follow(client, STREAM, &what) == STOCK_CODE_OK);
  reply = item(client);
  CHECK(reply->event == NULL && reply->token[0] != 0);
  const stock_event *found = event(client, "STOCK_SET");
  CHECK(strcmp(found->traceparent, TRACE) == 0 && strcmp(found->request_id, input->sku) == 0);
  CHECK(found->stock->available == 5 && found->delta == 5 && strcmp(found->stock->sku, input->sku) == 0);
  found = event(client, "HOLD_CREATED");
  check_hold(found->hold, first, STOCK_HOLD_ACTIVE, 1);
  CHECK(strcmp(found->traceparent, TRACE) == 0 && strcmp(found->hold->sku, input->sku) == 0);
  CHECK(strcmp(found->hold->user_id, input->sku) == 0 && strcmp(found->hold->key, "a") == 0);
  CHECK(strncmp(found->event_id, first, strlen(first)) == 0);
  CHECK(strcmp(found->event_id + strlen(first), "/1") == 0);
  found = event(client, "HOLD_CREATED");
  CHECK(found->traceparent[0] == 0 && strcmp(found->hold->key, "b") == 0);

  char request[64];
  snprintf(request, sizeof request, "%s-more", input->sku);
  CHECK_OK(stock_adjust(seller, input->sku, 2, request, "a delivery", "ada", 0));
  found = event(client, "STOCK_ADJUSTED");
  CHECK(found->delta == 2 && found->stock->available == 5 && !found->stock->retired);
  CHECK(strcmp(found->actor, "ada") == 0 && strcmp(found->reason, "a delivery") == 0);

  CHECK_OK(stock_confirm(seller, first, "pay-1", 0));
  found = event(client, "HOLD_CONFIRMED");
  check_hold(found->hold, first, STOCK_HOLD_CONFIRMED, 2);
  CHECK(strcmp(found->hold->payment_ref, "pay-1") == 0);
  CHECK_OK(stock_cancel(seller, second, 0));
  reply = item(client);
  check_hold(reply->event->hold, second, STOCK_HOLD_CANCELLED, 2);
  char token[128];
  snprintf(token, sizeof token, "%s", reply->token);
  stock_stream_end(client, STREAM);
  check_end(client, STOCK_CODE_CANCELLED, "STREAM_ENDED");

  /* From a token on, and of one type. */
  const char *types[] = {"HOLD_CREATED"};
  what = (stock_follow){.after = token, .event_types = types, .event_type_count = 1, .skus = skus,
                        .sku_count = 1};
  CHECK(stock_submit_follow(client, STREAM, &what) == STOCK_CODE_OK);
  CHECK(item(client)->event == NULL);
  sell(seller, input->sku, "c", first);
  CHECK_OK(stock_cancel(seller, first, 0));
  sell(seller, input->sku, "d", NULL);
  CHECK(strcmp(event(client, "HOLD_CREATED")->hold->key, "c") == 0);
  CHECK(strcmp(event(client, "HOLD_CREATED")->hold->key, "d") == 0);
  stock_client_free(seller);
  stock_client_free(client);
}

/* The next event of a hold; keys are numbers, and come in their order, again after a lost connection. */
static void take_next(const stock_reply *reply, int *next, int *again) {
  CHECK_OK(reply);
  CHECK(reply->more);
  if (reply->event == NULL) return;
  int number = atoi(reply->event->hold->key);
  if (number < *next) *again += 1;
  CHECK(number <= *next);
  *next += number == *next;
}

/* ADDRESS COUNT WINDOW [impatient or deadline-at]: sells so many there, while the stream is followed here;
 * every hold is seen.  The window is small, and the stream is not read for a while. */
void follows_all(const scenario_input *input) {
  CHECK(input->count >= 3);
  int count = atoi(input->words[1]), next = 0, again = 0;
  stock_options options;
  stock_options_init(&options, sizeof options);
  options.window_bytes = (uint32_t)atoi(input->words[2]);
  if (input->count > 3) options.keepalive_ms = 1000;
  options.send_deadline_at = input->count > 3 && strcmp(input->words[3], "deadline-at") == 0;
  stock_client *client = stock_client_new(input->address, &options, NULL);
  stock_client *seller = client_of(input->words[0]);
  CHECK(client != NULL);
  const char *skus[] = {input->sku}, *types[] = {"HOLD_CREATED"};
  stock_follow what = {.from_earliest = true, .skus = skus, .sku_count = 1, .event_types = types,
                       .event_type_count = 1};
  CHECK(stock_submit_follow(client, STREAM, &what) == STOCK_CODE_OK);
  const stock_reply *reply;
  uint32_t attempts = 0;
  for (int number = 0; number < count; number++) {
    char key[32];
    snprintf(key, sizeof key, "%d", number);
    sell(seller, input->sku, key, NULL);
    if (number < count / 4) continue;
    while ((reply = stock_poll(client, 0)) != NULL) take_next(reply, &next, &again);
  }
  while (next < count) {
    reply = stock_poll(client, 20000);
    CHECK(reply != NULL);
    take_next(reply, &next, &again);
    attempts = reply->attempts;
  }
  printf("%d events, %d again, %u attempts\n", next, again, attempts);
  CHECK(again == 0); /* the token of the last item is kept */
  stock_client_free(seller);
  stock_client_free(client);
}

/* CODE REASON ITEMS [SETTING]: after so many items the stream ends so. */
void stream_fails(const scenario_input *input) {
  CHECK(input->count >= 3);
  stock_options options;
  stock_options_init(&options, sizeof options);
  if (input->count > 3 && strcmp(input->words[3], "once") == 0) options.attempts_max = 1;
  if (input->count > 3 && strcmp(input->words[3], "no-wait") == 0) options.wait_for_server = false;
  stock_client *client = stock_client_new(input->address, &options, NULL);
  CHECK(client != NULL);
  const char *skus[] = {input->sku};
  stock_follow what = {.from_earliest = true, .skus = skus, .sku_count = 1};
  CHECK(stock_submit_follow(client, STREAM, &what) == STOCK_CODE_OK);
  const stock_reply *reply;
  int items = 0;
  while ((reply = stock_poll(client, 20000)) != NULL && reply->more) items++;
  CHECK(reply != NULL && items == atoi(input->words[2]));
  CHECK((reply->message[0] != 0) == (reply->code != STOCK_CODE_OK));
  if (strcmp(stock_code_name(reply->code), input->words[0]) != 0 ||
      strcmp(reply->reason, input->words[1]) != 0 || reply->outcome_unknown) {
    fprintf(stderr, "%s %s: %s\n", stock_code_name(reply->code), reply->reason, reply->message);
    exit(1);
  }
  CHECK(stock_outstanding(client) == 0);
  stock_client_free(client);
}

void stream_refusals(const scenario_input *input) {
  stock_client *client = client_of(input->address);
  CHECK(stock_submit_watch(client, STREAM, NULL, 0, NULL) == STOCK_CODE_OK);
  check_end(client, STOCK_CODE_INVALID_ARGUMENT, "INVALID_FIELD");
  const char *skus[] = {input->sku};
  CHECK(stock_submit_watch(client, STREAM, skus, 1, "no token") == STOCK_CODE_OK);
  check_end(client, STOCK_CODE_INVALID_ARGUMENT, "INVALID_FIELD");
  stock_follow what = {.after = "999999999999999-0.0.9"};
  CHECK(stock_submit_follow(client, STREAM, &what) == STOCK_CODE_OK);
  check_end(client, STOCK_CODE_OUT_OF_RANGE, "TOKEN_UNKNOWN");
  CHECK_OK(stock_ping(client, 0));

  for (int place = 0; place < 64; place++)
    CHECK(stock_submit_watch(client, place == 0 ? 1 : STREAM, skus, 1, NULL) == STOCK_CODE_OK);
  CHECK(stock_submit_watch(client, STREAM, skus, 1, NULL) == STOCK_CODE_RESOURCE_EXHAUSTED);
  CHECK(stock_submit_ping(client, 2, 0) == STOCK_CODE_OK);
  for (int items = 0; items < 64;) items += stock_poll(client, 20000)->more;
  stock_stream_end(client, 1);
  while (stock_poll(client, 20000)->tag != 1) continue;
  CHECK(stock_submit_watch(client, STREAM, skus, 1, NULL) == STOCK_CODE_OK);
  item(client);
  stock_client_free(client);
}

/* Ended before it was sent, while it was open, and with the client. */
void stream_teardown(const scenario_input *input) {
  const char *skus[] = {input->sku};
  stock_client *client = client_of(input->address);
  for (uint64_t tag = 0; tag < 3; tag++)
    CHECK(stock_submit_watch(client, tag == 1 ? STREAM : tag, skus, 1, NULL) == STOCK_CODE_OK);
  stock_stream_end(client, STREAM);
  stock_stream_end(client, STREAM);
  stock_stream_end(client, 99);
  int ended = 0, items = 0;
  while (items < 2 || ended == 0) {
    const stock_reply *reply = stock_poll(client, 20000);
    CHECK(reply != NULL && (reply->tag == STREAM) == !reply->more);
    *(reply->more ? &items : &ended) += 1;
  }
  CHECK(ended == 1 && stock_outstanding(client) == 2);
  stock_client_close(client);
  CHECK(stock_submit_watch(client, 9, skus, 1, NULL) == STOCK_CODE_CANCELLED);
  for (const stock_reply *reply; (reply = stock_poll(client, -1)) != NULL; ended++)
    CHECK(strcmp(reply->reason, "CLIENT_CLOSED") == 0 && !reply->more && !reply->outcome_unknown);
  CHECK(ended == 3);
  stock_client_free(client);

  client = client_of(input->address);
  CHECK(stock_submit_watch(client, STREAM, skus, 1, NULL) == STOCK_CODE_OK);
  item(client);
  stock_client_free(client);
}

void metadata(const scenario_input *input) {
  stock_client *client = client_of(input->address);
  char key[32], *value = malloc(4097);
  memset(value, 'v', 4096);
  value[4096] = 0;
  CHECK(stock_set_metadata(client, NULL, "v") == STOCK_CODE_INVALID_ARGUMENT);
  CHECK(stock_set_metadata(client, "", "v") == STOCK_CODE_INVALID_ARGUMENT);
  CHECK(stock_set_metadata(client, "k", value) == STOCK_CODE_INVALID_ARGUMENT);
  CHECK(stock_set_metadata(client, "k", value + 2) == STOCK_CODE_INVALID_ARGUMENT);
  CHECK(stock_set_metadata(client, "k", value + 3) == STOCK_CODE_OK);
  CHECK(stock_set_metadata(client, "l", "") == STOCK_CODE_INVALID_ARGUMENT);
  CHECK_OK(stock_ping(client, 0));
  CHECK(stock_set_metadata(client, "k", NULL) == STOCK_CODE_OK);
  CHECK(stock_set_metadata(client, "k", NULL) == STOCK_CODE_OK);
  for (int round = 0; round < 2; round++)
    for (int number = 0; number < 32; number++) {
      snprintf(key, sizeof key, "key-%d", number);
      CHECK(stock_set_metadata(client, key, round == 0 ? "a longer one" : "v") == STOCK_CODE_OK);
    }
  CHECK(stock_set_metadata(client, "x-request-id", "r") == STOCK_CODE_INVALID_ARGUMENT);
  CHECK_OK(stock_ping(client, 0));
  CHECK(stock_set_metadata(client, "key-7", NULL) == STOCK_CODE_OK);
  CHECK(stock_set_metadata(client, "x-request-id", "r") == STOCK_CODE_OK);
  CHECK(strcmp(stock_get_stock(client, input->sku, 0)->request_id, "r") == 0);
  CHECK(stock_set_metadata(client, "x-request-id", "") == STOCK_CODE_OK);
  CHECK(stock_get_stock(client, input->sku, 0)->request_id[0] == 0);
  free(value);
  stock_client_free(client);
}
