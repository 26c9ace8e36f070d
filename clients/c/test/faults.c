#define _GNU_SOURCE
/* Calls through something that goes wrong.  The SKU has been supplied, and what is expected comes in
 * words, from the test that arranges the fault. */
#include <time.h>

#include "scenario.h"

static stock_client *configured(const scenario_input *input, const char *setting) {
  stock_options options;
  stock_options_init(&options, sizeof options);
  options.name = "scenario/1";
  if (strcmp(setting, "once") == 0) options.attempts_max = 1;
  if (strcmp(setting, "no-budget") == 0) options.repeats_max = 0;
  if (strcmp(setting, "impatient") == 0) options.keepalive_ms = 100;
  if (strcmp(setting, "no-wait") == 0) options.wait_for_server = false;
  if (strcmp(setting, "short-dial") == 0) options.connect_timeout_ms = 100;
  if (strcmp(setting, "deadline-at") == 0) options.send_deadline_at = true;
  const char *error = NULL;
  stock_client *client = stock_client_new(input->address, &options, &error);
  CHECK(client != NULL);
  if (strcmp(setting, "headers") == 0)
    CHECK(stock_set_metadata(client, "traceparent", "t") == STOCK_CODE_OK &&
          stock_set_metadata(client, "x-request-id", "r") == STOCK_CODE_OK);
  return client;
}

static uint64_t now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* OUTCOME ATTEMPTS_MIN ROUNDS [SETTING]: the first of several reserves ends so, the others are held. */
void reserves(const scenario_input *input) {
  CHECK(input->count >= 3);
  stock_client *client = configured(input, input->count > 3 ? input->words[3] : "");
  for (int round = 0; round < atoi(input->words[2]); round++) {
    char key[32];
    snprintf(key, sizeof key, "round-%d", round);
    stock_reservation what = order(input->sku, key);
    const stock_reply *reply = stock_reserve(client, &what, 15000);
    CHECK_OK(reply);
    const char *outcome = stock_outcome_name(reply->outcome);
    if (strcmp(outcome, round == 0 ? input->words[0] : "HELD") != 0 ||
        (round == 0 && reply->attempts < (uint32_t)atoi(input->words[1]))) {
      fprintf(stderr, "round %d: %s after %u attempts\n", round, outcome, reply->attempts);
      exit(1);
    }
  }
  stock_client_free(client);
}

/* CODE REASON UNKNOWN TIMEOUT_MS ATTEMPTS [SETTING [TEXT]]: one reserve ends so, in its time, and its message
 * contains the text. */
void fails(const scenario_input *input) {
  CHECK(input->count >= 5);
  stock_client *client = configured(input, input->count > 5 ? input->words[5] : "");
  uint32_t timeout_ms = (uint32_t)atoi(input->words[3]);
  stock_reservation what = order(input->sku, "fails");
  uint64_t began = now_ms();
  const stock_reply *reply = stock_reserve(client, &what, timeout_ms);
  uint64_t took = now_ms() - began;
  bool as_expected = strcmp(stock_code_name(reply->code), input->words[0]) == 0 &&
                     strcmp(reply->reason, input->words[1]) == 0 &&
                     reply->outcome_unknown == (input->words[2][0] == '1') &&
                     reply->attempts == (uint32_t)atoi(input->words[4]) && reply->message[0] != 0 &&
                     (input->count < 7 || strstr(reply->message, input->words[6]) != NULL);
  /* The grace, and as much again for a slow machine under valgrind. */
  if (!as_expected || took > timeout_ms + 1500) {
    fprintf(stderr, "%s %s unknown %d, attempts %u, in %u ms: %s\n", stock_code_name(reply->code),
            reply->reason, reply->outcome_unknown, reply->attempts, (unsigned)took, reply->message);
    exit(1);
  }
  stock_client_free(client);
}

/* COUNT: so many reserves under keys of their own, whatever happens to the server in between; each is held
 * once. */
void keeps_selling(const scenario_input *input) {
  CHECK(input->count == 1);
  stock_client *client = client_of(input->address);
  for (int round = 0; round < atoi(input->words[0]); round++) {
    char key[32];
    snprintf(key, sizeof key, "round-%d", round);
    stock_reservation what = order(input->sku, key);
    const stock_reply *reply = stock_reserve(client, &what, 20000);
    CHECK_OK(reply);
    CHECK(reply->outcome == STOCK_OUTCOME_HELD ||
          (reply->outcome == STOCK_OUTCOME_REPEATED && reply->attempts > 1));
  }
  stock_client_free(client);
}

/* With busy_poll_us, also past the end of the spinning, and with the connection gone. */
void busy_polling(const scenario_input *input) {
  stock_options options;
  stock_options_init(&options, sizeof options);
  options.busy_poll_us = 300;
  stock_client *client = stock_client_new(input->address, &options, NULL);
  CHECK(client != NULL);
  for (int round = 0; round < 100; round++) {
    char key[32];
    snprintf(key, sizeof key, "busy-%d", round);
    stock_reservation what = order(input->sku, key);
    const stock_reply *reply = stock_reserve(client, &what, 15000);
    CHECK_OK(reply);
    CHECK(reply->outcome == STOCK_OUTCOME_HELD);
  }
  stock_client_free(client);
}

/* Two servers in a row say that they go, with a call in flight on each: only one of them is waited for, and
 * the other's call is made again. */
void going_twice(const scenario_input *input) {
  stock_client *client = client_of(input->address);
  stock_reservation first = order(input->sku, "first"), second = order(input->sku, "second");
  CHECK(stock_submit_reserve(client, 1, &first, 20000) == STOCK_CODE_OK);
  CHECK(stock_poll(client, 300) == NULL && stock_outstanding(client) == 1);
  CHECK(stock_submit_reserve(client, 2, &second, 20000) == STOCK_CODE_OK);
  int tags = 0;
  for (const stock_reply *reply; (reply = stock_poll(client, -1)) != NULL; tags += (int)reply->tag) {
    CHECK_OK(reply);
    CHECK(reply->outcome == (reply->tag == 1 ? STOCK_OUTCOME_REPEATED : STOCK_OUTCOME_HELD));
    CHECK(reply->attempts == (reply->tag == 1 ? 2 : 1));
  }
  CHECK(tags == 3);
  stock_client_free(client);
}

/* The server says that it goes before it answers the first call; the second call goes to another connection,
 * and the first is answered where it was made. */
void going_away(const scenario_input *input) {
  stock_client *client = client_of(input->address);
  stock_reservation first = order(input->sku, "first"), second = order(input->sku, "second");
  CHECK(stock_submit_reserve(client, 1, &first, 20000) == STOCK_CODE_OK);
  CHECK(stock_poll(client, 300) == NULL && stock_outstanding(client) == 1);
  CHECK(stock_submit_reserve(client, 2, &second, 20000) == STOCK_CODE_OK);
  int tags = 0;
  for (const stock_reply *reply; (reply = stock_poll(client, -1)) != NULL; tags += (int)reply->tag) {
    CHECK_OK(reply);
    CHECK(reply->outcome == STOCK_OUTCOME_HELD && reply->attempts == 1);
  }
  CHECK(tags == 3);
  stock_client_free(client);
}
