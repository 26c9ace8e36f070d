// Holds many quiet connections while calls flow on others: idle PORT IDLE BUSY SECONDS SERVER_PID
//
// BUSY connections call Health.Check in a closed loop, one call each, from the first to the last second.
// After SECONDS come IDLE more, each of which makes one call and then keeps silent; then SECONDS again,
// all being open.
#include <sys/epoll.h>

#include "measure.h"
#include "wire.h"

enum { ROOM = 512 };

typedef struct {
  int fd;
  bool busy, answered;
  size_t count;
  uint64_t sent_at;
  uint8_t input[ROOM];
} connection;

static uint8_t frame[64];
static size_t frame_bytes;
static histogram *times;
static int answered_idle, lost;

static void call(connection *one) {
  one->sent_at = now_ns();
  if (send(one->fd, frame, frame_bytes, MSG_NOSIGNAL) != (ssize_t)frame_bytes) die("send");
}

static void receive(connection *one) {
  ssize_t count = recv(one->fd, one->input + one->count, ROOM - one->count, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) {
    if (one->busy) die("a busy connection was closed");
    lost++;
    close(one->fd);
    return;
  }
  one->count += (size_t)count;
  if (one->count < FRAME_HEADER || one->count - FRAME_HEADER < frame_length(one->input)) return;
  one->count = 0;
  if (!one->busy) {
    answered_idle += !one->answered;
    one->answered = true;
    return;
  }
  if (times) histogram_add(times, now_ns() - one->sent_at);
  call(one);
}

static void pass(int set, int wait_ms) {
  struct epoll_event ready[256];
  int count = epoll_wait(set, ready, 256, wait_ms);
  for (int place = 0; place < count; place++) receive(ready[place].data.ptr);
}

static void run_for(int set, double seconds) {
  for (uint64_t end = now_ns() + (uint64_t)(seconds * 1e9); now_ns() < end;) pass(set, 100);
}

static void open_one(int set, int port, connection *one, bool busy) {
  *one = (connection){.fd = connect_to(port), .busy = busy};
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
  if (epoll_ctl(set, EPOLL_CTL_ADD, one->fd, &event) != 0) die("epoll_ctl");
  call(one);
}

static long resident_bytes(pid_t process) {
  char path[64];
  long pages = 0;
  snprintf(path, sizeof path, "/proc/%d/statm", (int)process);
  FILE *file = fopen(path, "r");
  if (!file || fscanf(file, "%*d %ld", &pages) != 1) die(path);
  fclose(file);
  return pages * sysconf(_SC_PAGESIZE);
}

int main(int count, char **arguments) {
  if (count != 6) {
    fprintf(stderr, "usage: idle PORT IDLE BUSY SECONDS SERVER_PID\n");
    return 64;
  }
  int port = atoi(arguments[1]), idle = atoi(arguments[2]), busy = atoi(arguments[3]), set = epoll_create1(0);
  double seconds = atof(arguments[4]);
  pid_t server = atoi(arguments[5]);
  static histogram before, after;
  frame_bytes = (size_t)(put_request(frame, 1, "stock.v1.Health/Check", 5000, NULL, 0) - frame);

  connection *all = calloc((size_t)(idle + busy), sizeof *all);
  for (int place = 0; place < busy; place++) open_one(set, port, &all[place], true);
  run_for(set, 0.5);
  times = &before;
  run_for(set, seconds);
  times = NULL;

  long small = resident_bytes(server);
  uint64_t began = now_ns();
  for (int place = 0; place < idle; place++) {
    open_one(set, port, &all[busy + place], false);
    if (place % 16 == 0) pass(set, 0);
  }
  uint64_t limit = now_ns() + 20000000000ull;
  while (answered_idle + lost < idle && now_ns() < limit) pass(set, 100);
  double opening = (double)(now_ns() - began) / 1e9;
  run_for(set, 1);
  long large = resident_bytes(server);

  times = &after;
  run_for(set, seconds);
  printf("{\"idle\": %d, \"answered\": %d, \"closed\": %d, \"opening_s\": %.2f, \"rss_before_kib\": %ld, "
         "\"rss_with_kib\": %ld, \"bytes_each\": %.0f, \"before\": {\"calls_per_s\": %.0f, \"p50_us\": %.1f, "
         "\"p99_us\": %.1f}, \"with\": {\"calls_per_s\": %.0f, \"p50_us\": %.1f, \"p99_us\": %.1f}}\n",
         idle, answered_idle, lost, opening, small / 1024, large / 1024, (double)(large - small) / idle,
         (double)before.count / seconds, histogram_us(&before, 0.5), histogram_us(&before, 0.99),
         (double)after.count / seconds, histogram_us(&after, 0.5), histogram_us(&after, 0.99));
  return 0;
}
