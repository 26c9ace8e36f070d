// Clock, CPU time of another process, a histogram of times, and sockets: what every load generator here
// needs.
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

__attribute__((noreturn)) static inline void die(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static inline uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// User and system time of all threads of a process: what /proc/PID/stat counts in ticks of 10 ms, in ns.
static inline uint64_t cpu_ns(pid_t process) {
  clockid_t clock;
  struct timespec time;
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) != 0)
    die("the server's CPU time");
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// Times in ns, in buckets of 1/64 of a power of two: an error of at most 1.6%.
typedef struct {
  uint64_t count;
  uint64_t buckets[64 * 64];
} histogram;

static inline void histogram_add(histogram *times, uint64_t ns) {
  unsigned high = 63u - (unsigned)__builtin_clzll(ns | 64);
  unsigned place = (high - 5) * 64 + (unsigned)(ns >> (high - 6) & 63);
  times->buckets[high == 6 && ns < 64 ? ns : place]++;
  times->count++;
}

// In µs; 0 when there is none.
static inline double histogram_us(const histogram *times, double part) {
  uint64_t wanted = (uint64_t)ceil((double)times->count * part), seen = 0;
  for (unsigned place = 0; times->count && place < 64 * 64; place++) {
    seen += times->buckets[place];
    if (seen < wanted) continue;
    if (place < 64) return place / 1000.0;
    unsigned high = place / 64 + 5;
    return (double)((64 + (place % 64)) * (1ull << (high - 6))) / 1000.0;
  }
  return 0;
}

// A connection to 127.0.0.1, ready and not blocking.
static inline int connect_to(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons((uint16_t)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) die("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) die("fcntl");
  return fd;
}

// A non-blocking listener on a free port of the loopback, which is printed.
static inline int listen_and_print_port(void) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {};  // C++ has no nested designators
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 1024) != 0) die("listen");
  getsockname(listener, (struct sockaddr *)&address, &size);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}
