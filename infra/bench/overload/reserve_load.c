// Reserves one hot SKU, in an open or a closed loop, and says what came back:
//
//   reserve_load PORT CONNECTIONS SECONDS TIMEOUT_MS SEED RATE OUTSTANDING FLOOD
//
// RATE > 0: an open loop.  Calls are due at the times of a Poisson process, whether or not earlier ones
// have been answered, on a connection taken by lot; a call's time counts from when it was due.  RATE = 0:
// a closed loop of OUTSTANDING calls on each connection.  FLOOD > 0: one connection more, in a closed loop
// of FLOOD calls; a refused one is repeated after 100 ms.  Its answers are counted apart.
//
// Every call has an idempotency key of its own.  Counted is what is due after the first second; afterwards
// the answers of the last calls are waited for, 3 s beyond their timeout at most.
#include <sys/epoll.h>
#include <sys/resource.h>

#include "../rpc/measure.h"
#include "../rpc/wire.h"

enum { INPUT = 256 * 1024, FRAME_MAX = 160, REFUSED_PAUSE_NS = 100000000 };

typedef struct {
  int fd, set;
  bool flood, dirty, waits;
  size_t input_count, output_head, output_count, output_room;
  uint8_t *input, *output;
} connection;

// A call by its id: when it was due.  The highest bit says that it counts.
static uint64_t *due_at, calls, calls_room, in_flight, run;
static const uint64_t counts = 1ull << 63;
static uint32_t timeout_ms;
static uint64_t began, ends, seed, lag_ns;
static connection **dirty;
static size_t dirty_count;

typedef struct {
  uint64_t offered, held, in_time, refused, deadline, other;
  histogram times;
} tally;
static tally calm, flooded;

// Refused calls of the flood, to be made again in the order of their time.
static struct { uint64_t at; } *again;
static size_t again_head, again_count, again_room;

static double uniform(void) { // xorshift64*: in (0, 1]
  seed ^= seed >> 12, seed ^= seed << 25, seed ^= seed >> 27;
  return (double)((seed * 2685821657736338717ull >> 11) + 1) / 9007199254740992.0;
}

static void reserve(connection *one, uint64_t due) {
  if (++calls >= calls_room) {
    fprintf(stderr, "more calls than were planned\n");
    exit(1);
  }
  bool counted = due >= began && due < ends;
  due_at[calls] = due | (counted ? counts : 0);
  if (counted) (one->flood ? &flooded : &calm)->offered++;
  uint8_t message[96], *at = message;
  char key[32];
  int key_bytes = snprintf(key, sizeof key, "%llx-%llx", (unsigned long long)run, (unsigned long long)calls);
  at = put_bytes(at, 1, "bench-overload", 14);
  *at++ = 2 << 3, *at++ = 1;
  at = put_bytes(at, 3, "bench", 5);
  at = put_bytes(at, 4, key, (size_t)key_bytes);
  if (one->output_count + FRAME_MAX > one->output_room) {
    one->output_room = one->output_room * 2 + 4096;
    if (!(one->output = realloc(one->output, one->output_room))) die("realloc");
  }
  uint8_t *start = one->output + one->output_count;
  uint8_t *end = put_request(start, calls, "stock.v1.Reservations/Reserve", timeout_ms, message,
                             (size_t)(at - message));
  one->output_count += (size_t)(end - start);
  in_flight++;
  if (!one->dirty) dirty[dirty_count++] = one;
  one->dirty = true;
}

static void flush(connection *one) {
  one->dirty = false;
  while (one->output_head < one->output_count) {
    ssize_t sent =
        send(one->fd, one->output + one->output_head, one->output_count - one->output_head, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) break;
    if (sent < 0) die("send");
    one->output_head += (size_t)sent;
  }
  bool waits = one->output_head < one->output_count;
  if (!waits) one->output_head = one->output_count = 0;
  if (waits == one->waits) return;
  one->waits = waits;
  struct epoll_event event = {.events = waits ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = one};
  epoll_ctl(one->set, EPOLL_CTL_MOD, one->fd, &event);
}

static void take(connection *one, answer read, uint64_t now, bool closed_loop) {
  if (read.call_id == 0 || read.call_id > calls) return; // a notice about the connection
  uint64_t due = due_at[read.call_id];
  tally *sum = one->flood ? &flooded : &calm;
  in_flight--;
  bool held = read.status == 0 && read.outcome == OUTCOME_HELD;
  if (held && now >= began && now < ends) sum->in_time++;
  if (due & counts) {
    if (held) {
      sum->held++;
      histogram_add(&sum->times, now - (due & ~counts));
    } else if (read.status == CODE_RESOURCE_EXHAUSTED) {
      sum->refused++;
    } else if (read.status == CODE_DEADLINE_EXCEEDED) {
      sum->deadline++;
    } else {
      sum->other++;
    }
  }
  if (now >= ends) return;
  if (one->flood && read.status) {
    if (again_count == again_room) {
      fprintf(stderr, "more refusals than calls\n");
      exit(1);
    }
    again[(again_head + again_count++) % again_room].at = now + REFUSED_PAUSE_NS;
  } else if (one->flood || closed_loop) {
    reserve(one, now);
  }
}

