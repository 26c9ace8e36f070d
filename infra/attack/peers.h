// What bad peers do to a server, each kind in its own way.
#pragma once
#include <stddef.h>
#include <sys/epoll.h>

#include "../bench/rpc/measure.h"
#include "../bench/rpc/wire.h"

enum { HOARDED_BYTES = 512 * 1024, DEAF_CALLS = 400, RAMP_NS = 2000000000 };

typedef enum { SILENT, SLOW, HALF, GARBAGE, PROMISE, HOARD, DEAF, STORM, KINDS } kind;

// In hundredths of the crowd; how long a peer waits before it comes again.
static const struct {
  const char *name;
  int share, again_ms;
} kinds[KINDS] = {
    [SILENT] = {"says nothing", 30, 1000},
    [SLOW] = {"a byte a second", 25, 1000},
    [HALF] = {"half a frame, then the end", 10, 1000},
    [GARBAGE] = {"random bytes", 10, 1000},
    [PROMISE] = {"promises 4 GiB", 10, 1000},
    [HOARD] = {"512 KiB of a frame of 2 MiB", 2, 1000},
    [DEAF] = {"asks for 400 long answers, reads none", 2, 1000},
    [STORM] = {"connects and leaves", 11, 200},
};

typedef struct {
  kind kind;
  int fd; // -1: will come again at `due_at`
  bool connecting;
  size_t sent;
  uint64_t due_at, opened_at;
} peer;

static struct {
  uint64_t opened, refused, closed_by_server, answered;
  histogram lives; // of those that the server has closed
} tallies[KINDS];
static int crowd_port, crowd_set;
static uint64_t crowd_seed;
static uint8_t health_frame[64], describe_frame[64];
static size_t health_bytes, describe_bytes;

static inline uint64_t any_number(void) { // xorshift64*
  crowd_seed ^= crowd_seed >> 12, crowd_seed ^= crowd_seed << 25, crowd_seed ^= crowd_seed >> 27;
  return crowd_seed * 2685821657736338717ull;
}

static inline void peer_leaves(peer *one) {
  close(one->fd);
  one->fd = -1;
  one->due_at = now_ns() + (uint64_t)kinds[one->kind].again_ms * 1000000;
}

static inline void peer_was_closed(peer *one) {
  tallies[one->kind].closed_by_server++;
  histogram_add(&tallies[one->kind].lives, now_ns() - one->opened_at);
  peer_leaves(one);
}

