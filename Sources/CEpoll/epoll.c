#define _GNU_SOURCE

#include "epoll.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static int result(int value) { return value < 0 ? -errno : value; }

int stock_epoll_create(void) { return result(epoll_create1(EPOLL_CLOEXEC)); }

static int control(int set, int operation, int fd, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data.u64 = token};
  return result(epoll_ctl(set, operation, fd, &event));
}

int stock_epoll_add(int set, int fd, uint32_t events, uint64_t token) {
  return control(set, EPOLL_CTL_ADD, fd, events, token);
}

int stock_epoll_modify(int set, int fd, uint32_t events, uint64_t token) {
  return control(set, EPOLL_CTL_MOD, fd, events, token);
}

int stock_epoll_remove(int set, int fd) { return control(set, EPOLL_CTL_DEL, fd, 0, 0); }

int stock_epoll_wait(int set, struct epoll_event *events, int count, int timeout_ms) {
  return result(epoll_wait(set, events, count, timeout_ms));
}

int stock_wait_for_either(int first, int second, int timeout_ms) {
  struct pollfd both[2] = {{.fd = first, .events = POLLIN}, {.fd = second, .events = POLLIN}};
  int ready = poll(both, 2, timeout_ms);
  if (ready < 0) return -errno;
  return (both[0].revents ? 1 : 0) | (both[1].revents ? 2 : 0);
}

int stock_timer_create(void) {
  return result(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
}

int stock_timer_arm(int timer, uint64_t after_ns) {
  struct itimerspec when = {
      .it_value = {.tv_sec = (time_t)(after_ns / 1000000000u),
                   .tv_nsec = (long)(after_ns % 1000000000u)}};
  return result(timerfd_settime(timer, 0, &when, 0));
}

void stock_timer_drain(int timer) {
  uint64_t expirations;
  while (read(timer, &expirations, sizeof expirations) > 0) {
  }
}

int stock_eventfd_create(void) { return result(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

void stock_eventfd_signal(int event) {
  ssize_t written = write(event, &(uint64_t){1}, sizeof(uint64_t));
  (void)written; /* A full counter says the same. */
}

void stock_eventfd_drain(int event) {
  uint64_t signals;
  ssize_t taken = read(event, &signals, sizeof signals);
  (void)taken;
}

int stock_accept(int listener) {
  return result(accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

int stock_bytes_waiting(int fd) {
  int bytes;
  return ioctl(fd, FIONREAD, &bytes) < 0 ? 0 : bytes;
}

int64_t stock_peer_user(int fd) {
  struct ucred who;
  socklen_t size = sizeof who;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0) return -errno;
  return (int64_t)who.uid;
}

static int signal_pipe[2] = {-1, -1};

/* Runs as a signal handler: write is among the few calls that may be made here (signal-safety(7)). */
static void note_signal(int signal) {
  int kept = errno;
  ssize_t written = write(signal_pipe[1], &(char){(char)signal}, 1);
  (void)written; /* A full pipe says the same. */
  errno = kept;
}

int stock_signal_descriptor(void) {
  static const int always[] = {SIGTERM, SIGINT, SIGQUIT};
  struct sigaction noted = {.sa_handler = note_signal, .sa_flags = SA_RESTART};
  struct sigaction hangup;
  if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) < 0) return -errno;
  sigemptyset(&noted.sa_mask);
  for (size_t place = 0; place < sizeof always / sizeof *always; place++) {
    if (sigaction(always[place], &noted, 0) < 0) return -errno;
  }
  if (sigaction(SIGHUP, 0, &hangup) < 0) return -errno;
  if (hangup.sa_handler != SIG_IGN && sigaction(SIGHUP, &noted, 0) < 0) return -errno;
  return signal_pipe[0];
}
