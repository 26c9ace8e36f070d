// A crowd of bad peers beside good callers: crowd PORT PEERS SECONDS SERVER_PID SEED
//
// How it works.  CALLERS connections make a call each PACE_NS, Health.Check and Reserve in turn, from the
// first to the last second.  Three phases: the callers alone for a third of SECONDS (two seconds at least),
// then beside PEERS bad peers for SECONDS, then alone again.  A peer that the server has closed comes again,
// so that the crowd keeps its size.  The crowd is a process of its own, whose work does not delay the
// callers' clocks.
#include <sys/wait.h>

#include "peers.h"

enum { CALLERS = 16, PACE_NS = 20000000, CALL_TIMEOUT_MS = 20000, ROOM = 1024 };

typedef struct {
  int fd;
  bool waits, reserves;
  uint64_t due_at, sent_at, calls;
  size_t count;
  uint8_t input[ROOM];
} caller;

typedef struct {
  histogram health, reserve;
  long rss_kib; // the most that the server had
  double cpu;   // cores that it used
} phase;

static caller callers[CALLERS];
static phase *measured;
static uint64_t held, failed, run;
static bool calling = true;
static char first_failure[200];

static void fail_call(const char *what, uint64_t number) {
  if (!failed++) snprintf(first_failure, sizeof first_failure, "%s %llu", what, (unsigned long long)number);
}

static void call(caller *one) {
  uint8_t frame[256], message[128], *at = message, *end;
  one->calls++;
  one->reserves = one->calls % 2;
  one->waits = true;
  one->sent_at = now_ns();
  if (one->reserves) {
    char key[48];
    int bytes = snprintf(key, sizeof key, "%llx-%td-%llx", (unsigned long long)run, one - callers,
                         (unsigned long long)one->calls);
    at = put_bytes(at, 1, "attack", 6);
    *at++ = 2 << 3, *at++ = 1;
    at = put_bytes(at, 3, "good", 4);
    at = put_bytes(at, 4, key, (size_t)bytes);
  }
  end = put_request(frame, one->calls, one->reserves ? "stock.v1.Reservations/Reserve"
                                                     : "stock.v1.Health/Check",
                    CALL_TIMEOUT_MS, message, (size_t)(at - message));
  if (send(one->fd, frame, (size_t)(end - frame), MSG_NOSIGNAL) != end - frame) fail_call("send: errno",
                                                                                           (uint64_t)errno);
}

static void receive(caller *one) {
  ssize_t count = recv(one->fd, one->input + one->count, ROOM - one->count, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) {
    fail_call("the connection of a caller was closed, after calls:", one->calls);
    close(one->fd);
    one->fd = -1;
    return;
  }
  one->count += (size_t)count;
  if (one->count < FRAME_HEADER || one->count - FRAME_HEADER < frame_length(one->input)) return;
  answer read = get_answer(one->input + FRAME_HEADER, one->input + one->count, false);
  one->count = 0;
  one->waits = false;
  if (read.call_id != one->calls) fail_call("an answer to another call, number", read.call_id);
  if (read.status) fail_call("a call failed with status", read.status);
  if (one->reserves && read.outcome != OUTCOME_HELD) fail_call("a reserve came to outcome", read.outcome);
  held += one->reserves && read.outcome == OUTCOME_HELD;
  histogram_add(one->reserves ? &measured->reserve : &measured->health, now_ns() - one->sent_at);
  one->due_at += PACE_NS;
  if (one->due_at < one->sent_at) one->due_at = one->sent_at; // what was missed is not made up for
}

static void pass(int set) {
  struct epoll_event ready[512];
  int count = epoll_wait(set, ready, 512, 1);
  for (int place = 0; place < count; place++) receive(ready[place].data.ptr);
  uint64_t now = now_ns();
  for (int place = 0; place < CALLERS; place++) {
    caller *one = &callers[place];
    if (calling && one->fd >= 0 && !one->waits && one->due_at <= now) call(one);
  }
}

