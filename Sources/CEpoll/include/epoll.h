/* Glibc's Swift module has neither epoll, timerfd nor accept4: here is what the loop needs of them.
 * Each function returns what the system call does, with -errno in place of -1. */
#ifndef STOCK_EPOLL_H
#define STOCK_EPOLL_H

#include <stdint.h>
#include <sys/epoll.h>

/* Interest of a descriptor. */
static const uint32_t STOCK_READABLE = EPOLLIN | EPOLLRDHUP;
static const uint32_t STOCK_WRITABLE = EPOLLOUT;

int stock_epoll_create(void);
int stock_epoll_add(int set, int fd, uint32_t events, uint64_t token);
int stock_epoll_modify(int set, int fd, uint32_t events, uint64_t token);
int stock_epoll_remove(int set, int fd);
int stock_epoll_wait(int set, struct epoll_event *events, int count, int timeout_ms);

/* Waits until one of two descriptors can be read: bit 0 is the first, bit 1 the second. */
int stock_wait_for_either(int first, int second, int timeout_ms);

int stock_timer_create(void);
/* Fires once, `after_ns` from now (at least 1); 0 disarms. */
int stock_timer_arm(int timer, uint64_t after_ns);
void stock_timer_drain(int timer);

/* Readable from the first signal on, until it is drained. */
int stock_eventfd_create(void);
void stock_eventfd_signal(int event);
void stock_eventfd_drain(int event);

/* A connection, non-blocking and closed on exec. */
int stock_accept(int listener);
/* Bytes that have come and were not read; 0 when that cannot be said. */
int stock_bytes_waiting(int fd);
/* The user at the other end of a Unix socket, when it connected. */
int64_t stock_peer_user(int fd);

/* From its return on, SIGTERM, SIGINT, SIGQUIT and SIGHUP no longer end the process: each writes its number
 * as a byte into a pipe, of which this is the end to read.  A SIGHUP that whoever started the process has
 * it ignore, as nohup(1) does, stays ignored.  Call once. */
int stock_signal_descriptor(void);

static inline uint64_t stock_event_token(const struct epoll_event *event) {
  return event->data.u64;
}

#endif
