/* What a client knows.
 *
 * How it works.  A call is a slot of `calls`, from the moment that it is accepted until its completion is
 * handed out.  It moves between five states (call_state).  Each attempt has an id of its own, which holds
 * the slot's place, so that an answer finds its call without a search and a late answer finds none.
 * Nothing happens behind the caller's back: drive() sends and looks at the clock, next_completion() takes
 * the answers that have arrived, and stock_poll turns between both and a wait.
 *
 *   calls.c     slots, lists, accepting a call           dial.c     which server; connections come and go
 *   attempts.c  what becomes of a call that failed       answers.c  frames into completions
 *   timers.c    deadlines, pauses, keepalive             poll.c     the turn, and the caller's own loop
 *   methods.c   the calls that there are                 service.c  protobuf-c's stubs
 *   streams.c   calls with many answers                  events.c   their items as stock_reply
 *   reply.c     the server's messages as stock_reply     headers.c  what goes with each call
 *   client.c    beginning and end */
#ifndef STOCK_CLIENT_H
#define STOCK_CLIENT_H

#include <protobuf-c/protobuf-c.h>

#include <string.h>

#include "arena.h"
#include "channel.h"
#include "headers.h"
#include "retry.h"
#include "stock/v1/envelope.pb-c.h"
#include "stock/v1/stock.pb-c.h"
#include "stockstream.h"

enum {
  SLOT_BITS = 14, /* of a call's id: its place */
  CALLS_MAX = 16000,
  CONTROL_PLACE = (1 << SLOT_BITS) - 1, /* hello, ping, cancel: no call's place */
  NOWHERE = 0xffff,
  TIMEOUT_MS_DEFAULT = 5000,
  TIMEOUT_MS_MAX = 60000,
  /* The server answers at the deadline; only when it does not is the call given up here. */
  GRACE_MS = 250,
  /* A connection that has been still for so long is looked at before it is used. */
  STILL_MS = 1000,
  /* The server takes 8 MiB of requests at once. */
  REQUEST_BYTES_MAX = 7 * 1024 * 1024,
  /* What waits for the socket; more stays with its calls. */
  OUTPUT_BYTES_MAX = 256 * 1024,
  /* The server gives a stream no more, and a connection no more streams. */
  WINDOW_BYTES_MAX = 1024 * 1024,
  STREAMS_MAX = 64
};

#define MS 1000000ull
#define NEVER UINT64_MAX

typedef struct service service;

/* A method as a client calls it. */
typedef struct method {
  const char *name; /* "stock.v1.Reservations/Reserve" */
  const ProtobufCMessageDescriptor *reply;
  /* Shows a reply message in `into`; false: it is not what the method promises, or memory is short.
   * NULL: the message goes to a closure as it is. */
  bool (*show)(stock_reply *into, arena *memory, const ProtobufCMessage *message);
  uint32_t after_field; /* of a stream: the field of its request that takes a token; 0: it is none */
} method;

/* A fault that is found on this side. */
typedef struct fault {
  stock_code code;
  const char *reason, *message;
  bool retryable, outcome_unknown;
  bool says_why; /* what the system said comes after the message */
} fault;

extern const fault FAULT_UNREACHABLE, FAULT_CONNECTION_LOST, FAULT_NO_ANSWER, FAULT_DEADLINE,
    FAULT_MALFORMED, FAULT_CLOSED, FAULT_CLOSED_SENT, FAULT_PROTOCOL, FAULT_PROTOCOL_SENT, FAULT_STREAM,
    FAULT_MEMORY, FAULT_TOO_LARGE, FAULT_TOO_MANY_CALLS, FAULT_BUSY, FAULT_ENDED, FAULT_MALFORMED_ITEM;

typedef enum call_state {
  CALL_FREE,
  CALL_QUEUED, /* to be sent as soon as there is a connection: in `queue` */
  CALL_SENT,   /* on a channel */
  CALL_PAUSED, /* until resume_ns, then queued again */
  CALL_DONE    /* failed here; to be handed out: in `done` */
} call_state;