static long resident_kib(pid_t process) {
  char path[64];
  long pages = 0;
  snprintf(path, sizeof path, "/proc/%d/statm", (int)process);
  FILE *file = fopen(path, "r");
  if (!file) return -1;
  if (fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
  fclose(file);
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void run_for(int set, double seconds, phase *into, pid_t server) {
  uint64_t now, began = now_ns(), end = began + (uint64_t)(seconds * 1e9), looked_at = 0;
  uint64_t cpu = cpu_ns(server);
  measured = into;
  while ((now = now_ns()) < end) {
    pass(set);
    if (now - looked_at < 100000000) continue;
    looked_at = now;
    long found = resident_kib(server);
    if (found > into->rss_kib) into->rss_kib = found;
  }
  into->cpu = (double)(cpu_ns(server) - cpu) / (double)(now - began);
}

// No call more; the last ones are waited for, a second longer than their timeout.
static void answer_all(int set) {
  uint64_t limit = now_ns() + (CALL_TIMEOUT_MS + 1000) * 1000000ull;
  calling = false;
  for (int place = 0; place < CALLERS; place++) {
    while (callers[place].fd >= 0 && callers[place].waits && now_ns() < limit) pass(set);
    if (callers[place].waits) fail_call("a call had no answer, number", callers[place].calls);
  }
}

static void say(const char *name, const phase *found) {
  const histogram *both[] = {&found->health, &found->reserve};
  const char *names[] = {"health", "reserve"};
  printf("\"%s\": {\"rss_kib\": %ld, \"cpu\": %.2f", name, found->rss_kib, found->cpu);
  for (int place = 0; place < 2; place++)
    printf(", \"%s\": {\"calls\": %llu, \"p50_us\": %.0f, \"p99_us\": %.0f, \"max_us\": %.0f}",
           names[place], (unsigned long long)both[place]->count, histogram_us(both[place], 0.5),
           histogram_us(both[place], 0.99), histogram_us(both[place], 1));
  printf("}, ");
}

// The crowd, in a process that prints what became of it and ends.
static pid_t crowd_begins(int port, int count, double seconds, uint64_t seed) {
  fflush(stdout);
  pid_t process = fork();
  if (process != 0) return process;
  for (int place = 0; place < CALLERS; place++) close(callers[place].fd);
  crowd(port, count, seconds, seed);
  fflush(stdout);
  _exit(0);
}

int main(int count, char **arguments) {
  if (count != 6) {
    fprintf(stderr, "usage: crowd PORT PEERS SECONDS SERVER_PID SEED\n");
    return 64;
  }
  int port = atoi(arguments[1]), set = epoll_create1(0), ended = -1;
  double seconds = atof(arguments[3]), alone = seconds / 3 > 2 ? seconds / 3 : 2;
  pid_t server = atoi(arguments[4]);
  static phase before, during, after, ignored;
  run = now_ns();
  measured = &ignored;
  for (int place = 0; place < CALLERS; place++) {
    callers[place] = (caller){.fd = connect_to(port)};
    callers[place].due_at = now_ns() + PACE_NS * (unsigned)place / CALLERS;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &callers[place]};
    if (epoll_ctl(set, EPOLL_CTL_ADD, callers[place].fd, &event) != 0) die("epoll_ctl");
  }
  printf("{");
  run_for(set, 1, &ignored, server);
  run_for(set, alone, &before, server);
  pid_t bad = crowd_begins(port, atoi(arguments[2]), seconds, strtoull(arguments[5], NULL, 10));
  run_for(set, seconds, &during, server);
  while (waitpid(bad, &ended, WNOHANG) == 0) run_for(set, 0.1, &ignored, server);
  if (ended != 0) fail_call("the crowd ended with", (uint64_t)ended);
  run_for(set, 2, &ignored, server);
  run_for(set, alone, &after, server);
  answer_all(set);
  say("before", &before);
  say("during", &during);
  say("after", &after);
  printf("\"held\": %llu, \"failed\": %llu, \"first_failure\": \"%s\"}\n", (unsigned long long)held,
         (unsigned long long)failed, first_failure);
  return 0;
}
