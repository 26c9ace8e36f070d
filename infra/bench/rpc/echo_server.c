// Sends every frame back: the least that a server of frames can cost.  Prints its port.
//
// One thread, one epoll set, level triggered; each ready connection is read once, its frames are cut and
// copied to the output, and go out in one write.
#include <sys/epoll.h>

#include "measure.h"
#include "wire.h"

enum { BUFFER = 256 * 1024 };

typedef struct {
  int fd;
  size_t count;
  uint8_t input[BUFFER], output[BUFFER];
} connection;

static void drop(connection *one) {
  close(one->fd);
  free(one);
}

static void echo(connection *one) {
  ssize_t count = recv(one->fd, one->input + one->count, BUFFER - one->count, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) return drop(one);
  size_t used = 0, out = 0, have = one->count + (size_t)count;
  while (have - used >= FRAME_HEADER) {
    size_t length = FRAME_HEADER + frame_length(one->input + used);
    if (length > BUFFER) return drop(one);
    if (have - used < length) break;
    memcpy(one->output + out, one->input + used, length);
    out += length;
    used += length;
  }
  memmove(one->input, one->input + used, have - used);
  one->count = have - used;
  for (size_t done = 0; done < out;) {
    ssize_t sent = send(one->fd, one->output + done, out - done, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return drop(one);
    if (sent > 0) done += (size_t)sent;
  }
}

int main(void) {
  int listener = listen_and_print_port(), set = epoll_create1(0), yes = 1;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, ready[256];
  epoll_ctl(set, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int count = epoll_wait(set, ready, 256, -1);
    for (int place = 0; place < count; place++) {
      if (ready[place].data.ptr) {
        echo(ready[place].data.ptr);
        continue;
      }
      int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
      if (fd < 0) continue;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      connection *one = malloc(sizeof *one);
      one->fd = fd;
      one->count = 0;
      event.data.ptr = one;
      epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
    }
  }
}
