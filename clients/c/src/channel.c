#define _GNU_SOURCE
#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

#include "frame.h"

/* What is asked for, at least; the buffer has room for as much again, so that the beginning of a frame which
 * is left over does not make it grow. */
enum { RECEIVE_BYTES_MIN = 16 * 1024, INPUT_BYTES_MIN = 2 * RECEIVE_BYTES_MIN };

void channel_init(channel *ch, int set, uint32_t number) {
  *ch = (channel){.set = set, .number = number, .fd = -1};
}

static bool broken(channel *ch, int error) {
  ch->error = error;
  return false;
}

static bool watch(channel *ch, int operation, bool writing) {
  struct epoll_event event = {.events = EPOLLIN | (writing ? (uint32_t)EPOLLOUT : 0)};
  event.data.u32 = ch->number;
  ch->watches_writing = writing;
  return epoll_ctl(ch->set, operation, ch->fd, &event) == 0 || broken(ch, errno);
}

/* From here on, what is not to wait says so. */
static bool opened(channel *ch) {
  struct timeval limit = {.tv_usec = CHANNEL_WAIT_MS * 1000};
  ch->phase = CHANNEL_OPEN;
  return (fcntl(ch->fd, F_SETFL, 0) == 0 &&
          setsockopt(ch->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0) ||
         broken(ch, errno);
}

bool channel_dial(channel *ch, const address *to) {
  const int family = to->at.ss_family, yes = 1;
  ch->notice[0] = '\0';
  ch->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (ch->fd < 0) return broken(ch, errno);
  if (family != AF_UNIX) {
    setsockopt(ch->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(ch->fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
  }
  bool at_once = connect(ch->fd, (const struct sockaddr *)&to->at, to->length) == 0;
  int error = at_once || errno == EINPROGRESS ? 0 : errno;
  ch->phase = CHANNEL_DIALING;
  if (error == 0 && watch(ch, EPOLL_CTL_ADD, !at_once) && (!at_once || opened(ch))) return true;
  if (error == 0) error = ch->error;
  channel_close(ch);
  return broken(ch, error);
}

bool channel_dialed(channel *ch) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(ch->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error != 0) return broken(ch, error);
  return watch(ch, EPOLL_CTL_MOD, false) && opened(ch);
}

bool channel_flush(channel *ch) {
  while (buffer_count(&ch->output) > 0) {
    ssize_t sent = send(ch->fd, buffer_front(&ch->output), buffer_count(&ch->output),
                        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      buffer_consume(&ch->output, (size_t)sent);
    } else if (errno == EAGAIN) {
      return ch->watches_writing || watch(ch, EPOLL_CTL_MOD, true);
    } else if (errno != EINTR) {
      return broken(ch, errno);
    }
  }
  return !ch->watches_writing || watch(ch, EPOLL_CTL_MOD, false);
}

bool channel_receive(channel *ch, bool waits, size_t *count) {
  ProtobufCBinaryData payload;
  size_t missing = 0;
  *count = 0;
  frame_next(&ch->input, &payload, &missing);
  if (missing < RECEIVE_BYTES_MIN) missing = RECEIVE_BYTES_MIN;
  if (ch->input.capacity < INPUT_BYTES_MIN) missing = INPUT_BYTES_MIN;
  if (!buffer_reserve(&ch->input, missing)) return broken(ch, ENOMEM);
  ssize_t got = recv(ch->fd, ch->input.bytes + ch->input.end, ch->input.capacity - ch->input.end,
                     waits ? 0 : MSG_DONTWAIT);
  if (got == 0) return broken(ch, 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR || broken(ch, errno);
  ch->input.end += (size_t)got;
  *count = (size_t)got;
  return true;
}

void channel_close(channel *ch) {
  if (ch->fd >= 0) {
    epoll_ctl(ch->set, EPOLL_CTL_DEL, ch->fd, NULL);
    close(ch->fd);
  }
  buffer_clear(&ch->input);
  buffer_clear(&ch->output);
  ch->fd = -1;
  ch->phase = CHANNEL_CLOSED;
  ch->calls = 0;
  ch->request_bytes = 0;
}

void channel_free(channel *ch) {
  channel_close(ch);
  buffer_free(&ch->input);
  buffer_free(&ch->output);
}