static void receive(connection *one, bool closed_loop) {
  ssize_t count = recv(one->fd, one->input + one->input_count, INPUT - one->input_count, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) die("the server closed a connection");
  size_t used = 0, have = one->input_count + (size_t)count;
  uint64_t now = now_ns();
  while (have - used >= FRAME_HEADER) {
    const uint8_t *payload = one->input + used + FRAME_HEADER;
    size_t length = frame_length(one->input + used);
    if (have - used - FRAME_HEADER < length) break;
    take(one, get_answer(payload, payload + length), now, closed_loop);
    used += FRAME_HEADER + length;
  }
  memmove(one->input, one->input + used, have - used);
  one->input_count = have - used;
}

static void say(const char *name, const tally *sum, double seconds, const char *after) {
  printf("\"%s\": {\"offered_per_s\": %.0f, \"goodput_per_s\": %.0f, \"held\": %llu, \"refused\": %llu, "
         "\"deadline_exceeded\": %llu, \"other\": %llu, \"p50_ms\": %.3f, \"p99_ms\": %.3f}%s",
         name, (double)sum->offered / seconds, (double)sum->in_time / seconds, (unsigned long long)sum->held,
         (unsigned long long)sum->refused, (unsigned long long)sum->deadline, (unsigned long long)sum->other,
         histogram_us(&sum->times, 0.5) / 1000, histogram_us(&sum->times, 0.99) / 1000, after);
}

int main(int count, char **arguments) {
  if (count != 9) {
    fprintf(stderr, "usage: reserve_load PORT CONNECTIONS SECONDS TIMEOUT_MS SEED RATE OUTSTANDING FLOOD\n");
    return 64;
  }
  int connections = atoi(arguments[2]), outstanding = atoi(arguments[7]), flood = atoi(arguments[8]);
  double seconds = atof(arguments[3]), rate = atof(arguments[6]);
  timeout_ms = (uint32_t)atoi(arguments[4]);
  seed = strtoull(arguments[5], NULL, 10) * 2654435761u + 1;
  run = now_ns();
  calls_room = (uint64_t)((rate + 600000) * (seconds + 2));
  due_at = calloc(calls_room, sizeof *due_at);
  again_room = (size_t)flood + 1;
  again = calloc(again_room, sizeof *again);
  dirty = calloc((size_t)connections + 1, sizeof *dirty);
  connection *all = calloc((size_t)connections + 1, sizeof *all);
  int set = epoll_create1(0);
  for (int place = 0; place < connections + (flood > 0); place++) {
    all[place] = (connection){.fd = connect_to(atoi(arguments[1])), .set = set,
                               .flood = place == connections,
                               .input = malloc(INPUT)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[place]};
    if (epoll_ctl(set, EPOLL_CTL_ADD, all[place].fd, &event) != 0) die("epoll_ctl");
  }

  uint64_t start = now_ns();
  began = start + 1000000000, ends = began + (uint64_t)(seconds * 1e9);
  double next = (double)start;
  for (int place = 0; place < flood; place++) reserve(&all[connections], start);
  for (int place = 0; rate == 0 && place < connections * outstanding; place++)
    reserve(&all[place % connections], start);

  struct rusage used;
  uint64_t limit = ends + ((uint64_t)timeout_ms + 3000) * 1000000, now;
  while ((now = now_ns()) < limit && (now < ends || in_flight)) {
    if (rate > 0 && now < ends) {
      if ((double)now > next && now >= began && now - (uint64_t)next > lag_ns) lag_ns = now - (uint64_t)next;
      for (; next <= (double)now; next += -log(uniform()) / rate * 1e9)
        reserve(&all[(size_t)(uniform() * connections) % (size_t)connections], (uint64_t)next);
    }
    while (again_count && again[again_head].at <= now && now < ends) {
      reserve(&all[connections], now);
      again_head = (again_head + 1) % again_room, again_count--;
    }
    for (size_t place = 0; place < dirty_count; place++) flush(dirty[place]);
    dirty_count = 0;
    struct epoll_event ready[256];
    int found = epoll_wait(set, ready, 256, 1);
    for (int place = 0; place < found; place++) {
      connection *one = ready[place].data.ptr;
      if (ready[place].events & EPOLLOUT) flush(one);
      receive(one, rate == 0);
    }
  }
  getrusage(RUSAGE_SELF, &used);
  double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  printf("{");
  say("calls", &calm, seconds, ", ");
  if (flood) say("flood", &flooded, seconds, ", ");
  printf("\"unanswered\": %llu, \"late_ms\": %.1f, \"generator_cpu\": %.2f}\n", (unsigned long long)in_flight,
         (double)lag_ns / 1e6,
         cpu / ((double)(now_ns() - start) / 1e9));
  return 0;
}
