/* buyer ADDRESS SKU KEY: reserves twice under one key. */
#include <stdio.h>
#include <stockstream.h>

int main(int count, char **arguments) {
  if (count != 4) {
    fprintf(stderr, "usage: buyer ADDRESS SKU KEY\n");
    return 64;
  }
  const char *error = NULL;
  stock_client *client = stock_client_new(arguments[1], NULL, &error);
  if (client == NULL) {
    fprintf(stderr, "%s\n", error);
    return 64;
  }
  stock_reservation what = {.sku = arguments[2], .qty = 1, .user_id = "buyer", .key = arguments[3]};
  for (int time = 0; time < 2; time++) {
    const stock_reply *reply = stock_reserve(client, &what, 0);
    if (reply->code != STOCK_CODE_OK) {
      fprintf(stderr, "%s: %s\n", reply->reason, reply->message);
      return 1;
    }
    printf("%s%c", stock_outcome_name(reply->outcome), time == 0 ? ' ' : '\n');
  }
  stock_client_free(client);
  return 0;
}
