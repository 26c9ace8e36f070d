/* The server's messages as a stock_reply. */
#include "client.h"
#include "stock/v1/connection.pb-c.h"
#include "stock/v1/health.pb-c.h"
#include "stock/v1/reservations.pb-c.h"
#include "stock/v1/stock.pb-c.h"

/* What is missing in a message is missing in the reply; only memory can be short. */
bool show_text(const char **into, arena *memory, ProtobufCBinaryData bytes) {
  *into = arena_text(memory, bytes);
  return *into != NULL;
}

static bool show_hold(stock_reply *into, arena *memory, const Stock__V1__Hold *hold) {
  if (hold == NULL) return true;
  stock_hold *shown = arena_take(memory, sizeof *shown);
  if (shown == NULL) return false;
  into->hold = shown;
  shown->status = (int)hold->status;
  shown->qty = hold->qty;
  shown->created_at_ms = hold->created_at;
  shown->expires_at_ms = hold->expires_at;
  shown->changed_at_ms = hold->changed_at;
  shown->version = hold->version;
  return show_text(&shown->hold_id, memory, hold->hold_id) && show_text(&shown->sku, memory, hold->sku) &&
         show_text(&shown->user_id, memory, hold->user_id) &&
         show_text(&shown->key, memory, hold->idempotency_key) &&
         show_text(&shown->payment_ref, memory, hold->payment_ref) &&
         show_text(&shown->order_id, memory, hold->order_id);
}

bool show_level(stock_reply *into, arena *memory, const Stock__V1__StockLevel *level) {
  if (level == NULL) return true;
  stock_level *shown = arena_take(memory, sizeof *shown);
  if (shown == NULL) return false;
  into->stock = shown;
  shown->available = level->available;
  shown->held = level->held;
  shown->sold = level->sold;
  shown->supplied = level->supplied;
  shown->version = level->version;
  shown->retired = level->retired;
  return show_text(&shown->sku, memory, level->sku);
}

static bool show_reserve(stock_reply *into, arena *memory, const ProtobufCMessage *message) {
  const Stock__V1__ReserveReply *reply = (const Stock__V1__ReserveReply *)message;
  into->outcome = (int)reply->outcome;
  into->hold_status = (int)reply->status;
  into->expires_at_ms = reply->expires_at;
  into->available = reply->available;
  into->acknowledged = (int)reply->acknowledged;
  return show_text(&into->hold_id, memory, reply->hold_id);
}

/* As many items as asked for, empty; NULL: memory is short. */
static stock_reply **reply_items(stock_reply *into, arena *memory, size_t count) {
  stock_reply **items = arena_take(memory, count * sizeof *items);
  stock_reply *each = arena_take(memory, count * sizeof *each);
  if (items == NULL || each == NULL) return NULL;
  for (size_t place = 0; place < count; place++) {
    each[place] = REPLY_EMPTY;
    items[place] = &each[place];
  }
  into->items = (const stock_reply *const *)items;
  into->item_count = count;
  return items;
}

static bool show_item(stock_reply *into, arena *memory, const Stock__V1__ReserveResult *result) {
  into->code = (int)result->status;
  if (result->reply != NULL) return show_reserve(into, memory, &result->reply->base);
  const Stock__V1__ErrorDetail *detail = result->detail;
  if (detail == NULL) return true;
  into->retryable = detail->retryable;
  into->outcome_unknown = detail->outcome_unknown;
  into->retry_after_ms = detail->retry_after_ms;
  return show_text(&into->reason, memory, detail->reason) &&
         show_text(&into->message, memory, detail->message) &&
         show_text(&into->field, memory, detail->field);
}

static bool show_batch(stock_reply *into, arena *memory, const ProtobufCMessage *message) {
  const Stock__V1__BatchReserveReply *reply = (const Stock__V1__BatchReserveReply *)message;
  stock_reply **items = reply_items(into, memory, reply->n_results);
  for (size_t place = 0; items != NULL && place < reply->n_results; place++)
    if (!show_item(items[place], memory, reply->results[place])) return false;
  return items != NULL;
}

static bool show_confirm(stock_reply *into, arena *memory, const ProtobufCMessage *message) {
  const Stock__V1__ConfirmReply *reply = (const Stock__V1__ConfirmReply *)message;
  into->outcome = (int)reply->outcome;
  into->acknowledged = (int)reply->acknowledged;
  return show_hold(into, memory, reply->hold);
}

static bool show_cancel(stock_reply *into, arena *memory, const ProtobufCMessage *message) {
  const Stock__V1__CancelReply *reply = (const Stock__V1__CancelReply *)message;
  into->outcome = (int)reply->outcome;
  into->acknowledged = (int)reply->acknowledged;
  return show_hold(into, memory, reply->hold);
}

static bool show_release(stock_reply *into, arena *memory, const ProtobufCMessage *message) {
  const Stock__V1__ReleaseReply *reply = (const Stock__V1__ReleaseReply *)message;
  into->outcome = (int)reply->outcome;
  into->acknowledged = (int)reply->acknowledged;
  return show_hold(into, memory, reply->hold);
}

static bool show_extend(stock_reply *into, arena *memory, const ProtobufCMessage *message) {
  const Stock__V1__ExtendReply *reply = (const Stock__V1__ExtendReply *)message;
  into->outcome = (int)reply->outcome;
  into->acknowledged = (int)reply->acknowledged;
  return show_hold(into, memory, reply->hold);
}

