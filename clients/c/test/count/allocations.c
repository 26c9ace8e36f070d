/* Counts what the library takes from the system: allocations ADDRESS SKU.  malloc and send are this
 * program's own, for every library in it. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../scenario.h"

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

static const char TRACE[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
static unsigned long allocated, sent;

void *malloc(size_t size) {
  allocated++;
  return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  allocated++;
  return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
  allocated++;
  return __libc_realloc(memory, size);
}

ssize_t send(int fd, const void *bytes, size_t count, int flags) {
  sent++;
  return syscall(SYS_sendto, fd, bytes, count, flags, NULL, 0);
}

enum { TOGETHER = 64 };

static char keys[TOGETHER][32];

static void round_of_calls(stock_client *client, const char *sku, int round) {
  for (int place = 0; place < TOGETHER; place++) {
    snprintf(keys[place], sizeof keys[place], "k%d-%d", round, place);
    stock_reservation what = order(sku, keys[place]);
    CHECK(stock_submit_reserve(client, 0, &what, 20000) == STOCK_CODE_OK);
  }
  for (const stock_reply *reply; (reply = stock_poll(client, -1)) != NULL;) CHECK_OK(reply);
  stock_reservation last = order(sku, keys[0]);
  const stock_reply *reply = stock_reserve(client, &last, 20000);
  CHECK_OK(reply);
  char hold_id[64];
  snprintf(hold_id, sizeof hold_id, "%s", reply->hold_id);
  CHECK_OK(stock_confirm(client, hold_id, "pay", 20000));
  CHECK_OK(stock_get_stock(client, sku, 20000));
  CHECK_OK(stock_list(client, NULL, 0, 20000));
  CHECK_OK(stock_health(client, NULL, 20000));
}

/* A stream from the earliest event of the SKU on, and its end. */
static void round_of_items(stock_client *client, const char *sku) {
  stock_follow what = {.from_earliest = true, .skus = &sku, .sku_count = 1};
  CHECK(stock_submit_follow(client, 0, &what) == STOCK_CODE_OK);
  for (int items = 0; items < 5 * TOGETHER; items++) {
    const stock_reply *reply = stock_poll(client, 20000);
    CHECK(reply != NULL && reply->more);
  }
  stock_stream_end(client, 0);
  while (stock_poll(client, -1) != NULL) continue;
}

int main(int count, char **arguments) {
  CHECK(count == 3);
  stock_client *client = client_of(arguments[1]);
  CHECK(allocated > 0);
  CHECK_OK(stock_ping(client, 0));
  CHECK(stock_set_metadata(client, "traceparent", TRACE) == STOCK_CODE_OK);
  for (int round = 0; round < 5; round++) round_of_calls(client, arguments[2], round);
  for (int round = 0; round < 2; round++) round_of_items(client, arguments[2]);

  unsigned long before = allocated;
  for (int round = 5; round < 25; round++) round_of_calls(client, arguments[2], round);
  for (int round = 0; round < 3; round++) round_of_items(client, arguments[2]);
  if (allocated != before) fprintf(stderr, "%lu allocations after warm-up\n", allocated - before);
  CHECK(allocated == before);

  sent = 0;
  for (int place = 0; place < TOGETHER; place++)
    CHECK(stock_submit_get_stock(client, 0, arguments[2], 20000) == STOCK_CODE_OK);
  CHECK(sent == 0);
  stock_flush(client);
  CHECK(sent == 1);
  while (stock_poll(client, -1) != NULL) continue;
  CHECK(sent == 1);
  stock_client_free(client);
  return 0;
}
