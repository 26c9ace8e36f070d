// Takes what it is sent, every 10 ms, and neither looks at it nor answers.  Prints its port.
//
// What a load costs the machine that it shares with the server, and nothing else: MSG_TRUNC throws the
// bytes away without a copy.
#include "../rpc/measure.h"

enum { CONNECTIONS_MAX = 65536, TAKEN = 1 << 20, PAUSE_NS = 10000000 };

int main(void) {
  static int connections[CONNECTIONS_MAX];
  int count = 0, listener = listen_and_print_port();
  for (struct timespec pause = {.tv_nsec = PAUSE_NS};; nanosleep(&pause, NULL)) {
    int accepted;
    while (count < CONNECTIONS_MAX && (accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
      connections[count++] = accepted;
    for (int place = 0; place < count; place++) {
      ssize_t taken = recv(connections[place], NULL, TAKEN, MSG_TRUNC);
      if (taken > 0 || (taken < 0 && errno == EAGAIN)) continue;
      close(connections[place]);
      connections[place--] = connections[--count];
    }
  }
}
