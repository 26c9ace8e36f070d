// One blocking reserve after another through libstockstream: client ADDRESS SKU USER CALLS BUSY_POLL_US
#include "../rpc/measure.h"
#include "stockstream.h"

static histogram times;

int main(int count, char **arguments) {
  if (count != 6) {
    fprintf(stderr, "usage: client ADDRESS SKU USER CALLS BUSY_POLL_US\n");
    return 64;
  }
  int calls = atoi(arguments[4]), warm_up = calls / 10;
  stock_options options;
  stock_options_init(&options, sizeof options);
  options.busy_poll_us = (uint32_t)atoi(arguments[5]);
  const char *error = "";
  stock_client *client = stock_client_new(arguments[1], &options, &error);
  if (client == NULL) {
    fprintf(stderr, "%s\n", error);
    return 1;
  }
  for (int call = -warm_up; call < calls; call++) {
    char key[16];
    snprintf(key, sizeof key, "k%07d", call + warm_up);
    stock_reservation what = {.sku = arguments[2], .qty = 1, .user_id = arguments[3], .key = key};
    uint64_t began = now_ns();
    const stock_reply *reply = stock_reserve(client, &what, 0);
    uint64_t took = now_ns() - began;
    if (reply->code != STOCK_CODE_OK || reply->outcome != STOCK_OUTCOME_HELD || reply->attempts != 1) {
      fprintf(stderr, "%s %s: %s\n", stock_outcome_name(reply->outcome), reply->reason, reply->message);
      return 1;
    }
    if (call >= 0) histogram_add(&times, took);
  }
  stock_client_free(client);
  printf("{\"p50_us\": %.2f, \"p99_us\": %.2f, \"calls\": %d}\n", histogram_us(&times, 0.5),
         histogram_us(&times, 0.99), calls);
  return 0;
}
