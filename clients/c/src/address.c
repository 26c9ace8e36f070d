#define _GNU_SOURCE
#include "address.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum { ADDRESS_BYTES_MAX = 255 };

static const char *parse_unix(const char *path, address *found) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  size_t length = strlen(path);
  if (length == 0) return "an address has no path after unix:";
  if (length >= sizeof at.sun_path) return "the path of a Unix socket is longer than 107 bytes";
  memcpy(at.sun_path, path, length + 1);
  memcpy(&found->at, &at, sizeof at);
  found->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
  return NULL;
}

/* Splits "host:port" and "[v6]:port" where they stand. */
static bool split(char *text, char **host, char **port) {
  char *colon = strrchr(text, ':');
  if (colon == NULL || colon == text || colon[1] == 0) return false;
  *colon = 0;
  *port = colon + 1;
  *host = text;
  size_t length = strlen(text);
  if (text[0] == '[' && text[length - 1] == ']') {
    text[length - 1] = 0;
    *host = text + 1;
  } else if (strchr(text, ':') != NULL) {
    return false;
  }
  char *end;
  unsigned long number = strtoul(*port, &end, 10);
  return *end == 0 && number >= 1 && number <= 65535 && (*host)[0] != 0;
}

static const char *resolve(char *text, address found[ADDRESSES_MAX], size_t *count) {
  char *host, *port;
  if (!split(text, &host, &port)) return "an address is not host:port, [v6 address]:port or unix:/path";
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
  if (getaddrinfo(host, port, &hints, &list) != 0) return "the name of a host cannot be looked up";
  for (struct addrinfo *at = list; at != NULL && *count < ADDRESSES_MAX; at = at->ai_next) {
    memcpy(&found[*count].at, at->ai_addr, at->ai_addrlen);
    found[(*count)++].length = at->ai_addrlen;
  }
  freeaddrinfo(list);
  return NULL;
}

size_t addresses_parse(const char *list, address found[ADDRESSES_MAX], const char **error) {
  size_t count = 0;
  memset(found, 0, sizeof(address) * ADDRESSES_MAX);
  *error = list == NULL || *list == 0 ? "no address was given" : NULL;
  while (*error == NULL) {
    size_t length = strcspn(list, ",");
    char text[ADDRESS_BYTES_MAX + 1];
    if (length > ADDRESS_BYTES_MAX || count == ADDRESSES_MAX) {
      *error = count == ADDRESSES_MAX ? "more than 8 addresses" : "an address is longer than 255 bytes";
      break;
    }
    memcpy(text, list, length);
    text[length] = 0;
    if (strncmp(text, "unix:", 5) == 0) {
      *error = parse_unix(text + 5, &found[count]);
      count++;
    } else {
      *error = resolve(text, found, &count);
    }
    if (list[length] == 0) break;
    list += length + 1;
  }
  return *error == NULL ? count : 0;
}