typedef struct call {
  call_state state;
  uint64_t id; /* of the attempt that is in flight */
  uint64_t tag;
  const method *what;
  buffer message;  /* headers and message, encoded, kept for repeats; the memory stays with the slot */
  size_t header_bytes; /* at its front */
  size_t items;    /* of a batch: how many results belong to it; else 0 */
  uint64_t deadline_ns, resume_ns; /* a stream has no deadline: NEVER */
  uint32_t attempts;
  uint32_t on;     /* the channel's number */
  uint32_t next;   /* in the list that it is in */
  bool may_have_happened;
  const fault *why; /* of a call that is done */
  service *of;     /* NULL unless made through a stub, as are the next two */
  ProtobufCClosure closure;
  void *closure_data;

  /* Of a stream. */
  size_t request_end;  /* in `message`; behind it stands the token of the last item */
  uint32_t read_bytes; /* not granted again yet */
  uint32_t failures;   /* attempts since the last item */
} call;

static inline bool is_stream(const call *one) { return one->what->after_field != 0; }

typedef struct call_list {
  uint32_t head, tail; /* NOWHERE when empty */
} call_list;

struct stock_client {
  stock_options options;
  char name[65];
  address addresses[ADDRESSES_MAX];
  size_t address_count, address_at;
  stock_acknowledge acknowledge; /* of the calls to come, as are */
  headers headers;
  int set; /* epoll: both channels; the caller's descriptor */

  channel channels[2];
  uint32_t current; /* takes new calls; the other one may be leaving */
  uint32_t failed_dials;
  uint64_t next_dial_ns;
  bool was_connected, is_closed;
  char why[128]; /* the system's last word on a connection */

  call *calls;
  uint32_t call_capacity;
  uint32_t outstanding, streams; /* all, and those of them that are streams */
  uint64_t attempts; /* in all: ids */
  call_list free, queue, done;
  uint64_t timer_ns; /* nothing is due before */
  retry_policy policy;
  retry_budget budget;
  uint64_t chance;

  arena memory;  /* of the reply */
  arena scratch; /* of a request while it is encoded */
  stock_reply reply;
  bool ran_closure;
  service *services;
};

/* A reply with nothing in it. */
extern const stock_reply REPLY_EMPTY;

/* The contracts' strings are generated as bytes, so that their length travels with them.  Packing reads
 * them only. */
static inline ProtobufCBinaryData text(const char *string) {
  if (string == NULL) return (ProtobufCBinaryData){0, NULL};
  return (ProtobufCBinaryData){strlen(string), (uint8_t *)string};
}

uint64_t now_ns(void);
/* Since 1970, by this machine's clock. */
uint64_t wall_ms(void);
uint64_t next_chance(stock_client *c);
static inline channel *current(stock_client *c) { return &c->channels[c->current]; }

/* calls.c */
void list_push(stock_client *c, call_list *list, uint32_t place);
uint32_t list_pop(stock_client *c, call_list *list);
void list_remove(stock_client *c, call_list *list, uint32_t place);
/* Accepts a call.  place: where it is, if the caller wants to know. */
stock_code submit(stock_client *c, uint64_t tag, const method *what, const ProtobufCMessage *message,
                  uint32_t timeout_ms, uint32_t *place);
void call_release(stock_client *c, uint32_t place);
/* The call that waits for this answer; NOWHERE: none. */
uint32_t call_answered(const stock_client *c, uint64_t id);
void call_leaves_channel(stock_client *c, call *one);
/* Puts what is queued into the channel's output. */
void send_queued(stock_client *c, uint64_t now);
/* Whether send_queued would do something. */
bool can_send(const stock_client *c);
/* Sends a call of our own, whose answer is looked for by its id, or by nobody; returns the id. */
uint64_t send_control(stock_client *c, channel *ch, const char *name, const ProtobufCMessage *message,
                      uint32_t timeout_ms);

