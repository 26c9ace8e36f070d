/* libstockstream: reserve, confirm and cancel limited stock, from C, C++ and whatever can call C.
 *
 *   stock_client *client = stock_client_new("127.0.0.1:7420", NULL, NULL);
 *   stock_reservation what = {.sku = "iphone_15_pro_256", .qty = 1, .user_id = "ada", .key = "order-1"};
 *   const stock_reply *reply = stock_reserve(client, &what, 0);
 *   if (reply->code != STOCK_CODE_OK)
 *     fprintf(stderr, "%s: %s\n", reply->reason, reply->message);
 *   else if (reply->outcome == STOCK_OUTCOME_HELD)
 *     printf("held as %s, %llu left\n", reply->hold_id, (unsigned long long)reply->available);
 *   stock_client_free(client);
 *
 * What a reply says is in stockstream-values.h.
 *
 * ANSWERS AND ERRORS.  A call always ends in a stock_reply.  Its `code` says whether the service did its
 * work; then `outcome` says what the shop decided.  Sold out is an outcome, not an error.  Any other code
 * comes with a `reason`, one word for the program (the table in WIRE.md), and a `message` for a person.
 * Reasons that are made here: UNREACHABLE (nobody answers at the address), CONNECTION_LOST, NO_ANSWER,
 * DEADLINE, MALFORMED_REPLY, CLIENT_CLOSED, CLIENT_BUSY, TOO_LARGE, TOO_MANY_CALLS, OUT_OF_MEMORY,
 * STREAM_ENDED, STREAM (the method answers with a stream, which a service stub cannot read:
 * see STREAMS).
 *
 * REPEATS.  Every call of the service can be repeated: it carries what makes a repeat find the work of
 * the first.  The library does so by itself, unchanged, until the call's timeout: when the server says
 * that another attempt may succeed (after the pause that it asks for), and when an attempt may or may not
 * have happened, as when the connection died.  Pauses are random and grow.  A budget keeps repeats a
 * small share of all calls.  If an answer has `outcome_unknown`, the call may have happened: make it
 * again, with the same key, to learn.
 *
 * OWNERSHIP.  What you pass in is copied before the function returns.  A stock_reply, and all that it
 * points to, belongs to the client, and is good until the next blocking call, stock_poll or
 * stock_client_free on that client; submitting does not touch it.  No pointer in it is NULL but `hold`,
 * `stock`, `event`, and an `items` or `warnings` without members; a text that is not there is "".
 *
 * THREADS.  A client is used by one thread at a time.  Many threads: a client each; they share nothing.
 * The library has no global state, starts no thread, installs no signal handler and raises no SIGPIPE.
 * Descriptors are closed on exec; do not use a client on both sides of a fork.
 *
 * MEMORY.  A client grows to what its calls need, and after that allocates nothing.
 *
 * STABILITY.  What is here keeps its meaning and its layout while the library is libstockstream.so.1.
 * Structures that the library hands out may grow at their end, and so may stock_options, which says how
 * long it is; a stock_reservation and a stock_follow never change. */
#ifndef STOCKSTREAM_H
#define STOCKSTREAM_H

#include "stockstream-values.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Limits of every field: WIRE.md.  What is outside comes back as INVALID_ARGUMENT with its `field`. */
typedef struct stock_reservation {
  const char *sku;
  uint64_t qty;
  const char *user_id;
  const char *key;  /* the idempotency key: the same for every repeat, another for another order */
  uint64_t ttl_ms;  /* life of the hold; 0: the server's default */
} stock_reservation;

