/* The values of libstockstream: what is in a stock_reply.  stockstream.h, the manual, includes this. */
#ifndef STOCKSTREAM_VALUES_H
#define STOCKSTREAM_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The status of a call: gRPC's codes.  A newer server may send one that is not here. */
typedef int stock_code;
enum {
  STOCK_CODE_OK = 0, STOCK_CODE_CANCELLED = 1, STOCK_CODE_UNKNOWN = 2, STOCK_CODE_INVALID_ARGUMENT = 3,
  STOCK_CODE_DEADLINE_EXCEEDED = 4, STOCK_CODE_NOT_FOUND = 5, STOCK_CODE_ALREADY_EXISTS = 6,
  STOCK_CODE_PERMISSION_DENIED = 7, STOCK_CODE_RESOURCE_EXHAUSTED = 8, STOCK_CODE_FAILED_PRECONDITION = 9,
  STOCK_CODE_ABORTED = 10, STOCK_CODE_OUT_OF_RANGE = 11, STOCK_CODE_UNIMPLEMENTED = 12,
  STOCK_CODE_INTERNAL = 13, STOCK_CODE_UNAVAILABLE = 14, STOCK_CODE_DATA_LOSS = 15,
  STOCK_CODE_UNAUTHENTICATED = 16
};

/* What the shop decided. */
typedef int stock_outcome;
enum {
  STOCK_OUTCOME_UNSPECIFIED = 0,
  STOCK_OUTCOME_HELD = 1,              /* reserve: the units are taken */
  STOCK_OUTCOME_REPEATED = 2,          /* this very call was done before; nothing has changed now */
  STOCK_OUTCOME_SOLD_OUT = 3,          /* fewer units are available than asked for */
  STOCK_OUTCOME_UNKNOWN_SKU = 4,       /* nobody has ever set stock for this SKU */
  STOCK_OUTCOME_CONFIRMED = 5,         /* confirm: the units are sold */
  STOCK_OUTCOME_CANCELLED = 6,         /* cancel, release: the units are available again */
  STOCK_OUTCOME_EXPIRED = 7,           /* the hold's deadline has passed */
  STOCK_OUTCOME_NO_SUCH_HOLD = 8,      /* never made, or forgotten after its retention */
  STOCK_OUTCOME_FOUND = 9,             /* get_hold, find_hold, get_stock */
  STOCK_OUTCOME_STOCK_SET = 10,        /* set_stock, set_stock_if */
  STOCK_OUTCOME_STOCK_ADOPTED = 11,
  STOCK_OUTCOME_ALREADY_CONFIRMED = 12, /* cancel, release or extend of a confirmed hold */
  STOCK_OUTCOME_ALREADY_CANCELLED = 13, /* confirm or extend of a cancelled hold */
  STOCK_OUTCOME_STOCK_ADJUSTED = 14,    /* adjust */
  STOCK_OUTCOME_TOO_FEW_AVAILABLE = 15, /* adjust: fewer are available than it would take away */
  STOCK_OUTCOME_AVAILABLE_DIFFERS = 16, /* set_stock_if: not so many are available as was expected */
  STOCK_OUTCOME_STOCK_RETIRED = 17,     /* retire */
  STOCK_OUTCOME_NOT_FOR_SALE = 18,      /* reserve: the SKU is retired */
  STOCK_OUTCOME_EXTENDED = 19,          /* extend: the hold has the later deadline */
  STOCK_OUTCOME_EXTENDED_TOO_OFTEN = 20 /* extend: the hold has had all its extensions */
};

typedef int stock_hold_status;
enum {
  STOCK_HOLD_UNSPECIFIED = 0, STOCK_HOLD_ACTIVE = 1, STOCK_HOLD_CONFIRMED = 2, STOCK_HOLD_CANCELLED = 3,
  STOCK_HOLD_EXPIRED = 4
};

/* What must have happened to a change before you hear of it: WIRE.md, "Acknowledgement". */
typedef int stock_acknowledge;
enum {
  STOCK_ACKNOWLEDGE_DEFAULT = 0, /* the server's setting: FSYNC, unless it was set otherwise */
  STOCK_ACKNOWLEDGE_MEMORY = 1,  /* the store has it in memory; a crash may forget it */
  STOCK_ACKNOWLEDGE_FSYNC = 2,   /* the store's disk has it */
  STOCK_ACKNOWLEDGE_REPLICA = 3, /* and replicas of the store have it in memory */
  STOCK_ACKNOWLEDGE_LEDGER = 4   /* FSYNC, and the books have it */
};