/* attempts.c */
/* Whether a failed attempt is followed by another; then the call pauses. */
bool call_repeats(stock_client *c, call *one, bool curable, uint32_t retry_after_ms);
/* An attempt failed on this side: repeats it, or ends the call. */
void call_fails(stock_client *c, uint32_t place, const fault *why);
/* No attempt is in flight, and none follows. */
void call_ends(stock_client *c, uint32_t place, const fault *why);
/* Hands out a call that is done; NULL when it went to a closure. */
const stock_reply *hand_out_failed(stock_client *c, uint32_t place);
/* The reply of a call, with nothing in it yet. */
stock_reply *reply_begin(stock_client *c);
void reply_fault(stock_client *c, stock_reply *into, const fault *why);
void run_closure(stock_client *c, uint32_t place, const ProtobufCMessage *message);

/* dial.c */
void dial(stock_client *c, uint64_t now);
void dial_failed(stock_client *c, uint64_t now);
/* The kernel has a connection. */
void connected(stock_client *c, channel *ch, uint64_t now);
/* The server says of itself whether it serves, or nothing that is understood. */
void greeted(stock_client *c, channel *ch, bool serves, uint64_t now);
/* The connection has ended: what was in flight on it failed. */
void lost(stock_client *c, channel *ch, uint64_t now);
/* The server has not taken the connection, nor anything that was sent on it. */
void turned_away(stock_client *c, channel *ch, uint64_t now);
/* New calls go elsewhere; what is in flight may still be answered. */
void leave(stock_client *c, channel *ch);
/* Everything that is not done ends.  What is on `refusing`, if that is given, has not happened there. */
void end_all(stock_client *c, const fault *unsent, const fault *sent, const channel *refusing);

/* answers.c */
/* The next completion of what has arrived; NULL: there is none. */
const stock_reply *next_completion(stock_client *c, uint64_t now);
/* The next completion among the frames of one channel. */
const stock_reply *take_frames(stock_client *c, channel *ch, uint64_t now);

/* streams.c */
/* The next item of a stream; NULL: the stream has failed. */
const stock_reply *take_item(stock_client *c, channel *ch, uint32_t place,
                             const Stock__V1__Response *response);
/* The server goes: its streams go on elsewhere. */
void streams_leave(stock_client *c, channel *ch);
/* Asks the server to stop a call. */
void cancel_at_server(stock_client *c, channel *ch, uint64_t id);

/* events.c */
extern const method METHOD_WATCH, METHOD_FOLLOW;

/* poll.c */
/* Reads once, without waiting unless it is to; whether something has come, if only the end. */
bool receive(stock_client *c, channel *ch, bool waits, uint64_t now);

/* timers.c */
static inline void schedule(stock_client *c, uint64_t at) {
  if (at < c->timer_ns) c->timer_ns = at;
}
void run_timers(stock_client *c, uint64_t now);

/* reply.c */
extern const method METHOD_RESERVE, METHOD_BATCH_RESERVE, METHOD_CONFIRM, METHOD_CANCEL, METHOD_RELEASE,
    METHOD_EXTEND, METHOD_GET_HOLD, METHOD_SET_STOCK, METHOD_ADJUST_STOCK, METHOD_RETIRE_STOCK,
    METHOD_ADOPT_STOCK, METHOD_LIST_STOCK, METHOD_GET_STOCK, METHOD_HEALTH, METHOD_PING;
/* False: memory is short; as are the next ones. */
bool show_text(const char **into, arena *memory, ProtobufCBinaryData bytes);
bool show_level(stock_reply *into, arena *memory, const Stock__V1__StockLevel *level);

/* service.c */
void service_call_ended(stock_client *c, service *of);
void services_free(stock_client *c);
void service_shows(service *of, const stock_reply *reply);

#endif
