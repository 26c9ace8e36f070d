/* Where servers are. */
#ifndef STOCK_ADDRESS_H
#define STOCK_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>

enum { ADDRESSES_MAX = 8 };

typedef struct address {
  struct sockaddr_storage at;
  socklen_t length;
} address;

/* Reads "host:port,unix:/path"; a name may stand for several addresses.
 * Returns how many; 0 with a static text in *error when the list is wrong. */
size_t addresses_parse(const char *list, address found[ADDRESSES_MAX], const char **error);

#endif
