// Calls Health.Check in a closed loop: load PORT CONNECTIONS OUTSTANDING SECONDS SERVER_PID
//
// How it works.  Each connection has OUTSTANDING frames, made beforehand, that differ in their call id; an
// answer with an id sends that frame again.  What one pass over the ready sockets has answered on a
// connection goes out in one write, as a pipelining client does.  An echo of the frame counts as an
// answer: its first field is the id too.
#include <sys/epoll.h>

#include "measure.h"
#include "wire.h"

enum { FRAME_MAX = 64, READ_MAX = 256 * 1024 };

typedef struct {
  int fd;
  uint8_t *input, *output;
  size_t input_count, output_count;
  uint64_t *sent_at; // by call id
} connection;

static uint8_t (*frames)[FRAME_MAX];
static size_t *frame_bytes;
static uint64_t outstanding, answered, refused;
static histogram times;
static bool measuring;

static void append(connection *one, uint64_t id, uint64_t now) {
  memcpy(one->output + one->output_count, frames[id], frame_bytes[id]);
  one->output_count += frame_bytes[id];
  one->sent_at[id] = now;
}

// A closed loop has at most OUTSTANDING small frames on the way: a socket buffer holds them.
static void flush(connection *one) {
  for (size_t done = 0; done < one->output_count;) {
    ssize_t sent = send(one->fd, one->output + done, one->output_count - done, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) die("send");
    if (sent > 0) done += (size_t)sent;
  }
  one->output_count = 0;
}

static void receive(connection *one) {
  ssize_t count = recv(one->fd, one->input + one->input_count, READ_MAX - one->input_count, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) die("the server closed the connection");
  size_t used = 0, have = one->input_count + (size_t)count;
  uint64_t now = now_ns();
  while (have - used >= FRAME_HEADER) {
    const uint8_t *payload = one->input + used + FRAME_HEADER;
    size_t length = frame_length(one->input + used);
    if (have - used - FRAME_HEADER < length) break;
    answer read = get_answer(payload, payload + length, false);
    if (read.call_id == 0 || read.call_id > outstanding) die("an answer to no call");
    refused += read.status != 0;
    answered++;
    if (measuring) histogram_add(&times, now - one->sent_at[read.call_id]);
    append(one, read.call_id, now);
    used += FRAME_HEADER + length;
  }
  memmove(one->input, one->input + used, have - used);
  one->input_count = have - used;
  flush(one);
}

static void run_until(int set, uint64_t end) {
  struct epoll_event ready[256];
  while (now_ns() < end) {
    int count = epoll_wait(set, ready, 256, 100);
    for (int place = 0; place < count; place++) receive(ready[place].data.ptr);
  }
}

int main(int count, char **arguments) {
  if (count != 6) {
    fprintf(stderr, "usage: load PORT CONNECTIONS OUTSTANDING SECONDS SERVER_PID\n");
    return 64;
  }
  int port = atoi(arguments[1]), connections = atoi(arguments[2]), set = epoll_create1(0);
  outstanding = (uint64_t)atoi(arguments[3]);
  double seconds = atof(arguments[4]);
  pid_t server = atoi(arguments[5]);

  frames = calloc(outstanding + 1, sizeof *frames);
  frame_bytes = calloc(outstanding + 1, sizeof *frame_bytes);
  for (uint64_t id = 1; id <= outstanding; id++)
    frame_bytes[id] =
        (size_t)(put_request(frames[id], id, "stock.v1.Health/Check", 1000, NULL, 0) - frames[id]);

  connection *all = calloc((size_t)connections, sizeof *all);
  for (int place = 0; place < connections; place++) {
    connection *one = &all[place];
    *one = (connection){.fd = connect_to(port), .input = malloc(READ_MAX)};
    one->output = malloc(outstanding * FRAME_MAX);
    one->sent_at = calloc(outstanding + 1, sizeof *one->sent_at);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
    if (epoll_ctl(set, EPOLL_CTL_ADD, one->fd, &event) != 0) die("epoll_ctl");
    for (uint64_t id = 1; id <= outstanding; id++) append(one, id, now_ns());
    flush(one);
  }

  run_until(set, now_ns() + 300000000);
  uint64_t before = answered, began = now_ns(), cpu = cpu_ns(server);
  measuring = true;
  run_until(set, began + (uint64_t)(seconds * 1e9));
  double calls = (double)(answered - before), took = (double)(now_ns() - began) / 1e9;
  printf("{\"calls_per_s\": %.0f, \"cpu_us\": %.4f, \"p50_us\": %.2f, \"p99_us\": %.2f, \"failed\": %llu}\n",
         calls / took, (double)(cpu_ns(server) - cpu) / 1000 / calls, histogram_us(&times, 0.5),
         histogram_us(&times, 0.99), (unsigned long long)refused);
  return 0;
}
