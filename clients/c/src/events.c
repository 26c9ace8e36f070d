/* The items of streams as a stock_reply. */
#define _GNU_SOURCE
#include <string.h>

#include "client.h"
#include "stock/v1/events.pb-c.h"
#include "stock/v1/feed.pb-c.h"

static bool show_update(stock_reply *into, arena *memory, const ProtobufCMessage *message) {
  const Stock__V1__StockUpdate *update = (const Stock__V1__StockUpdate *)message;
  into->outcome = (int)update->outcome;
  into->closed = update->closed;
  return show_text(&into->token, memory, update->token) && show_level(into, memory, update->stock);
}

/* Who asked for a correction, or for the change. */
static bool show_who(stock_event *into, arena *memory, const Stock__V1__Correction *correction,
                     ProtobufCBinaryData actor, ProtobufCBinaryData reason) {
  return show_text(&into->actor, memory, correction == NULL ? actor : correction->actor) &&
         show_text(&into->reason, memory, correction == NULL ? reason : correction->reason);
}

/* The event's id is the hold's, and its version. */
static ProtobufCBinaryData hold_id(ProtobufCBinaryData event_id) {
  const uint8_t *slash = event_id.len == 0 ? NULL : memrchr(event_id.data, '/', event_id.len);
  if (slash != NULL) event_id.len = (size_t)(slash - event_id.data);
  return event_id;
}

static bool show_hold_event(stock_event *into, arena *memory, const Stock__V1__HoldEvent *event,
                            ProtobufCBinaryData event_id) {
  stock_hold *hold = arena_take(memory, sizeof *hold);
  if (hold == NULL) return false;
  into->hold = hold;
  hold->status = (int)event->status;
  hold->created_at_ms = (int64_t)event->created_at;
  hold->expires_at_ms = (int64_t)event->expires_at;
  hold->changed_at_ms = (int64_t)event->changed_at;
  hold->version = event->version;
  hold->order_id = "";
  ProtobufCBinaryData sku = {0, NULL};
  if (event->n_lines > 0) {
    hold->qty = event->lines[0]->qty;
    sku = event->lines[0]->sku;
  }
  return show_text(&hold->hold_id, memory, hold_id(event_id)) && show_text(&hold->sku, memory, sku) &&
         show_text(&hold->user_id, memory, event->user_id) &&
         show_text(&hold->key, memory, event->idempotency_key) &&
         show_text(&hold->payment_ref, memory, event->payment_ref) &&
         show_who(into, memory, event->correction, event->actor, event->reason);
}

static bool show_stock_event(stock_event *into, arena *memory, const Stock__V1__StockEvent *event) {
  stock_level *level = arena_take(memory, sizeof *level);
  if (level == NULL) return false;
  into->stock = level;
  level->available = event->available;
  level->held = event->held;
  level->sold = event->sold;
  level->supplied = event->supplied;
  level->version = event->version;
  level->retired = event->retired;
  into->delta = event->delta;
  return show_text(&level->sku, memory, event->sku) &&
         show_text(&into->request_id, memory, event->request_id) &&
         show_who(into, memory, event->correction, event->actor, event->reason);
}

static bool show_unread(stock_event *into, arena *memory, ProtobufCBinaryData bytes) {
  into->unread_bytes = bytes.len;
  return show_text(&into->unread, memory, bytes);
}

static bool show_event(stock_event *into, arena *memory, const Stock__V1__FollowItem *item) {
  *into = (stock_event){.time_ms = item->time, .request_id = "", .actor = "", .reason = "", .unread = ""};
  if (!show_text(&into->type, memory, item->event_type) ||
      !show_text(&into->event_id, memory, item->event_id) ||
      !show_text(&into->traceparent, memory, item->traceparent))
    return false;
  switch (item->event_case) {
    case STOCK__V1__FOLLOW_ITEM__EVENT_HOLD: return show_hold_event(into, memory, item->hold, item->event_id);
    case STOCK__V1__FOLLOW_ITEM__EVENT_STOCK: return show_stock_event(into, memory, item->stock);
    case STOCK__V1__FOLLOW_ITEM__EVENT_UNREAD: return show_unread(into, memory, item->unread);
    default: return true;
  }
}

static bool show_item(stock_reply *into, arena *memory, const ProtobufCMessage *message) {
  const Stock__V1__FollowItem *item = (const Stock__V1__FollowItem *)message;
  if (!show_text(&into->token, memory, item->token)) return false;
  if (item->event_type.len == 0) return true;
  stock_event *event = arena_take(memory, sizeof *event);
  into->event = event;
  return event != NULL && show_event(event, memory, item);
}

const method METHOD_WATCH = {"stock.v1.Stock/Watch", &stock__v1__stock_update__descriptor, show_update, 2};
const method METHOD_FOLLOW = {"stock.v1.Events/Follow", &stock__v1__follow_item__descriptor, show_item, 1};
