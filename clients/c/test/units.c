/* The parts that need no server. */
#include "address.h"
#include "arena.h"
#include "frame.h"
#include "retry.h"
#include "scenario.h"

static void pauses(void) {
  retry_policy policy = {.attempts_max = 3, .pause_ms_first = 20, .pause_ms_max = 50};
  retry_case what = {.attempts = 1, .curable = true, .left_ms = 1000};
  for (uint64_t chance = 0; chance < 100; chance++) CHECK(retry_pause_ms(&policy, &what, chance) < 20);
  CHECK(retry_pause_ms(&policy, &what, 19) == 19);
  what.attempts = 2;
  CHECK(retry_pause_ms(&policy, &what, 39) == 39);
  what.retry_after_ms = 100;
  CHECK(retry_pause_ms(&policy, &what, 39) == 139);
  what.left_ms = 139;
  CHECK(retry_pause_ms(&policy, &what, 39) == -1);
  what.left_ms = 1000;
  what.attempts = 3;
  CHECK(retry_pause_ms(&policy, &what, 0) == -1);
  policy.attempts_max = 100;
  what.attempts = 99;
  CHECK(retry_pause_ms(&policy, &what, 49) == 149);
  what.curable = false;
  CHECK(retry_pause_ms(&policy, &what, 0) == -1);
  CHECK(dial_pause_ms(1, 0) == 10 && dial_pause_ms(1, 10) == 20);
  CHECK(dial_pause_ms(60, 500) == 1000);
}

static void budget(void) {
  retry_budget one = {.tenths = 10, .tenths_max = 20};
  CHECK(budget_spend(&one) && !budget_spend(&one));
  for (int success = 0; success < 9; success++) budget_earn(&one);
  CHECK(!budget_spend(&one));
  for (int success = 0; success < 100; success++) budget_earn(&one);
  CHECK(budget_spend(&one) && budget_spend(&one) && !budget_spend(&one));
}

static void buffers(void) {
  buffer b = {0};
  for (int round = 0; round < 1000; round++) {
    CHECK(buffer_reserve(&b, 300));
    memset(b.bytes + b.end, round & 0xff, 300);
    b.end += 300;
    CHECK(*buffer_front(&b) == (round & 0xff));
    buffer_consume(&b, 300);
  }
  CHECK(b.capacity <= 512);
  buffer_free(&b);
}

static void arenas(void) {
  arena a;
  arena_init(&a);
  for (int round = 0; round < 3; round++) {
    for (int piece = 0; piece < 1000; piece++) {
      uint64_t *taken = arena_take(&a, 40);
      CHECK(taken != NULL && (uintptr_t)taken % 16 == 0 && *taken == 0);
      memset(taken, 0xff, 40);
    }
    arena_reset(&a);
  }
  CHECK(arena_take(&a, ARENA_BYTES_MAX + 1) == NULL);
  CHECK(strcmp(arena_text(&a, (ProtobufCBinaryData){3, (uint8_t *)"abcd"}), "abc") == 0);
  size_t whole = 0;
  while (arena_take(&a, 1 << 20) != NULL) whole++;
  CHECK(whole >= 16 && whole <= ARENA_BYTES_MAX >> 20);
  arena_free(&a);
}

static void frames(void) {
  buffer wire = {0};
  ProtobufCBinaryData message = {4, (uint8_t *)"\x08\x01\x10\x02"}, payload;
  size_t missing;
  outgoing call = {.call_id = 1, .method = "stock.v1.Reservations/Reserve", .timeout_ms = 250,
                   .message = message};
  CHECK(frame_append(&wire, &call));
  /* WIRE.md: call 1, the method, 250 ms, the message. */
  CHECK(memcmp(wire.bytes,
               "\0\0\0\x2a\x08\x01\x12\x1dstock.v1.Reservations/Reserve\x18\xfa\x01\x2a\x04", 42) == 0);
  size_t end = wire.end;
  for (wire.end = 0; wire.end < end; wire.end++) {
    CHECK(frame_next(&wire, &payload, &missing) == FRAME_INCOMPLETE);
    CHECK(missing > 0 && missing <= end - wire.end);
  }
  CHECK(frame_next(&wire, &payload, &missing) == FRAME_WHOLE && payload.len == end - 4);
  buffer_clear(&wire);
  call.deadline_at = 1795521422120;
  CHECK(frame_append(&wire, &call) && wire.end == end + 7);
  CHECK(memcmp(wire.bytes + end, "\x38\xa8\xc6\xaa\xeb\xa0\x34", 7) == 0);
  memcpy(wire.bytes, "\x00\x20\x00\x01", 4);
  CHECK(frame_next(&wire, &payload, &missing) == FRAME_TOO_LONG);
  buffer_free(&wire);
}

void units(const scenario_input *input) {
  (void)input;
  pauses();
  budget();
  buffers();
  arenas();
  frames();
}

void addresses(const scenario_input *input) {
  (void)input;
  static const char *wrong[] = {"", "host", ":80", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
                                "127.0.0.1:x", "::1:80", "unix:", "127.0.0.1:1,", "a:1,b",
                                "no-such-host.invalid:80",
                                "1.1.1.1:1,1.1.1.1:1,1.1.1.1:1,1.1.1.1:1,1.1.1.1:1,1.1.1.1:1,1.1.1.1:1,"
                                "1.1.1.1:1,1.1.1.1:1"};
  for (size_t place = 0; place < sizeof wrong / sizeof wrong[0]; place++) {
    const char *error = NULL;
    CHECK(stock_client_new(wrong[place], NULL, &error) == NULL && error != NULL);
  }
  char path[300];
  memset(path, 'x', sizeof path);
  memcpy(path, "unix:/", 6);
  path[sizeof path - 1] = 0;
  CHECK(stock_client_new(path, NULL, NULL) == NULL);
  path[6 + 100] = 0;
  stock_client_free(client_of(path));
  stock_client_free(client_of("[::1]:80"));
  stock_client_free(client_of("127.0.0.1:80,unix:/x,localhost:80"));
  stock_client_free(NULL);

  stock_options options;
  const char *error = NULL;
  stock_options_init(&options, sizeof options);
  options.calls_max = 16001;
  CHECK(stock_client_new("unix:/x", &options, &error) == NULL && strstr(error, "calls_max") != NULL);
  memset(&options, 0, sizeof options);
  CHECK(stock_client_new("unix:/x", &options, &error) == NULL && strstr(error, "init") != NULL);
  /* A program of an older version knows fewer options. */
  stock_options_init(&options, offsetof(stock_options, busy_poll_us));
  stock_client *old = stock_client_new("unix:/x", &options, &error);
  CHECK(old != NULL);
  stock_client_free(old);
  CHECK(strcmp(stock_outcome_name(STOCK_OUTCOME_SOLD_OUT), "SOLD_OUT") == 0);
  CHECK(strcmp(stock_outcome_name(99), "?") == 0 && strcmp(stock_code_name(99), "?") == 0);
  CHECK(strcmp(stock_code_name(STOCK_CODE_UNAVAILABLE), "UNAVAILABLE") == 0);
}