static inline void peer_opens(peer *one) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)crowd_port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  one->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (one->fd < 0) die("socket");
  int small = 4096;
  if (one->kind == DEAF) setsockopt(one->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  one->sent = 0;
  one->due_at = UINT64_MAX;
  one->opened_at = now_ns();
  one->connecting = true;
  if (connect(one->fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) {
    tallies[one->kind].refused++;
    return peer_leaves(one);
  }
  struct epoll_event event = {.events = EPOLLOUT | EPOLLRDHUP, .data.ptr = one};
  if (epoll_ctl(crowd_set, EPOLL_CTL_ADD, one->fd, &event) != 0) die("epoll_ctl");
}

static inline void peer_sends(peer *one, const void *bytes, size_t count) {
  ssize_t sent = send(one->fd, bytes, count, MSG_NOSIGNAL);
  if (sent > 0) one->sent += (size_t)sent;
}

// What is left to be sent of a long text whose pieces repeat; false when all has been.
static inline bool peer_pours(peer *one, const uint8_t *piece, size_t bytes, size_t all) {
  while (one->sent < all) { // a peer that has sent more has poured before
    size_t from = one->sent % bytes;
    ssize_t sent = send(one->fd, piece + from, bytes - from, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    one->sent += (size_t)sent;
  }
  return false;
}

// Connected, or writable again.  Returns whether it wants to write more.
static inline bool peer_acts(peer *one) {
  static const uint8_t promise[1000] = {255, 255, 255, 255}, two_mib[] = {0, 32, 0, 0};
  static uint8_t hoard[16 * 1024];
  switch (one->kind) {
  case SILENT: return false;
  case SLOW: one->due_at = now_ns(); return false;
  case HALF:
    peer_sends(one, health_frame, health_bytes / 2);
    shutdown(one->fd, SHUT_WR);
    return false;
  case GARBAGE: {
    uint64_t bytes[8];
    for (int place = 0; place < 8; place++) bytes[place] = any_number();
    peer_sends(one, bytes, sizeof bytes);
    return false;
  }
  case PROMISE: peer_sends(one, promise, sizeof promise); return false;
  case HOARD:
    memcpy(hoard, two_mib, sizeof two_mib); // the header; what repeats it later is payload
    return peer_pours(one, hoard, sizeof hoard, HOARDED_BYTES);
  case DEAF:
    one->due_at = now_ns() + 500000000;
    return peer_pours(one, describe_frame, describe_bytes, DEAF_CALLS * describe_bytes);
  case STORM: {
    struct linger at_once = {.l_onoff = any_number() & 1, .l_linger = 0};
    setsockopt(one->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    peer_leaves(one);
    return false;
  }
  case KINDS: break;
  }
  return false;
}

static inline void peer_ready(peer *one, uint32_t events) {
  if (one->fd < 0) return;
  if (one->connecting) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(one->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
      tallies[one->kind].refused++;
      return peer_leaves(one);
    }
    one->connecting = false;
    tallies[one->kind].opened++;
  } else if (events & (EPOLLHUP | EPOLLERR)) {
    return peer_was_closed(one);
  } else if (events & (EPOLLIN | EPOLLRDHUP) && one->kind != DEAF) {
    char bytes[4096];
    ssize_t count = recv(one->fd, bytes, sizeof bytes, 0);
    if (count == 0 || (count < 0 && errno != EAGAIN)) return peer_was_closed(one);
    if (count > 0) tallies[one->kind].answered++;
  }
  if (!(events & EPOLLOUT)) return;
  bool more = peer_acts(one);
  if (one->fd < 0) return;
  struct epoll_event event = {.events = EPOLLRDHUP | (more ? EPOLLOUT : 0), .data.ptr = one};
  if (one->kind != DEAF) event.events |= EPOLLIN;
  epoll_ctl(crowd_set, EPOLL_CTL_MOD, one->fd, &event);
}

static inline void peer_due(peer *one, uint64_t now) {
  if (one->due_at > now) return;
  if (one->fd < 0) return peer_opens(one);
  // One that reads nothing hears that it was closed only when it sends.
  if (one->kind == DEAF) peer_sends(one, health_frame, health_bytes);
  if (one->kind == SLOW) peer_sends(one, health_frame + one->sent % health_bytes, 1);
  one->due_at = now + 1000000000;
}

static inline void peers_begin(peer *peers, int count, int port, int set, uint64_t seed) {
  crowd_port = port, crowd_set = set, crowd_seed = seed * 2654435761u + 1;
  health_bytes = (size_t)(put_request(health_frame, 1, "stock.v1.Health/Check", 0, NULL, 0) - health_frame);
  describe_bytes = (size_t)(
      put_request(describe_frame, 1, "stock.v1.Reflection/Describe", 0, NULL, 0) - describe_frame);
  uint64_t now = now_ns();
  for (int place = 0; place < count; place++) {
    int lot = place * 37 % 100, which = 0; // 37 and 100 have no common divisor: the kinds are mixed
    while ((lot -= kinds[which].share) >= 0) which++;
    peers[place] = (peer){.kind = (kind)which, .fd = -1};
    peers[place].due_at = now + (uint64_t)place * RAMP_NS / (unsigned)count;
  }
}

static inline void peers_say(int open) {
  printf("\"crowd\": [");
  for (int place = 0; place < KINDS; place++)
    printf("%s{\"kind\": \"%s\", \"opened\": %llu, \"refused\": %llu, \"closed_by_server\": %llu, "
           "\"answered\": %llu, \"life_ms\": %.1f}",
           place ? ", " : "", kinds[place].name, (unsigned long long)tallies[place].opened,
           (unsigned long long)tallies[place].refused, (unsigned long long)tallies[place].closed_by_server,
           (unsigned long long)tallies[place].answered, histogram_us(&tallies[place].lives, 0.5) / 1000);
  printf("], \"open_at_the_end\": %d, ", open);
}

// A whole crowd, for so many seconds.  What is due is looked for every millisecond.
static inline void crowd(int port, int count, double seconds, uint64_t seed) {
  peer *peers = calloc((size_t)count, sizeof *peers);
  peers_begin(peers, count, port, epoll_create1(0), seed);
  uint64_t now, end = now_ns() + (uint64_t)(seconds * 1e9);
  while ((now = now_ns()) < end) {
    struct epoll_event ready[512];
    int found = epoll_wait(crowd_set, ready, 512, 1);
    for (int place = 0; place < found; place++) peer_ready(ready[place].data.ptr, ready[place].events);
    for (int place = 0; place < count; place++) peer_due(&peers[place], now);
  }
  int open = 0;
  for (int place = 0; place < count; place++) open += peers[place].fd >= 0;
  peers_say(open);
}
