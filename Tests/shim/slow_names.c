// A name server that does not answer: loaded into a process with LD_PRELOAD, it has every lookup of a name
// wait for SLOW_NAMES_MS milliseconds and fail.  What is an address, or no name at all, is looked up as ever.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <time.h>

typedef int (*lookup)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int is_name(const char *node) {
  struct in6_addr room;
  return node != NULL && inet_pton(AF_INET, node, &room) != 1 && inet_pton(AF_INET6, node, &room) != 1;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
  const char *text = getenv("SLOW_NAMES_MS");
  if (!is_name(node) || text == NULL) {
    return ((lookup)dlsym(RTLD_NEXT, "getaddrinfo"))(node, service, hints, found);
  }
  long ms = atol(text);
  struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  while (nanosleep(&left, &left) != 0) {
  }
  return EAI_AGAIN;
}
