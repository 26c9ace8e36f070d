// One blocking reserve after another through libstockstream:
//
//   client ADDRESS SKU USER CALLS BUSY_POLL_US [LEVEL]
//
// LEVEL is a number of stock_acknowledge, and every answer must have reached it.
#include "../rpc/measure.h"
#include "stockstream.h"

static histogram times;

int main(int count, char **arguments) {
  if (count != 6 && count != 7) {
    fprintf(stderr, "usage: client ADDRESS SKU USER CALLS BUSY_POLL_US [LEVEL]\n");
    return 64;
  }
  int calls = atoi(arguments[4]), warm_up = calls / 10;
  stock_acknowledge level = count == 7 ? atoi(arguments[6]) : STOCK_ACKNOWLEDGE_DEFAULT;
  stock_options options;
  stock_options_init(&options, sizeof options);
  options.busy_poll_us = (uint32_t)atoi(arguments[5]);
  const char *error = "";
  stock_client *client = stock_client_new(arguments[1], &options, &error);
  if (client == NULL) {
    fprintf(stderr, "%s\n", error);
    return 1;
  }
  stock_set_acknowledge(client, level);
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
    if (level != STOCK_ACKNOWLEDGE_DEFAULT && reply->acknowledged < level) {
      fprintf(stderr, "call %d reached level %d, not %d\n", call, reply->acknowledged, level);
      return 1;
    }
    if (call >= 0) histogram_add(&times, took);
  }
  stock_client_free(client);
  printf("{\"p50_us\": %.2f, \"p99_us\": %.2f, \"calls\": %d}\n", histogram_us(&times, 0.5),
         histogram_us(&times, 0.99), calls);
  return 0;
}
