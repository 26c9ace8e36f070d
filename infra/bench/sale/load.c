// The callers of a sale, in an open or a closed loop, and what came back:
//
//   load port=N [connections=1] [outstanding=1] [rate=0] [seconds=4] [timeout_ms=1000] [seed=1] [skus=1]
//        [in_turn=0] [batch=0] [confirm=0] [flood=0] [ttl_ms=0] [spread=0] [calls=0] [aside=PORT]
//        [aside_percent=0] [watch=PID,PID]
//
// rate > 0: an open loop.  Calls are due at the times of a Poisson process, whether or not earlier ones
// have been answered, on a connection taken by lot; a call's time counts from when it was due.  rate = 0:
// a closed loop of `outstanding` calls on each connection, or of `spread` calls in all, each on a connection
// taken by lot; calls > 0: it ends after so many.  batch > 0: each call is a BatchReserve of so many.
// confirm=1: each hold is confirmed as soon as it is heard of, which counts apart.  flood > 0: one connection
// more, in a closed loop of so many calls, each repeated 100 ms after a refusal; counted apart too.
// aside_percent > 0: of an open loop's calls so many go to that port, where nobody answers, and are not
// counted.  On half as many connections more: with fewer calls to each, they would be more writes than
// the same calls to the server.
//
// Each reserve is of one unit, with a key of its own (36 bytes), by a user of 20 bytes, of a SKU of 20
// bytes: one, or any of `skus`; in_turn=1: one after the other.  Counted is what is due after the first
// second, and the CPU time that the watched processes take meanwhile; afterwards the answers of the last
// calls are waited for, 3 s beyond their timeout at most.
#include <sys/epoll.h>
#include <sys/resource.h>

#include "../rpc/measure.h"
#include "../rpc/wire.h"

enum { INPUT = 512 * 1024, RESERVE_MAX = 128, ENVELOPE_MAX = 64, REFUSED_PAUSE_NS = 100000000, WATCHED = 4 };

static struct {
  long port, connections, outstanding, timeout_ms, skus, batch, confirm, flood, ttl_ms, spread, calls;
  long aside, aside_percent, in_turn;
  double rate, seconds;
  uint64_t seed;
  pid_t watched[WATCHED];
  int watched_count;
} load = {.connections = 1, .outstanding = 1, .timeout_ms = 1000, .skus = 1, .seconds = 4, .seed = 1};

typedef struct {
  int fd, set;
  bool flood, dirty, waits;
  size_t input_count, output_head, output_count, output_room;
  uint8_t *input, *output;
} connection;

// A call by its id: when it was due.  The highest bits say whether it counts, and whether it confirms.
static uint64_t *due_at, calls, calls_room, in_flight, run, items;
static const uint64_t counts = 1ull << 63, confirms = 1ull << 62, time_of = (1ull << 62) - 1;
static uint64_t began, ends, lag_ns;
static connection *all, **dirty;
static size_t dirty_count;

typedef struct {
  uint64_t offered, held, in_time, sold_out, refused, deadline, other;
  histogram times;
} tally;
static tally reserved, confirmed, flooded;

// Refused calls of the flood, to be made again in the order of their time.
static struct { uint64_t at; } *again;
static size_t again_head, again_count, again_room;

static double uniform(void) { // xorshift64*: in (0, 1]
  uint64_t *seed = &load.seed;
  *seed ^= *seed >> 12, *seed ^= *seed << 25, *seed ^= *seed >> 27;
  return (double)((*seed * 2685821657736338717ull >> 11) + 1) / 9007199254740992.0;
}

// --- Out

static uint8_t *put_reserve(uint8_t *at) {
  char text[40];
  long sku = (long)(items++ % (uint64_t)load.skus);
  if (load.skus > 1 && !load.in_turn) sku = (long)(uniform() * (double)load.skus) % load.skus;
  snprintf(text, sizeof text, "sku-%016ld", sku);
  at = put_bytes(at, 1, text, 20);
  *at++ = 2 << 3, *at++ = 1;
  snprintf(text, sizeof text, "user-%015llu", (unsigned long long)items);
  at = put_bytes(at, 3, text, 20);
  snprintf(text, sizeof text, "%016llx-%019llu", (unsigned long long)run, (unsigned long long)items);
  at = put_bytes(at, 4, text, 36);
  if (load.ttl_ms) at = put_varint((*at = 5 << 3, at + 1), (uint64_t)load.ttl_ms);
  return at;
}

