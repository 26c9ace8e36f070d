/* The beginning and the end of a client. */
#define _GNU_SOURCE
#include "client.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

static const stock_options defaults = {
    .size = sizeof(stock_options),
    .name = "libstockstream/" STOCK_VERSION,
    .connect_timeout_ms = 2000,
    .keepalive_ms = 10000,
    .calls_max = 1024,
    .attempts_max = 8,
    .pause_ms_first = 20,
    .pause_ms_max = 2000,
    .repeats_max = 1000,
    .wait_for_server = true,
    .window_bytes = 64 * 1024,
};

const char *stock_library_version(void) { return STOCK_VERSION; }

void stock_options_init(stock_options *options, size_t size) {
  memset(options, 0, size);
  memcpy(options, &defaults, size < sizeof defaults ? size : sizeof defaults);
  options->size = size;
}

/* xorshift64*: spreads pauses; nothing secret depends on it. */
uint64_t next_chance(stock_client *c) {
  c->chance ^= c->chance >> 12;
  c->chance ^= c->chance << 25;
  c->chance ^= c->chance >> 27;
  return c->chance * 2685821657736338717ull >> 11;
}

static const char *check(const stock_options *options) {
  if (options->calls_max < 1 || options->calls_max > CALLS_MAX) return "calls_max is not in 1 to 16,000";
  if (options->attempts_max < 1) return "attempts_max is 0";
  if (options->connect_timeout_ms < 1) return "connect_timeout_ms is 0";
  if (options->name == NULL) return "the client's name is NULL";
  if (options->window_bytes < 1 || options->window_bytes > WINDOW_BYTES_MAX)
    return "window_bytes is not in 1 to 1,048,576";
  return NULL;
}

static void prepare(stock_client *c) {
  const stock_options *options = &c->options;
  strncpy(c->name, options->name, sizeof c->name - 1);
  c->options.name = c->name;
  c->policy = (retry_policy){options->attempts_max, options->pause_ms_first, options->pause_ms_max};
  c->budget.tenths = c->budget.tenths_max = options->repeats_max * 10ull;
  c->free = c->queue = c->done = (call_list){NOWHERE, NOWHERE};
  c->timer_ns = NEVER;
  if (getrandom(&c->chance, sizeof c->chance, GRND_NONBLOCK) != sizeof c->chance) c->chance = now_ns();
  c->chance |= 1;
  strcpy(c->why, "no connection has been made in time");
  arena_init(&c->memory);
  arena_init(&c->scratch);
  for (uint32_t number = 0; number < 2; number++) channel_init(&c->channels[number], c->set, number);
}

stock_client *stock_client_new(const char *list, const stock_options *options, const char **error) {
  const char *ignored;
  if (error == NULL) error = &ignored;
  stock_client *c = calloc(1, sizeof *c);
  if (c == NULL) {
    *error = "memory is short";
    return NULL;
  }
  c->options = defaults;
  bool is_filled = options == NULL || options->size > sizeof options->size;
  if (options != NULL && is_filled)
    memcpy(&c->options, options, options->size < sizeof defaults ? options->size : sizeof defaults);
  *error = is_filled ? check(&c->options) : "options were not filled in by stock_options_init";
  if (*error == NULL) c->address_count = addresses_parse(list, c->addresses, error);
  if (*error == NULL) {
    c->set = epoll_create1(EPOLL_CLOEXEC);
    if (c->set < 0) *error = "no descriptor is left";
  }
  if (*error != NULL) {
    free(c);
    return NULL;
  }
  prepare(c);
  return c;
}

stock_code stock_set_metadata(stock_client *c, const char *key, const char *value) {
  if (key == NULL || key[0] == 0) return STOCK_CODE_INVALID_ARGUMENT;
  switch (headers_set(&c->headers, key, value)) {
    case HEADERS_SET: return STOCK_CODE_OK;
    case HEADERS_MEMORY: return STOCK_CODE_RESOURCE_EXHAUSTED;
    default: return STOCK_CODE_INVALID_ARGUMENT;
  }
}

size_t stock_outstanding(const stock_client *c) { return c->outstanding; }

void stock_client_close(stock_client *c) {
  c->is_closed = true;
  end_all(c, &FAULT_CLOSED, &FAULT_CLOSED_SENT, NULL);
}

void stock_client_free(stock_client *c) {
  if (c == NULL) return;
  stock_client_close(c);
  for (uint32_t place; (place = list_pop(c, &c->done)) != NOWHERE;) hand_out_failed(c, place);
  for (int number = 0; number < 2; number++) channel_free(&c->channels[number]);
  for (uint32_t place = 0; place < c->call_capacity; place++) buffer_free(&c->calls[place].message);
  services_free(c);
  headers_free(&c->headers);
  free(c->calls);
  arena_free(&c->memory);
  arena_free(&c->scratch);
  close(c->set);
  free(c);
}