static bool show_get_hold(stock_reply *into, arena *memory, const ProtobufCMessage *message) {
  const Stock__V1__GetHoldReply *reply = (const Stock__V1__GetHoldReply *)message;
  into->outcome = (int)reply->outcome;
  return show_hold(into, memory, reply->hold);
}

static bool show_set_stock(stock_reply *into, arena *memory, const ProtobufCMessage *message) {
  const Stock__V1__SetStockReply *reply = (const Stock__V1__SetStockReply *)message;
  into->outcome = (int)reply->outcome;
  return show_level(into, memory, reply->stock);
}

static bool show_adjust_stock(stock_reply *into, arena *memory, const ProtobufCMessage *message) {
  const Stock__V1__AdjustStockReply *reply = (const Stock__V1__AdjustStockReply *)message;
  into->outcome = (int)reply->outcome;
  return show_level(into, memory, reply->stock);
}

static bool show_retire_stock(stock_reply *into, arena *memory, const ProtobufCMessage *message) {
  const Stock__V1__RetireStockReply *reply = (const Stock__V1__RetireStockReply *)message;
  into->outcome = (int)reply->outcome;
  return show_level(into, memory, reply->stock);
}

static bool show_adopt_stock(stock_reply *into, arena *memory, const ProtobufCMessage *message) {
  const Stock__V1__AdoptStockReply *reply = (const Stock__V1__AdoptStockReply *)message;
  into->outcome = (int)reply->outcome;
  return show_level(into, memory, reply->stock);
}

static bool show_list_stock(stock_reply *into, arena *memory, const ProtobufCMessage *message) {
  const Stock__V1__ListStockReply *reply = (const Stock__V1__ListStockReply *)message;
  stock_reply **items = reply_items(into, memory, reply->n_stock);
  if (items == NULL) return false;
  for (size_t place = 0; place < reply->n_stock; place++) {
    const Stock__V1__StockListing *listing = reply->stock[place];
    items[place]->closed = listing->closed;
    if (listing->stock == NULL || !show_level(items[place], memory, listing->stock)) return false;
  }
  return show_text(&into->next, memory, reply->next);
}

static bool show_get_stock(stock_reply *into, arena *memory, const ProtobufCMessage *message) {
  const Stock__V1__GetStockReply *reply = (const Stock__V1__GetStockReply *)message;
  into->outcome = (int)reply->outcome;
  return show_level(into, memory, reply->stock);
}

static bool show_health(stock_reply *into, arena *memory, const ProtobufCMessage *message) {
  const Stock__V1__HealthCheckReply *reply = (const Stock__V1__HealthCheckReply *)message;
  into->serving = (int)reply->status;
  const char **warnings = arena_take(memory, reply->n_warnings * sizeof *warnings);
  if (warnings == NULL && reply->n_warnings > 0) return false;
  for (size_t place = 0; place < reply->n_warnings; place++)
    if (!show_text(&warnings[place], memory, reply->warnings[place])) return false;
  into->warnings = warnings;
  into->warning_count = reply->n_warnings;
  return show_text(&into->server_version, memory, reply->version);
}

static bool show_ping(stock_reply *into, arena *memory, const ProtobufCMessage *message) {
  (void)into, (void)memory, (void)message;
  return true;
}

const method METHOD_RESERVE = {"stock.v1.Reservations/Reserve", &stock__v1__reserve_reply__descriptor,
                               show_reserve, 0};
const method METHOD_BATCH_RESERVE = {"stock.v1.Reservations/BatchReserve",
                                     &stock__v1__batch_reserve_reply__descriptor, show_batch, 0};
const method METHOD_CONFIRM = {"stock.v1.Reservations/Confirm", &stock__v1__confirm_reply__descriptor,
                               show_confirm, 0};
const method METHOD_CANCEL = {"stock.v1.Reservations/Cancel", &stock__v1__cancel_reply__descriptor,
                              show_cancel, 0};
const method METHOD_RELEASE = {"stock.v1.Reservations/Release", &stock__v1__release_reply__descriptor,
                               show_release, 0};
const method METHOD_EXTEND = {"stock.v1.Reservations/Extend", &stock__v1__extend_reply__descriptor,
                              show_extend, 0};
const method METHOD_GET_HOLD = {"stock.v1.Reservations/GetHold", &stock__v1__get_hold_reply__descriptor,
                                show_get_hold, 0};
const method METHOD_SET_STOCK = {"stock.v1.Stock/Set", &stock__v1__set_stock_reply__descriptor,
                                 show_set_stock, 0};
const method METHOD_ADJUST_STOCK = {"stock.v1.Stock/Adjust", &stock__v1__adjust_stock_reply__descriptor,
                                    show_adjust_stock, 0};
const method METHOD_RETIRE_STOCK = {"stock.v1.Stock/Retire", &stock__v1__retire_stock_reply__descriptor,
                                    show_retire_stock, 0};
const method METHOD_ADOPT_STOCK = {"stock.v1.Stock/Adopt", &stock__v1__adopt_stock_reply__descriptor,
                                   show_adopt_stock, 0};
const method METHOD_LIST_STOCK = {"stock.v1.Stock/List", &stock__v1__list_stock_reply__descriptor,
                                  show_list_stock, 0};
const method METHOD_GET_STOCK = {"stock.v1.Stock/Get", &stock__v1__get_stock_reply__descriptor,
                                 show_get_stock, 0};
const method METHOD_HEALTH = {"stock.v1.Health/Check", &stock__v1__health_check_reply__descriptor,
                              show_health, 0};
const method METHOD_PING = {"stock.v1.Connection/Ping", &stock__v1__ping_reply__descriptor, show_ping, 0};
