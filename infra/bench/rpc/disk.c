// How long the disk of a folder takes to sync what was appended to a file: one call after another, and
// after a rest of 1 ms.  Prints the two medians in ms.  A virtual disk may sleep between two syncs, and
// then the callers of a server that does not write all the time wait for it to wake.
//
//   disk FOLDER
#include "measure.h"

enum { SYNCS = 300, APPENDED = 800, REST_NS = 1000000 };

static double median_ms(int fd, long rest_ns) {
  static histogram times;
  memset(&times, 0, sizeof times);
  for (int number = 0; number < SYNCS; number++) {
    static const char bytes[APPENDED];
    struct timespec rest = {.tv_nsec = rest_ns};
    if (rest_ns) nanosleep(&rest, NULL);
    if (write(fd, bytes, sizeof bytes) != sizeof bytes) die("write");
    uint64_t began = now_ns();
    if (fdatasync(fd) != 0) die("fdatasync");
    histogram_add(&times, now_ns() - began);
  }
  return histogram_us(&times, 0.5) / 1000;
}

int main(int count, char **arguments) {
  char path[4096];
  if (count != 2) {
    fprintf(stderr, "usage: disk FOLDER\n");
    return 64;
  }
  snprintf(path, sizeof path, "%s/disk", arguments[1]);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd < 0) die(path);
  unlink(path);
  double at_once = median_ms(fd, 0);
  printf("%.3f %.3f\n", at_once, median_ms(fd, REST_NS));
  return 0;
}
