/* What protoc-c generates for a service, over a client. */
#include <poll.h>

#include "scenario.h"
#include "stock/v1/records.pb-c.h"
#include "stock/v1/reservations.pb-c.h"
#include "stock/v1/stock.pb-c.h"

typedef struct waiting {
  ProtobufCService *service;
  int answered, failed, more;
  char reason[32];
  uint64_t available;
} waiting;

static ProtobufCBinaryData text(const char *string) {
  return (ProtobufCBinaryData){strlen(string), (uint8_t *)string};
}

static void failed(waiting *state) {
  state->failed++;
  const stock_reply *reply = stock_service_reply(state->service);
  CHECK(reply != NULL && reply->code != STOCK_CODE_OK && reply->message[0] != 0);
  snprintf(state->reason, sizeof state->reason, "%s", reply->reason);
}

static void on_stock(const Stock__V1__GetStockReply *reply, void *data) {
  waiting *state = data;
  state->answered++;
  if (reply == NULL) {
    failed(state);
    return;
  }
  CHECK(stock_service_reply(state->service)->code == STOCK_CODE_OK);
  if (reply->stock != NULL) state->available = reply->stock->available;
  if (state->more == 0) return;
  state->more--;
  Stock__V1__GetStockRequest request = STOCK__V1__GET_STOCK_REQUEST__INIT;
  request.sku = reply->stock->sku;
  stock__v1__stock__get(state->service, &request, on_stock, state);
}

static void on_update(const Stock__V1__StockUpdate *update, void *data) {
  CHECK(update == NULL);
  ((waiting *)data)->answered++;
  failed(data);
}

static void get(waiting *state, const char *sku) {
  Stock__V1__GetStockRequest request = STOCK__V1__GET_STOCK_REQUEST__INIT;
  request.sku = text(sku);
  stock__v1__stock__get(state->service, &request, on_stock, state);
}

static waiting begin(stock_client *client) {
  waiting state = {.service = stock_service_new(client, &stock__v1__stock__descriptor, 10000)};
  CHECK(state.service != NULL);
  return state;
}

static void run(stock_client *client) {
  while (stock_outstanding(client) > 0) CHECK(stock_poll(client, -1) == NULL);
}

/* Also a closure that calls again. */
void stubs(const scenario_input *input) {
  stock_client *client = client_of(input->address);
  CHECK_OK(stock_set_stock(client, input->sku, 7, input->sku, 0));
  waiting state = begin(client);
  state.more = 50;
  for (int call = 0; call < 50; call++) get(&state, input->sku);
  CHECK(state.answered == 0);
  run(client);
  CHECK(state.answered == 100 && state.failed == 0 && state.available == 7);
  CHECK(stock_service_reply(state.service) == NULL);
  protobuf_c_service_destroy(state.service);
  CHECK_OK(stock_ping(client, 0));
  stock_client_free(client);
}

static void on_holds(const Stock__V1__ListHoldsReply *reply, void *data) {
  CHECK(reply != NULL && reply->n_holds <= 1);
  *(int *)data += (int)reply->n_holds;
}

/* The books' calls, at a worker's address: it has them, sooner or later. */
void book_stubs(const scenario_input *input) {
  stock_client *client = client_of(input->address);
  struct ProtobufCService *books = stock_service_new(client, &stock__v1__records__descriptor, 10000);
  CHECK(books != NULL);
  Stock__V1__ListHoldsRequest request = STOCK__V1__LIST_HOLDS_REQUEST__INIT;
  request.sku = text(input->sku);
  int holds = 0;
  for (int turn = 0; turn < 1000 && holds == 0; turn++) {
    stock__v1__records__list_holds(books, &request, on_holds, &holds);
    run(client);
    if (holds == 0) poll(NULL, 0, 10);
  }
  CHECK(holds == 1);
  protobuf_c_service_destroy(books);
  CHECK(stock_health(client, NULL, 0)->serving == STOCK_SERVING_YES);
  stock_client_free(client);
}

void stub_failures(const scenario_input *input) {
  stock_client *client = client_of(input->address);
  waiting state = begin(client);
  get(&state, "not a sku");
  run(client);
  CHECK(state.answered == 1 && state.failed == 1 && strcmp(state.reason, "INVALID_FIELD") == 0);

  ProtobufCBinaryData sku = text(input->sku);
  Stock__V1__WatchStockRequest watch = STOCK__V1__WATCH_STOCK_REQUEST__INIT;
  watch.n_skus = 1;
  watch.skus = &sku;
  stock__v1__stock__watch(state.service, &watch, on_update, &state);
  run(client);
  CHECK(state.answered == 2 && strcmp(state.reason, "STREAM") == 0);
  get(&state, input->sku);
  run(client);
  CHECK(state.answered == 3 && state.failed == 2);

  stock_client_close(client);
  get(&state, input->sku);
  CHECK(state.answered == 4 && strcmp(state.reason, "CLIENT_CLOSED") == 0);
  stock_client_free(client);
}

/* Every closure runs once, with NULL, although the service and the client go. */
void stub_teardown(const scenario_input *input) {
  stock_client *client = client_of(input->address);
  waiting state = begin(client);
  for (int call = 0; call < 30; call++) get(&state, input->sku);
  stock_flush(client);
  protobuf_c_service_destroy(state.service);
  stock_client_free(client);
  CHECK(state.answered == 30 && state.failed == 30 && strcmp(state.reason, "CLIENT_CLOSED") == 0);
}