static connection *any_of(connection *some, long count) {
  return &some[(long)(uniform() * (double)count) % count];
}

static uint8_t *message;

// The request of a call, in the connection's output.
static void put_call(connection *one, uint64_t id, const char *method, size_t bytes) {
  size_t room = bytes + ENVELOPE_MAX;
  if (one->output_count + room > one->output_room) {
    one->output_room = one->output_room * 2 + room + 4096;
    if (!(one->output = realloc(one->output, one->output_room))) die("realloc");
  }
  uint8_t *start = one->output + one->output_count;
  uint8_t *end = put_request(start, id, method, (uint32_t)load.timeout_ms, message, bytes);
  one->output_count += (size_t)(end - start);
  if (!one->dirty) dirty[dirty_count++] = one;
  one->dirty = true;
}

static void send_call(connection *one, const char *method, size_t bytes, uint64_t due, uint64_t bits) {
  if (++calls >= calls_room) {
    fprintf(stderr, "more calls than were planned\n");
    exit(1);
  }
  due_at[calls] = due | bits;
  put_call(one, calls, method, bytes);
  in_flight++;
}

static void reserve(connection *one, uint64_t due) {
  bool counted = due >= began && due < ends;
  tally *sum = one->flood ? &flooded : &reserved;
  if (counted) sum->offered += load.batch ? (uint64_t)load.batch : 1;
  uint8_t *at = message;
  for (long item = 0; item < load.batch; item++) {
    uint8_t one_item[RESERVE_MAX];
    at = put_bytes(at, 1, one_item, (size_t)(put_reserve(one_item) - one_item));
  }
  if (!load.batch) at = put_reserve(at);
  send_call(one, load.batch ? "stock.v1.Reservations/BatchReserve" : "stock.v1.Reservations/Reserve",
            (size_t)(at - message), due, counted ? counts : 0);
}

// A call of the open loop: to the server, or to where nobody answers.
static void reserve_any(uint64_t due) {
  if (uniform() * 100 > (double)load.aside_percent) return reserve(any_of(all, load.connections), due);
  put_call(any_of(all + load.connections + 1, (load.connections + 1) / 2), 1, "stock.v1.Reservations/Reserve",
           (size_t)(put_reserve(message) - message));
}