typedef struct stock_options {
  size_t size;                 /* set by stock_options_init */
  const char *name;            /* what the server calls this client in its log: "shop/1.4" */
  uint32_t connect_timeout_ms; /* 2,000; of one attempt at one address */
  uint32_t keepalive_ms;       /* 10,000; a server that owes an answer and is silent for so long is asked
                                  whether it lives, and given up after as long again.  0: never */
  uint32_t calls_max;          /* 1,024; calls outstanding at once, 1 to 16,000 */
  uint32_t attempts_max;       /* 8; the first included.  1: nothing is repeated */
  uint32_t pause_ms_first;     /* 20; the first pause is random up to this, later ones up to twice as long */
  uint32_t pause_ms_max;       /* 2,000; unless the server asks for more */
  uint32_t repeats_max;        /* 1,000; the budget: a repeat takes one, ten successes give one back */
  uint32_t busy_poll_us;       /* 0; wait so long for an answer without sleeping.  It takes a core, and
                                  saves the time that it takes to wake up */
  bool wait_for_server;        /* true; false: while no connection has ever been made, calls fail as soon
                                  as every address has been tried */
  uint32_t window_bytes;       /* 65,536; of items that a stream may have on the way, 1 to 1,048,576 */
  bool send_deadline_at;       /* false; true: see LATE FRAMES */
} stock_options;

typedef struct stock_client stock_client;

/* Fills in the defaults.  `size` is sizeof(stock_options) where you compile. */
void stock_options_init(stock_options *options, size_t size);

/* LATE FRAMES.  The timeout of a call counts from when the server can read it: a frame that a network kept
 * for long may be carried out long after its caller has gone.  With send_deadline_at each call says until
 * when it is waited for, in milliseconds since 1970 by this machine's clock, and what reaches the server
 * later does nothing.  The server judges that by its own clock, so both must be kept in step, to well within
 * the timeouts of your calls: while this one is behind, calls have that much less time, and end in DEADLINE
 * when that is more than their timeout; while it is ahead, frames count for that much longer.  A server that
 * does not know the field ignores it.  Streams have no such time. */

/* A client.  It connects with its first call, and again whenever the connection has died.
 *
 * addresses: "host:port", "[v6 address]:port" or "unix:/path"; several with commas between, at most 8, of
 *   servers of the same shop.  With several, one that does not serve (its health says so, it is going
 *   away, its store is gone, or it cannot be reached) is left for the next.  Names are looked up here,
 *   which may wait for DNS, and not again.
 * options: NULL for the defaults.  Copied.
 * error: NULL, or where to put a text (static) that says what is wrong.
 * Returns NULL when an address or an option is wrong, or memory or descriptors are short. */
stock_client *stock_client_new(const char *addresses, const stock_options *options, const char **error);

/* Closes and releases.  Undelivered completions of submitted calls are forgotten (see
 * stock_client_close); closures of service calls are run with NULL.  NULL is allowed. */
void stock_client_free(stock_client *client);

/* BLOCKING CALLS.  timeout_ms is for everything: connecting, pauses, repeats.  0: 5,000; at most 60,000.
 * They return at the latest a quarter of a second after it.  Never NULL.  While submitted calls are
 * outstanding, a blocking call is refused with FAILED_PRECONDITION/CLIENT_BUSY. */
const stock_reply *stock_reserve(stock_client *client, const stock_reservation *what, uint32_t timeout_ms);

/* Up to 4,096 reservations in one frame, each as if it had come alone: see `items`. */
const stock_reply *stock_reserve_batch(stock_client *client, const stock_reservation *what, size_t count,
                                       uint32_t timeout_ms);

/* Turns a hold into an order.  With the same payment_ref it can be repeated. */
const stock_reply *stock_confirm(stock_client *client, const char *hold_id, const char *payment_ref,
                                 uint32_t timeout_ms);
/* Gives the units of a hold back. */
const stock_reply *stock_cancel(stock_client *client, const char *hold_id, uint32_t timeout_ms);
/* A cancel in a person's name: why, and who asks for it, both, go into the event and the books. */
const stock_reply *stock_release(stock_client *client, const char *hold_id, const char *reason,
                                 const char *actor, uint32_t timeout_ms);
/* Gives a hold a later deadline; an earlier one changes nothing.  At most 10 times, and up to 7 days after
 * the hold was made.  expires_at_ms: a time, not a duration, so that a repeat adds nothing. */
const stock_reply *stock_extend(stock_client *client, const char *hold_id, int64_t expires_at_ms,
                                uint32_t timeout_ms);
const stock_reply *stock_get_hold(stock_client *client, const char *hold_id, uint32_t timeout_ms);
/* The hold that this user made with this key. */
const stock_reply *stock_find_hold(stock_client *client, const char *user_id, const char *key,
                                   uint32_t timeout_ms);