typedef int stock_serving;
enum {
  STOCK_SERVING_UNSPECIFIED = 0, STOCK_SERVING_YES = 1,
  STOCK_SERVING_DEGRADED = 2, /* selling, but weaker than promised: see the warnings */
  STOCK_SERVING_NO = 3
};

/* Times are milliseconds since 1970-01-01T00:00:00Z by the store's clock. */
/* Of a hold that ended more than a minute ago sku, user_id, key and payment_ref may be "", and qty 0: the
 * store remembers it in short, and the books (`stockctl hold history`) have the rest. */
typedef struct stock_hold {
  const char *hold_id;
  stock_hold_status status;
  const char *sku;
  uint64_t qty;
  const char *user_id, *key;
  int64_t created_at_ms, expires_at_ms, changed_at_ms;
  uint64_t version;                   /* 1 when created, one more with every change */
  const char *payment_ref, *order_id; /* of a confirmed hold */
} stock_hold;

/* available + held + sold = supplied, always. */
typedef struct stock_level {
  const char *sku;
  uint64_t available, held, sold, supplied;
  uint64_t version;
  bool retired; /* no new holds begin, until stock is set again */
} stock_level;

/* What has happened, with the state after it: events.proto. */
typedef struct stock_event {
  const char *type;         /* "HOLD_CREATED"; a newer server may send one that is not known here */
  const char *event_id;     /* the same when an event comes again; "": the server could not read it */
  int64_t time_ms;
  const char *traceparent;  /* of the call behind it, if it sent one */
  const stock_hold *hold;   /* of HOLD_…, else NULL; without order_id */
  const stock_level *stock; /* of STOCK_…, else NULL */
  int64_t delta;            /* of STOCK_…: how much `supplied` moved */
  const char *request_id;   /* of STOCK_SET, STOCK_ADJUSTED, STOCK_RETIRED */
  const char *actor, *reason; /* who, and why, where somebody said so */
  const char *unread;       /* what the server could not read: unread_bytes, as they stand in the store */
  size_t unread_bytes;
} stock_event;

typedef struct stock_reply {
  uint64_t tag; /* what stock_submit_… was given; 0 from a blocking call */
  stock_code code;
  const char *reason, *message;
  const char *field;       /* the field at fault, if one is: "qty", "items[17].sku" */
  bool retryable;          /* the same call, unchanged, may succeed later */
  bool outcome_unknown;    /* the call may or may not have happened */
  uint32_t retry_after_ms; /* 0: no advice */
  uint32_t attempts;       /* that were sent, the last included */

  stock_outcome outcome;
  const char *hold_id; /* reserve: HELD, REPEATED; as are the next two */
  stock_hold_status hold_status;
  int64_t expires_at_ms;
  uint64_t available; /* reserve: units left after this call */
  stock_acknowledge acknowledged; /* of changes of holds: what was reached, when stock_set_acknowledge named
                                     a level, or when it is less than was promised; else DEFAULT.
                                     Less is done all the same: make the call again to know more */

  const stock_hold *hold;   /* confirm, cancel, release, extend, get_hold, find_hold; NULL: there is none */
  const stock_level *stock; /* get_stock, set_stock, set_stock_if, adjust, retire; NULL: there is none */

  /* reserve_batch: one for each item, in their order.  list: one for each SKU, by the bytes of their names,
   * with `stock` and `closed`. */
  const struct stock_reply *const *items;
  size_t item_count;

  stock_serving serving; /* health, as are the next two */
  const char *const *warnings;
  size_t warning_count;
  const char *server_version;

  bool more;                /* an item of a stream, which goes on; `code` is OK.  As are the next three */
  const char *token;        /* stands for all items up to this one: where to go on */
  bool closed;              /* watch, and items of list: stock:<sku> was changed by hand, nothing is sold
                               until it is adopted */
  const stock_event *event; /* follow; NULL: the item is a token alone */

  const char *request_id; /* the x-request-id of stock_set_metadata, as the server gave it back */

  const char *next; /* list: where the next page begins; "": this was the last one */
} stock_reply;

#ifdef __cplusplus
}
#endif
#endif