static void confirm(connection *one, answer read, uint64_t now) {
  bool counted = now >= began && now < ends;
  if (counted) confirmed.offered++;
  uint8_t *at = put_bytes(message, 1, read.hold_id, read.hold_id_bytes);
  at = put_bytes(at, 2, "payment-0001", 12);
  send_call(one, "stock.v1.Reservations/Confirm", (size_t)(at - message), now,
            confirms | (counted ? counts : 0));
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

// --- In

// What came back for one call, in units of reserves.
static void count(tally *sum, answer read, uint64_t due, uint64_t now) {
  uint64_t size = load.batch && !(due & confirms) ? (uint64_t)load.batch : 1;
  uint64_t held = size > 1 ? read.items_held : read.status == 0 && read.outcome == OUTCOME_HELD;
  if (due & confirms) held = read.status == 0 && read.outcome == OUTCOME_CONFIRMED;
  uint64_t sold_out = read.status == 0 && read.outcome == OUTCOME_SOLD_OUT;
  if (now >= began && now < ends) {
    sum->in_time += held;
    sum->sold_out += sold_out;
  }
  if (!(due & counts)) return;
  sum->held += held;
  if (held || sold_out) histogram_add(&sum->times, now - (due & time_of));
  if (read.status == CODE_RESOURCE_EXHAUSTED) sum->refused += size;
  else if (read.status == CODE_DEADLINE_EXCEEDED) sum->deadline += size;
  else sum->other += size - held - sold_out;
}

static void take(connection *one, answer read, uint64_t now) {
  if (read.call_id == 0 || read.call_id > calls) return; // a notice about the connection
  uint64_t due = due_at[read.call_id];
  in_flight--;
  count(due & confirms ? &confirmed : one->flood ? &flooded : &reserved, read, due, now);
  if (now >= ends) return;
  if (load.confirm && !(due & confirms) && read.hold_id_bytes) {
    confirm(one, read, now);
  } else if (one->flood && read.status) {
    if (again_count == again_room) {
      fprintf(stderr, "more refusals than calls\n");
      exit(1);
    }
    again[(again_head + again_count++) % again_room].at = now + REFUSED_PAUSE_NS;
  } else if (one->flood || (load.rate == 0 && (!load.calls || calls < (uint64_t)load.calls))) {
    reserve(load.spread ? any_of(all, load.connections) : one, now);
  }
}

static void receive(connection *one) {
  ssize_t count = recv(one->fd, one->input + one->input_count, INPUT - one->input_count, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) die("the server closed a connection");
  size_t used = 0, have = one->input_count + (size_t)count;
  uint64_t now = now_ns();
  while (have - used >= FRAME_HEADER) {
    const uint8_t *payload = one->input + used + FRAME_HEADER;
    size_t length = frame_length(one->input + used);
    if (have - used - FRAME_HEADER < length) break;
    take(one, get_answer(payload, payload + length, load.batch > 0), now);
    used += FRAME_HEADER + length;
  }
  memmove(one->input, one->input + used, have - used);
  one->input_count = have - used;
}

// --- The run

static const struct {
  const char *name;
  long *value;
} numbers[] = {{"port", &load.port},       {"connections", &load.connections},
               {"skus", &load.skus},       {"outstanding", &load.outstanding},
               {"batch", &load.batch},     {"timeout_ms", &load.timeout_ms},
               {"confirm", &load.confirm}, {"ttl_ms", &load.ttl_ms},
               {"flood", &load.flood},     {"spread", &load.spread},
               {"calls", &load.calls},     {"aside", &load.aside},
               {"aside_percent", &load.aside_percent}, {"in_turn", &load.in_turn}, {NULL, NULL}};

static bool argument(const char *name, char *value) {
  for (int place = 0; numbers[place].name; place++) {
    if (strcmp(numbers[place].name, name)) continue;
    *numbers[place].value = atol(value);
    return true;
  }
  if (!strcmp(name, "rate")) return load.rate = atof(value), true;
  if (!strcmp(name, "seconds")) return load.seconds = atof(value), true;
  if (!strcmp(name, "seed")) return load.seed = strtoull(value, NULL, 10) * 2654435761u + 1, true;
  if (strcmp(name, "watch")) return false;
  for (char *pid = strtok(value, ","); pid && load.watched_count < WATCHED; pid = strtok(NULL, ","))
    load.watched[load.watched_count++] = (pid_t)atol(pid);
  return true;
}

static void arguments(int count, char **texts) {
  for (int place = 1; place < count; place++) {
    char *value = strchr(texts[place], '=');
    if (value) *value = 0;
    if (value && argument(texts[place], value + 1)) continue;
    fprintf(stderr, "unknown: %s; see the head of load.c\n", texts[place]);
    exit(64);
  }
}

static void open_connection(connection *one, long port, int set) {
  *one = (connection){.fd = connect_to((int)port), .set = set, .input = malloc(INPUT)};
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
  if (epoll_ctl(set, EPOLL_CTL_ADD, one->fd, &event) != 0) die("epoll_ctl");
}

static void watch(uint64_t *into) {
  for (int place = 0; place < load.watched_count; place++) into[place] = cpu_ns(load.watched[place]);
}

static void say(const char *name, const tally *sum) {
  printf("\"%s\": {\"offered_per_s\": %.0f, \"goodput_per_s\": %.0f, \"sold_out_per_s\": %.0f,"
         " \"held\": %llu, \"refused\": %llu, \"deadline_exceeded\": %llu, \"other\": %llu,"
         " \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f}, ",
         name, (double)sum->offered / load.seconds, (double)sum->in_time / load.seconds,
         (double)sum->sold_out / load.seconds, (unsigned long long)sum->held,
         (unsigned long long)sum->refused,
         (unsigned long long)sum->deadline, (unsigned long long)sum->other,
         histogram_us(&sum->times, 0.5) / 1000, histogram_us(&sum->times, 0.99) / 1000,
         histogram_us(&sum->times, 0.999) / 1000);
}

int main(int count, char **texts) {
  arguments(count, texts);
  run = now_ns();
  calls_room = (uint64_t)((load.rate + 600000) * (load.seconds + 2)) * (load.confirm ? 2 : 1);
  due_at = calloc(calls_room, sizeof *due_at);
  again_room = (size_t)load.flood + 1;
  again = calloc(again_room, sizeof *again);
  message = malloc((size_t)(load.batch + 1) * RESERVE_MAX);
  // Those to the server, that of the flood, and those where nobody answers.
  size_t places = (size_t)load.connections * 2 + 1;
  dirty = calloc(places, sizeof *dirty);
  all = calloc(places, sizeof *all);
  int set = epoll_create1(0);
  for (long place = 0; place < load.connections; place++) open_connection(&all[place], load.port, set);
  for (long place = 0; load.aside_percent && place < (load.connections + 1) / 2; place++)
    open_connection(&all[load.connections + 1 + place], load.aside, set);
  if (load.flood) open_connection(&all[load.connections], load.port, set);
  all[load.connections].flood = load.flood > 0;

  uint64_t start = now_ns(), cpu_before[WATCHED] = {0}, cpu_after[WATCHED] = {0};
  bool watching = false, watched = false;
  began = start + 1000000000, ends = began + (uint64_t)(load.seconds * 1e9);
  double next = (double)start;
  for (int place = 0; place < load.flood; place++) reserve(&all[load.connections], start);
  long first = load.rate > 0 ? 0 : load.spread ? load.spread : load.connections * load.outstanding;
  for (long place = 0; place < first && (!load.calls || place < load.calls); place++)
    reserve(&all[place % load.connections], start);

  struct rusage used;
  uint64_t limit = ends + ((uint64_t)load.timeout_ms + 3000) * 1000000, now;
  while ((now = now_ns()) < limit && (now < ends || in_flight)) {
    if (load.calls && !in_flight) break;
    if (!watching && now >= began) watching = true, watch(cpu_before);
    if (!watched && now >= ends) watched = true, watch(cpu_after);
    if (load.rate > 0 && now < ends) {
      if ((double)now > next && now >= began && now - (uint64_t)next > lag_ns) lag_ns = now - (uint64_t)next;
      for (; next <= (double)now; next += -log(uniform()) / load.rate * 1e9)
        reserve_any((uint64_t)next);
    }
    while (again_count && again[again_head].at <= now && now < ends) {
      reserve(&all[load.connections], now);
      again_head = (again_head + 1) % again_room, again_count--;
    }
    for (size_t place = 0; place < dirty_count; place++) flush(dirty[place]);
    dirty_count = 0;
    struct epoll_event ready[256];
    int found = epoll_wait(set, ready, 256, 1);
    for (int place = 0; place < found; place++) {
      connection *one = ready[place].data.ptr;
      if (ready[place].events & EPOLLOUT) flush(one);
      receive(one);
    }
  }
  if (!watched) watch(cpu_after);
  getrusage(RUSAGE_SELF, &used);
  double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  printf("{");
  say("calls", &reserved);
  if (load.confirm) say("confirms", &confirmed);
  if (load.flood) say("flood", &flooded);
  printf("\"watched_cpu_s\": [");
  for (int place = 0; place < load.watched_count; place++)
    printf("%s%.4f", place ? ", " : "", (double)(cpu_after[place] - cpu_before[place]) / 1e9);
  printf("], \"unanswered\": %llu, \"late_ms\": %.1f, \"generator_cpu\": %.2f}\n",
         (unsigned long long)in_flight,
         (double)lag_ns / 1e6, cpu / ((double)(now_ns() - start) / 1e9));
  return 0;
}