const stock_reply *stock_get_stock(stock_client *client, const char *sku, uint32_t timeout_ms);
/* Accepts the figure that stands in Redis at stock:<sku> as the units available: opens a SKU that was changed
 * by hand.  REPEATED when it is open. */
const stock_reply *stock_adopt(stock_client *client, const char *sku, uint32_t timeout_ms);
/* Sets the units available.  request_id: new for every change that is meant, the same for a repeat.  A
 * retired SKU is on sale again. */
const stock_reply *stock_set_stock(stock_client *client, const char *sku, uint64_t available,
                                   const char *request_id, uint32_t timeout_ms);
/* The same, only if so many are available now: else AVAILABLE_DIFFERS with the figures as they are, and
 * nothing is done.  What was done once is REPEATED, whatever has become of the figures since.
 * if_available: NULL: however many.  reason, actor: as in stock_adjust. */
const stock_reply *stock_set_stock_if(stock_client *client, const char *sku, uint64_t available,
                                      const uint64_t *if_available, const char *request_id,
                                      const char *reason, const char *actor, uint32_t timeout_ms);
/* Adds `delta` to the units available, or takes some away, never more than there are.  request_id: as above.
 * reason, actor: why, and who asks for it, for the event and the books; NULL: nobody says. */
const stock_reply *stock_adjust(stock_client *client, const char *sku, int64_t delta, const char *request_id,
                                const char *reason, const char *actor, uint32_t timeout_ms);
/* Takes a SKU off sale: no new holds begin, until stock is set again.  Its units stay where they are, and its
 * holds go on.  request_id, reason, actor: as in stock_adjust.  REPEATED also when it was retired already. */
const stock_reply *stock_retire(stock_client *client, const char *sku, const char *request_id,
                                const char *reason, const char *actor, uint32_t timeout_ms);
/* A page of all SKUs whose stock was ever changed, by the bytes of their names: `items`, `next`.  Each is on
 * one page, whatever is sold meanwhile; the figures are of when the page was read.
 *
 *   const stock_reply *page = stock_list(client, NULL, 0, 0);
 *   for (; page->code == STOCK_CODE_OK; page = stock_list(client, page->next, 0, 0)) {
 *     for (size_t i = 0; i < page->item_count; i++) show(page->items[i]->stock);
 *     if (page->next[0] == 0) break;
 *   }
 *
 * after: the `next` of the page before, as it stands there or as you kept it; NULL: the first page.
 * limit: SKUs, 1 to 200; 0: 100. */
const stock_reply *stock_list(stock_client *client, const char *after, uint32_t limit, uint32_t timeout_ms);
/* Whether to send work there.  service: NULL for the server as a whole, or "stock.v1.Reservations". */
const stock_reply *stock_health(stock_client *client, const char *service, uint32_t timeout_ms);
/* Whether the process at the other end turns. */
const stock_reply *stock_ping(stock_client *client, uint32_t timeout_ms);

/* What reserves, batches, confirms, cancels, releases and extends from now on ask for; DEFAULT at first.  A
 * level that the store cannot keep is refused with FAILED_PRECONDITION/ACKNOWLEDGE_UNAVAILABLE, and nothing
 * is done. */
void stock_set_acknowledge(stock_client *client, stock_acknowledge level);

/* HEADERS of the calls and streams that are made from now on: at most 32, and 4,096 bytes of keys and values
 * with a zero byte behind each.  "traceparent" (W3C) goes with a change into its event; "x-request-id" stands
 * in the server's log beside a failure, and comes back in the reply; the server ignores others.  A repeat
 * carries what its call was made with.  A key has one value, the last one; NULL takes it away.
 * INVALID_ARGUMENT (no key, or a limit) and RESOURCE_EXHAUSTED (memory) change nothing. */
stock_code stock_set_metadata(stock_client *client, const char *key, const char *value);

