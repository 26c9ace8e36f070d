/* Reserves units of one SKU.
 *
 *   build/reserve 127.0.0.1:7420 iphone_15_pro_256 1 ada order-1 [TIMEOUT_MS]
 *
 * Exit codes: 0 held, 1 not held, 64 wrong usage, 69 no answer.  After 69 the outcome may be unknown:
 * run it again with the same key, which can never take units twice. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "stockstream.h"

enum { EXIT_HELD = 0, EXIT_NOT_HELD = 1, EXIT_USAGE = 64, EXIT_NO_ANSWER = 69 };

static int show(const stock_reply *reply) {
  if (reply->code != STOCK_CODE_OK) {
    fprintf(stderr, "%s %s: %s\n", stock_code_name(reply->code), reply->reason, reply->message);
    return reply->retryable || reply->outcome_unknown ? EXIT_NO_ANSWER : EXIT_NOT_HELD;
  }
  printf("%s hold %s, %" PRIu64 " available\n", stock_outcome_name(reply->outcome), reply->hold_id,
         reply->available);
  bool held = reply->outcome == STOCK_OUTCOME_HELD || reply->outcome == STOCK_OUTCOME_REPEATED;
  return held ? EXIT_HELD : EXIT_NOT_HELD;
}

int main(int count, char **arguments) {
  if (count != 6 && count != 7) {
    fprintf(stderr, "usage: reserve ADDRESS SKU QTY USER KEY [TIMEOUT_MS]\n");
    return EXIT_USAGE;
  }
  const char *error;
  stock_client *client = stock_client_new(arguments[1], NULL, &error);
  if (client == NULL) {
    fprintf(stderr, "%s: %s\n", arguments[1], error);
    return EXIT_USAGE;
  }
  stock_reservation what = {.sku = arguments[2],
                            .qty = strtoull(arguments[3], NULL, 10),
                            .user_id = arguments[4],
                            .key = arguments[5]};
  uint32_t timeout_ms = count == 7 ? (uint32_t)strtoul(arguments[6], NULL, 10) : 0;
  int code = show(stock_reserve(client, &what, timeout_ms));
  stock_client_free(client);
  return code;
}
