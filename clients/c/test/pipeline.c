/* Submit and poll: each completion exactly once. */
#include <poll.h>

#include "scenario.h"

enum { CALLS = 500 };

static int seen[CALLS];

static void submit_all(stock_client *client, const scenario_input *input, int count) {
  memset(seen, 0, sizeof seen);
  for (int place = 0; place < count; place++) {
    char key[32];
    snprintf(key, sizeof key, "p%d", place);
    stock_reservation what = order(input->sku, key);
    CHECK(stock_submit_reserve(client, (uint64_t)place, &what, 20000) == STOCK_CODE_OK);
  }
  CHECK(stock_outstanding(client) == (size_t)count);
}

static void check_each_once(int count) {
  for (int place = 0; place < count; place++) CHECK(seen[place] == 1);
}

/* [COUNT]: what comes back may come in any order, and after any number of attempts. */
void pipelined(const scenario_input *input) {
  int count = input->count > 0 ? atoi(input->words[0]) : CALLS;
  stock_client *client = client_of(input->address);
  submit_all(client, input, count);
  const stock_reply *reply;
  while ((reply = stock_poll(client, -1)) != NULL) {
    CHECK_OK(reply);
    CHECK(reply->outcome == STOCK_OUTCOME_HELD ||
          (reply->outcome == STOCK_OUTCOME_REPEATED && reply->attempts > 1));
    CHECK(reply->tag < (uint64_t)count && reply->hold_id[0] == 'H');
    seen[reply->tag]++;
  }
  check_each_once(count);
  CHECK(stock_outstanding(client) == 0 && stock_poll(client, -1) == NULL);
  stock_client_free(client);
}

/* The client's descriptor in a loop of our own; it stays the same, and the hint is obeyed. */
void own_loop(const scenario_input *input) {
  stock_client *client = client_of(input->address);
  struct pollfd watched = {.fd = stock_fd(client), .events = POLLIN};
  CHECK(stock_timeout_ms(client) == -1);
  for (int round = 0; round < 3; round++) {
    int answered = 0, turns = 0;
    submit_all(client, input, 100);
    CHECK(stock_timeout_ms(client) == 0);
    while (answered < 100) {
      CHECK(++turns < 100000 && watched.fd == stock_fd(client));
      poll(&watched, 1, stock_timeout_ms(client));
      for (const stock_reply *reply; (reply = stock_poll(client, 0)) != NULL; answered++) {
        CHECK_OK(reply);
        seen[reply->tag]++;
      }
    }
    check_each_once(100);
    CHECK(stock_timeout_ms(client) == -1);
  }
  stock_client_free(client);
}

/* Closed with everything in flight. */
void teardown(const scenario_input *input) {
  stock_client *client = client_of(input->address);
  CHECK_OK(stock_ping(client, 0));
  submit_all(client, input, 100);
  stock_flush(client);
  CHECK(stock_submit_ping(client, 100, 0) == STOCK_CODE_OK);
  stock_client_close(client);
  CHECK(stock_submit_ping(client, 101, 0) == STOCK_CODE_CANCELLED);
  const stock_reply *reply;
  while ((reply = stock_poll(client, -1)) != NULL) {
    CHECK(reply->code == STOCK_CODE_CANCELLED && strcmp(reply->reason, "CLIENT_CLOSED") == 0);
    CHECK(reply->outcome_unknown == (reply->tag < 100));
    seen[reply->tag]++;
  }
  check_each_once(101);
  stock_client_free(client);

  client = client_of(input->address);
  submit_all(client, input, 100);
  stock_flush(client);
  stock_client_free(client);
}

void bounded(const scenario_input *input) {
  stock_options options;
  stock_options_init(&options, sizeof options);
  options.calls_max = 20;
  stock_client *client = stock_client_new(input->address, &options, NULL);
  CHECK(client != NULL);
  for (int round = 0; round < 3; round++) {
    submit_all(client, input, 20);
    CHECK(stock_submit_ping(client, 20, 0) == STOCK_CODE_RESOURCE_EXHAUSTED);
    while (stock_poll(client, -1) != NULL) continue;
  }
  stock_client_free(client);
}

void one_way_at_a_time(const scenario_input *input) {
  stock_client *client = client_of(input->address);
  CHECK(stock_submit_ping(client, 1, 0) == STOCK_CODE_OK);
  const stock_reply *reply = stock_ping(client, 0);
  CHECK(reply->code == STOCK_CODE_FAILED_PRECONDITION && strcmp(reply->reason, "CLIENT_BUSY") == 0);
  reply = stock_poll(client, -1);
  CHECK_OK(reply);
  CHECK(reply->tag == 1);
  CHECK_OK(stock_ping(client, 0));
  stock_client_free(client);
}