/* PIPELINED CALLS.  Submitting queues; stock_poll and stock_flush send.  All that has been submitted by
 * then travels in one write.
 *
 *   for (uint64_t i = 0; i < n; i++) stock_submit_reserve(client, i, &orders[i], 0);
 *   const stock_reply *reply;
 *   while ((reply = stock_poll(client, -1)) != NULL) done(reply->tag, reply);
 *
 * Answers come in any order.  A call that was accepted (STOCK_CODE_OK) is completed exactly once, whatever
 * happens.  One that was not accepted is not completed: RESOURCE_EXHAUSTED (calls_max or 64 streams are
 * outstanding, or memory is short), INVALID_ARGUMENT (larger than a frame), CANCELLED (it is closed). */
stock_code stock_submit_reserve(stock_client *client, uint64_t tag, const stock_reservation *what,
                                uint32_t timeout_ms);
stock_code stock_submit_reserve_batch(stock_client *client, uint64_t tag, const stock_reservation *what,
                                      size_t count, uint32_t timeout_ms);
stock_code stock_submit_confirm(stock_client *client, uint64_t tag, const char *hold_id,
                                const char *payment_ref, uint32_t timeout_ms);
stock_code stock_submit_cancel(stock_client *client, uint64_t tag, const char *hold_id, uint32_t timeout_ms);
stock_code stock_submit_release(stock_client *client, uint64_t tag, const char *hold_id, const char *reason,
                                const char *actor, uint32_t timeout_ms);
stock_code stock_submit_extend(stock_client *client, uint64_t tag, const char *hold_id,
                               int64_t expires_at_ms, uint32_t timeout_ms);
stock_code stock_submit_get_hold(stock_client *client, uint64_t tag, const char *hold_id,
                                 uint32_t timeout_ms);
stock_code stock_submit_find_hold(stock_client *client, uint64_t tag, const char *user_id, const char *key,
                                  uint32_t timeout_ms);
stock_code stock_submit_get_stock(stock_client *client, uint64_t tag, const char *sku, uint32_t timeout_ms);
stock_code stock_submit_adopt(stock_client *client, uint64_t tag, const char *sku, uint32_t timeout_ms);
stock_code stock_submit_set_stock(stock_client *client, uint64_t tag, const char *sku, uint64_t available,
                                  const char *request_id, uint32_t timeout_ms);
stock_code stock_submit_set_stock_if(stock_client *client, uint64_t tag, const char *sku, uint64_t available,
                                     const uint64_t *if_available, const char *request_id,
                                     const char *reason, const char *actor, uint32_t timeout_ms);
stock_code stock_submit_adjust(stock_client *client, uint64_t tag, const char *sku, int64_t delta,
                               const char *request_id, const char *reason, const char *actor,
                               uint32_t timeout_ms);
stock_code stock_submit_retire(stock_client *client, uint64_t tag, const char *sku, const char *request_id,
                               const char *reason, const char *actor, uint32_t timeout_ms);
stock_code stock_submit_list(stock_client *client, uint64_t tag, const char *after, uint32_t limit,
                             uint32_t timeout_ms);
stock_code stock_submit_health(stock_client *client, uint64_t tag, const char *service, uint32_t timeout_ms);
stock_code stock_submit_ping(stock_client *client, uint64_t tag, uint32_t timeout_ms);

/* STREAMS.  A stream is a submitted call that is completed many times: by items, whose replies have `more`,
 * and then exactly once without, its end.
 *
 *   const char *skus[] = {"iphone_15_pro_256"};
 *   stock_submit_watch(client, 1, skus, 1, NULL);
 *   const stock_reply *reply;
 *   while ((reply = stock_poll(client, -1)) != NULL && reply->more)
 *     printf("%s: %llu\n", reply->stock->sku, (unsigned long long)reply->stock->available);
 *
 * It has no timeout.  When its connection is lost or its server goes, it is made again after the last item
 * that stock_poll has returned, for as long as it takes (attempts_max 1: it ends instead).  It ends by
 * stock_stream_end (CANCELLED/STREAM_ENDED), by stock_client_close, or by a status that another attempt would
 * not cure, such as OUT_OF_RANGE/TOKEN_TOO_OLD.  Items that are not polled for stay with the server, as soon
 * as window_bytes of them are on the way: a stream takes no more memory than its largest item.
 *
 * Keep the token of the last item that you have dealt with, and begin after it the next time, with any server
 * of the shop.  While a stream is open, blocking calls are refused with CLIENT_BUSY: submit them, or take
 * another client. */

