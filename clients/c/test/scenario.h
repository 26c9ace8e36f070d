/* What a scenario is, and how it fails. */
#ifndef SCENARIO_H
#define SCENARIO_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stockstream.h"

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) {                                                               \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);       \
      exit(1);                                                                        \
    }                                                                                 \
  } while (0)

/* Shows what came instead. */
#define CHECK_OK(reply)                                                               \
  do {                                                                                \
    const stock_reply *shown = (reply);                                               \
    if (shown->code != STOCK_CODE_OK) {                                               \
      fprintf(stderr, "%s:%d: %s %s: %s\n", __FILE__, __LINE__, stock_code_name(shown->code), \
              shown->reason, shown->message);                                         \
      exit(1);                                                                        \
    }                                                                                 \
  } while (0)

typedef struct scenario_input {
  const char *address, *sku;
  int count;        /* of the words that the test adds */
  char **words;
} scenario_input;

/* A scenario ends the program with CHECK when something is wrong. */
typedef void scenario(const scenario_input *);

scenario units, addresses, sale, acknowledged, refusals, batch, several_clients;
scenario reserves, fails, keeps_selling, busy_polling, going_away, going_twice;
scenario pipelined, own_loop, teardown, bounded, one_way_at_a_time;
scenario stubs, book_stubs, stub_failures, stub_teardown;
scenario orders, listed, changes, changes_together;
scenario watched, followed, follows_all, stream_fails, stream_refusals, stream_teardown, metadata;

static inline stock_client *client_of(const char *address) {
  const char *error = NULL;
  stock_client *client = stock_client_new(address, NULL, &error);
  if (client == NULL) fprintf(stderr, "%s: %s\n", address, error);
  CHECK(client != NULL);
  return client;
}

/* By a user of its own for each run of a scenario, as the SKU is. */
static inline stock_reservation order(const char *sku, const char *key) {
  return (stock_reservation){.sku = sku, .qty = 1, .user_id = sku, .key = key};
}

/* A request id of its own for each SKU, good until the next one. */
static inline const char *request_id(const char *sku, const char *change) {
  static char id[128];
  snprintf(id, sizeof id, "%s-%s", sku, change);
  return id;
}

#endif
