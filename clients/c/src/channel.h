/* One socket and its bytes.  It knows frames' lengths and nothing of calls. */
#ifndef STOCK_CHANNEL_H
#define STOCK_CHANNEL_H

#include "address.h"
#include "buffer.h"

/* Waiting in the read itself saves a system call and what the set costs: 5 of the 30 µs of a ping.  The time
 * is fixed, so that the socket is told once; whoever wants less waits in the set. */
enum { CHANNEL_WAIT_MS = 100 };

typedef enum channel_phase {
  CHANNEL_CLOSED,
  CHANNEL_DIALING,  /* until the kernel has a connection */
  CHANNEL_GREETING, /* until the server has said that it serves: with several servers only */
  CHANNEL_OPEN,
  CHANNEL_LEAVING   /* the server goes: it answers what is in flight, and gets nothing new */
} channel_phase;

typedef struct channel {
  channel_phase phase;
  int set;         /* the epoll set that watches it */
  uint32_t number; /* what the set says of it */
  int fd;
  bool watches_writing;
  int error;       /* why it broke: an errno; 0: the server closed it */
  char notice[96]; /* why the server said that it goes; empty: it did not */
  buffer input, output;

  /* Kept by the client. */
  uint32_t calls;       /* in flight */
  size_t request_bytes; /* in flight */
  uint64_t ready_by_ns; /* while dialing and greeting */
  uint64_t heard_ns, pinged_ns;
  uint64_t hello_id, health_id;
  uint32_t version;     /* of the protocol that both speak */
} channel;

void channel_init(channel *ch, int set, uint32_t number);
/* Begins to connect; DIALING or OPEN, or false with `error`. */
bool channel_dial(channel *ch, const address *to);
/* The kernel says that a dialing socket is ready; false with `error` if it failed. */
bool channel_dialed(channel *ch);
/* Writes what can be written without waiting; false with `error` when the connection is broken. */
bool channel_flush(channel *ch);
/* Reads once, without waiting, or for up to CHANNEL_WAIT_MS; false with `error` when the connection has
 * ended. */
bool channel_receive(channel *ch, bool waits, size_t *count);
void channel_close(channel *ch);
void channel_free(channel *ch);

#endif