/* The figures of 1 to 256 SKUs, each once, and again whenever they have changed: `outcome` (FOUND,
 * UNKNOWN_SKU), `stock`, `closed`, `token`.  Not each change: who is slow gets what is true by then.
 * after: a token for the same SKUs; nothing is sent while nothing differs.  NULL: every SKU first. */
stock_code stock_submit_watch(stock_client *client, uint64_t tag, const char *const *skus, size_t count,
                              const char *after);

typedef struct stock_follow {
  const char *after;  /* a token; NULL: from what comes now on */
  bool from_earliest; /* without a token: from the earliest event that there is */
  const char *const *event_types; /* "HOLD_CREATED"; none: all.  At most 16 */
  size_t event_type_count;
  const char *const *skus; /* none: all.  At most 256 */
  size_t sku_count;
} stock_follow;

/* Every event at least once, those of one hold or SKU in their order: `event`, `token`.  The first item is a
 * token alone, and others are while events are filtered out. */
stock_code stock_submit_follow(stock_client *client, uint64_t tag, const stock_follow *what);

/* Ends the streams with this tag.  They give no more items, and are completed. */
void stock_stream_end(stock_client *client, uint64_t tag);

/* The next completion.  Waits for up to timeout_ms (-1: as long as it takes; 0: not at all).
 * NULL: the time is over, or nothing is outstanding, or closures of service calls have been run. */
const stock_reply *stock_poll(stock_client *client, int timeout_ms);

/* Sends what has been submitted, as far as that is possible without waiting. */
void stock_flush(stock_client *client);

/* Calls that have not been completed. */
size_t stock_outstanding(const stock_client *client);

/* IN YOUR OWN EVENT LOOP.  The descriptor stays the same for the life of the client; wait until it is
 * readable, for at most stock_timeout_ms (-1: no limit), then call stock_poll(client, 0) until it
 * returns NULL.  Do nothing else with it.  Ask for the timeout anew before each wait. */
int stock_fd(const stock_client *client);
int stock_timeout_ms(const stock_client *client);

/* Ends the connection.  Every outstanding call is completed with CANCELLED/CLIENT_CLOSED, and
 * `outcome_unknown` if it had been sent; take the completions with stock_poll.  New calls are refused. */
void stock_client_close(stock_client *client);

/* SERVICE STUBS.  What protoc-c generates for a `service` works over a client:
 *
 *   ProtobufCService *service = stock_service_new(client, &stock__v1__reservations__descriptor, 0);
 *   stock__v1__reservations__reserve(service, &request, on_reply, &state);
 *   while (stock_outstanding(client) > 0) stock_poll(client, -1);
 *   protobuf_c_service_destroy(service);
 *
 * The closure is called exactly once, from stock_poll or stock_client_free, or from the stub itself when
 * the call is not accepted; with NULL if it failed.  The message is good while the closure runs.  In it,
 * submit what you like, but neither poll nor flush.  The generated code is your own, or the installed
 * libstockstream-contracts.a (pkg-config stockstream-contracts); the library needs none of it.
 * timeout_ms: for each call.  NULL: out of memory. */
struct ProtobufCService;
struct ProtobufCServiceDescriptor;
struct ProtobufCService *stock_service_new(stock_client *client,
                                           const struct ProtobufCServiceDescriptor *descriptor,
                                           uint32_t timeout_ms);
/* What became of the call whose closure is running: code, reason, message, outcome_unknown.  Else NULL. */
const stock_reply *stock_service_reply(const struct ProtobufCService *service);

/* For logs: "SOLD_OUT", "UNAVAILABLE"; "?" for one that this version does not know. */
const char *stock_outcome_name(stock_outcome outcome);
const char *stock_code_name(stock_code code);
/* "0.1.0" */
const char *stock_library_version(void);

#ifdef __cplusplus
}
#endif
#endif
