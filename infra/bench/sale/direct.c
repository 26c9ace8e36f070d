// Callers that each ask Redis themselves, with one script a reserve (direct.lua), and what came back:
//
//   direct port=N sha=HEX connections=N [rate=0] [seconds=4] [seed=1] [watch=PID]
//
// rate = 0: a closed loop, one call on each connection.  rate > 0: an open loop at the times of a Poisson
// process; a call that finds its connection taken waits its turn there, and its time counts from when it
// was due.  Counted as in load.c.
#include <stdbool.h>
#include <sys/epoll.h>

#include "../rpc/measure.h"

enum { WAITING = 4096, COMMAND_MAX = 640 };

typedef struct {
  int fd;
  bool busy;
  uint64_t due[WAITING]; // of the call that is out, and of those behind it
  size_t first, count, input_count;
  char input[512];
} connection;

static struct {
  int port, connections;
  double rate, seconds;
  uint64_t seed;
  pid_t watched;
  const char *sha;
} load = {.seconds = 4, .seed = 1};
static uint64_t run, calls, began, ends, in_time, out;
static histogram times;

static double uniform(void) { // xorshift64*: in (0, 1]
  load.seed ^= load.seed >> 12, load.seed ^= load.seed << 25, load.seed ^= load.seed >> 27;
  return (double)((load.seed * 2685821657736338717ull >> 11) + 1) / 9007199254740992.0;
}

static void send_next(connection *one) {
  char command[COMMAND_MAX], user[24], key[40];
  calls++;
  snprintf(user, sizeof user, "user-%015llu", (unsigned long long)calls);
  snprintf(key, sizeof key, "%016llx-%019llu", (unsigned long long)run, (unsigned long long)calls);
  int bytes = snprintf(command, sizeof command,
                       "*12\r\n$7\r\nEVALSHA\r\n$40\r\n%s\r\n$1\r\n4\r\n"
                       "$26\r\nstock:sku-0000000000000000\r\n$62\r\nhold:%s:%s\r\n"
                       "$12\r\nholds.expiry\r\n$16\r\ninventory.events\r\n"
                       "$1\r\n1\r\n$6\r\n600000\r\n$20\r\nsku-0000000000000000\r\n$20\r\n%s\r\n$36\r\n%s\r\n",
                       load.sha, user, key, user, key);
  if (send(one->fd, command, (size_t)bytes, MSG_NOSIGNAL) != bytes) die("send");
  one->busy = true;
}

static void call(connection *one, uint64_t due) {
  if (one->count == WAITING) {
    fprintf(stderr, "more calls wait than were planned\n");
    exit(1);
  }
  one->due[(one->first + one->count++) % WAITING] = due;
  out++;
  if (!one->busy) send_next(one);
}

// The reply is `*2 $4 HELD :available`.
static void receive(connection *one) {
  ssize_t count = recv(one->fd, one->input + one->input_count, sizeof one->input - one->input_count, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) die("Redis closed a connection");
  one->input_count += (size_t)count;
  if (one->input_count < 14 || one->input[one->input_count - 1] != '\n') return;
  if (memcmp(one->input, "*2\r\n$4\r\nHELD\r\n", 14)) {
    fprintf(stderr, "not held: %.*s\n", (int)one->input_count, one->input);
    exit(1);
  }
  if (one->input_count == 14) return;
  uint64_t now = now_ns(), due = one->due[one->first];
  one->first = (one->first + 1) % WAITING, one->count--, one->input_count = 0, out--, one->busy = false;
  if (now >= began && now < ends) in_time++;
  if (due >= began && due < ends) histogram_add(&times, now - due);
  if (one->count) send_next(one);
  else if (load.rate == 0 && now < ends) call(one, now);
}

static void arguments(int count, char **texts) {
  for (int place = 1; place < count; place++) {
    char *value = strchr(texts[place], '=');
    if (!value) value = texts[place];
    *value++ = 0;
    if (!strcmp(texts[place], "port")) load.port = atoi(value);
    else if (!strcmp(texts[place], "connections")) load.connections = atoi(value);
    else if (!strcmp(texts[place], "rate")) load.rate = atof(value);
    else if (!strcmp(texts[place], "seconds")) load.seconds = atof(value);
    else if (!strcmp(texts[place], "seed")) load.seed = strtoull(value, NULL, 10) * 2654435761u + 1;
    else if (!strcmp(texts[place], "watch")) load.watched = (pid_t)atol(value);
    else if (!strcmp(texts[place], "sha")) load.sha = value;
    else {
      fprintf(stderr, "unknown: %s; see the head of direct.c\n", texts[place]);
      exit(64);
    }
  }
}

int main(int count, char **texts) {
  arguments(count, texts);
  run = now_ns();
  connection *all = calloc((size_t)load.connections, sizeof *all);
  int set = epoll_create1(0);
  for (int place = 0; place < load.connections; place++) {
    all[place].fd = connect_to(load.port);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[place]};
    if (epoll_ctl(set, EPOLL_CTL_ADD, all[place].fd, &event) != 0) die("epoll_ctl");
  }
  uint64_t start = now_ns(), before = 0, after = 0, now;
  bool watching = false;
  began = start + 1000000000, ends = began + (uint64_t)(load.seconds * 1e9);
  for (int place = 0; load.rate == 0 && place < load.connections; place++) call(&all[place], start);
  double next = (double)start;
  while ((now = now_ns()) < ends + 4000000000 && (now < ends || out)) {
    if (!watching && now >= began) watching = true, before = load.watched ? cpu_ns(load.watched) : 0;
    if (!after && now >= ends) after = load.watched ? cpu_ns(load.watched) : 1;
    for (; load.rate > 0 && now < ends && next <= (double)now; next += -log(uniform()) / load.rate * 1e9)
      call(&all[(long)(uniform() * load.connections) % load.connections], (uint64_t)next);
    struct epoll_event ready[256];
    int found = epoll_wait(set, ready, 256, 1);
    for (int place = 0; place < found; place++) receive(ready[place].data.ptr);
  }
  if (!after) after = load.watched ? cpu_ns(load.watched) : 1;
  printf("{\"calls\": {\"goodput_per_s\": %.0f, \"p50_ms\": %.3f, \"p99_ms\": %.3f},"
         " \"watched_cpu_s\": [%.4f], \"unanswered\": %llu}\n",
         (double)in_time / load.seconds, histogram_us(&times, 0.5) / 1000, histogram_us(&times, 0.99) / 1000,
         load.watched ? (double)(after - before) / 1e9 : 0, (unsigned long long)out);
  return 0;
}
