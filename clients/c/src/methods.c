/* The calls that there are: each once to submit, and once to wait for. */
#include "client.h"
#include "stock/v1/connection.pb-c.h"
#include "stock/v1/health.pb-c.h"
#include "stock/v1/reservations.pb-c.h"
#include "stock/v1/stock.pb-c.h"

enum { BATCH_ITEMS_MAX = 4096 };

void stock_set_acknowledge(stock_client *c, stock_acknowledge level) { c->acknowledge = level; }

static void fill(Stock__V1__ReserveRequest *request, const stock_reservation *what) {
  stock__v1__reserve_request__init(request);
  request->sku = text(what->sku);
  request->qty = what->qty;
  request->user_id = text(what->user_id);
  request->idempotency_key = text(what->key);
  request->ttl_ms = what->ttl_ms;
}

stock_code stock_submit_reserve(stock_client *c, uint64_t tag, const stock_reservation *what,
                                uint32_t timeout_ms) {
  Stock__V1__ReserveRequest request;
  fill(&request, what);
  request.acknowledge = (Stock__V1__Acknowledge)c->acknowledge;
  return submit(c, tag, &METHOD_RESERVE, &request.base, timeout_ms, NULL);
}

stock_code stock_submit_reserve_batch(stock_client *c, uint64_t tag, const stock_reservation *what,
                                      size_t count, uint32_t timeout_ms) {
  if (count > BATCH_ITEMS_MAX) return STOCK_CODE_INVALID_ARGUMENT;
  arena_reset(&c->scratch);
  Stock__V1__ReserveRequest *items = arena_take(&c->scratch, count * sizeof *items);
  Stock__V1__ReserveRequest **list = arena_take(&c->scratch, count * sizeof *list);
  if (items == NULL || list == NULL) return STOCK_CODE_RESOURCE_EXHAUSTED;
  for (size_t place = 0; place < count; place++) {
    fill(&items[place], &what[place]);
    list[place] = &items[place];
  }
  Stock__V1__BatchReserveRequest request = STOCK__V1__BATCH_RESERVE_REQUEST__INIT;
  request.n_items = count;
  request.items = list;
  request.acknowledge = (Stock__V1__Acknowledge)c->acknowledge;
  uint32_t place;
  stock_code code = submit(c, tag, &METHOD_BATCH_RESERVE, &request.base, timeout_ms, &place);
  if (code == STOCK_CODE_OK) c->calls[place].items = count;
  return code;
}

stock_code stock_submit_confirm(stock_client *c, uint64_t tag, const char *hold_id, const char *payment_ref,
                                uint32_t timeout_ms) {
  Stock__V1__ConfirmRequest request = STOCK__V1__CONFIRM_REQUEST__INIT;
  request.hold_id = text(hold_id);
  request.payment_ref = text(payment_ref);
  request.acknowledge = (Stock__V1__Acknowledge)c->acknowledge;
  return submit(c, tag, &METHOD_CONFIRM, &request.base, timeout_ms, NULL);
}

stock_code stock_submit_cancel(stock_client *c, uint64_t tag, const char *hold_id, uint32_t timeout_ms) {
  Stock__V1__CancelRequest request = STOCK__V1__CANCEL_REQUEST__INIT;
  request.hold_id = text(hold_id);
  request.acknowledge = (Stock__V1__Acknowledge)c->acknowledge;
  return submit(c, tag, &METHOD_CANCEL, &request.base, timeout_ms, NULL);
}

stock_code stock_submit_release(stock_client *c, uint64_t tag, const char *hold_id, const char *reason,
                                const char *actor, uint32_t timeout_ms) {
  Stock__V1__ReleaseRequest request = STOCK__V1__RELEASE_REQUEST__INIT;
  request.hold_id = text(hold_id);
  request.reason = text(reason);
  request.actor = text(actor);
  request.acknowledge = (Stock__V1__Acknowledge)c->acknowledge;
  return submit(c, tag, &METHOD_RELEASE, &request.base, timeout_ms, NULL);
}

stock_code stock_submit_extend(stock_client *c, uint64_t tag, const char *hold_id, int64_t expires_at_ms,
                               uint32_t timeout_ms) {
  Stock__V1__ExtendRequest request = STOCK__V1__EXTEND_REQUEST__INIT;
  request.hold_id = text(hold_id);
  request.expires_at = expires_at_ms;
  request.acknowledge = (Stock__V1__Acknowledge)c->acknowledge;
  return submit(c, tag, &METHOD_EXTEND, &request.base, timeout_ms, NULL);
}

stock_code stock_submit_get_hold(stock_client *c, uint64_t tag, const char *hold_id, uint32_t timeout_ms) {
  Stock__V1__GetHoldRequest request = STOCK__V1__GET_HOLD_REQUEST__INIT;
  request.hold_id = text(hold_id);
  return submit(c, tag, &METHOD_GET_HOLD, &request.base, timeout_ms, NULL);
}

stock_code stock_submit_find_hold(stock_client *c, uint64_t tag, const char *user_id, const char *key,
                                  uint32_t timeout_ms) {
  Stock__V1__GetHoldRequest request = STOCK__V1__GET_HOLD_REQUEST__INIT;
  request.user_id = text(user_id);
  request.idempotency_key = text(key);
  return submit(c, tag, &METHOD_GET_HOLD, &request.base, timeout_ms, NULL);
}

stock_code stock_submit_get_stock(stock_client *c, uint64_t tag, const char *sku, uint32_t timeout_ms) {
  Stock__V1__GetStockRequest request = STOCK__V1__GET_STOCK_REQUEST__INIT;
  request.sku = text(sku);
  return submit(c, tag, &METHOD_GET_STOCK, &request.base, timeout_ms, NULL);
}

stock_code stock_submit_adopt(stock_client *c, uint64_t tag, const char *sku, uint32_t timeout_ms) {
  Stock__V1__AdoptStockRequest request = STOCK__V1__ADOPT_STOCK_REQUEST__INIT;
  request.sku = text(sku);
  return submit(c, tag, &METHOD_ADOPT_STOCK, &request.base, timeout_ms, NULL);
}

stock_code stock_submit_set_stock(stock_client *c, uint64_t tag, const char *sku, uint64_t available,
                                  const char *request_id, uint32_t timeout_ms) {
  return stock_submit_set_stock_if(c, tag, sku, available, NULL, request_id, NULL, NULL, timeout_ms);
}

stock_code stock_submit_set_stock_if(stock_client *c, uint64_t tag, const char *sku, uint64_t available,
                                     const uint64_t *if_available, const char *request_id,
                                     const char *reason, const char *actor, uint32_t timeout_ms) {
  Stock__V1__SetStockRequest request = STOCK__V1__SET_STOCK_REQUEST__INIT;
  request.sku = text(sku);
  request.available = available;
  request.request_id = text(request_id);
  request.reason = text(reason);
  request.actor = text(actor);
  if (if_available != NULL) {
    request.expected_case = STOCK__V1__SET_STOCK_REQUEST__EXPECTED_IF_AVAILABLE;
    request.if_available = *if_available;
  }
  return submit(c, tag, &METHOD_SET_STOCK, &request.base, timeout_ms, NULL);
}

stock_code stock_submit_adjust(stock_client *c, uint64_t tag, const char *sku, int64_t delta,
                               const char *request_id, const char *reason, const char *actor,
                               uint32_t timeout_ms) {
  Stock__V1__AdjustStockRequest request = STOCK__V1__ADJUST_STOCK_REQUEST__INIT;
  request.sku = text(sku);
  request.delta = delta;
  request.request_id = text(request_id);
  request.reason = text(reason);
  request.actor = text(actor);
  return submit(c, tag, &METHOD_ADJUST_STOCK, &request.base, timeout_ms, NULL);
}

stock_code stock_submit_retire(stock_client *c, uint64_t tag, const char *sku, const char *request_id,
                               const char *reason, const char *actor, uint32_t timeout_ms) {
  Stock__V1__RetireStockRequest request = STOCK__V1__RETIRE_STOCK_REQUEST__INIT;
  request.sku = text(sku);
  request.request_id = text(request_id);
  request.reason = text(reason);
  request.actor = text(actor);
  return submit(c, tag, &METHOD_RETIRE_STOCK, &request.base, timeout_ms, NULL);
}

stock_code stock_submit_list(stock_client *c, uint64_t tag, const char *after, uint32_t limit,
                             uint32_t timeout_ms) {
  Stock__V1__ListStockRequest request = STOCK__V1__LIST_STOCK_REQUEST__INIT;
  request.after = text(after);
  request.limit = limit;
  return submit(c, tag, &METHOD_LIST_STOCK, &request.base, timeout_ms, NULL);
}

stock_code stock_submit_health(stock_client *c, uint64_t tag, const char *of, uint32_t timeout_ms) {
  Stock__V1__HealthCheckRequest request = STOCK__V1__HEALTH_CHECK_REQUEST__INIT;
  request.service = text(of);
  return submit(c, tag, &METHOD_HEALTH, &request.base, timeout_ms, NULL);
}

stock_code stock_submit_ping(stock_client *c, uint64_t tag, uint32_t timeout_ms) {
  Stock__V1__PingRequest request = STOCK__V1__PING_REQUEST__INIT;
  return submit(c, tag, &METHOD_PING, &request.base, timeout_ms, NULL);
}

static const stock_reply *refused(stock_client *c, const fault *why) {
  stock_reply *reply = reply_begin(c);
  reply_fault(c, reply, why);
  return reply;
}

static const stock_reply *finish(stock_client *c, stock_code submitted) {
  const stock_reply *reply = NULL;
  switch (submitted) {
    case STOCK_CODE_OK: break;
    case STOCK_CODE_INVALID_ARGUMENT: return refused(c, &FAULT_TOO_LARGE);
    case STOCK_CODE_CANCELLED: return refused(c, &FAULT_CLOSED);
    default: return refused(c, &FAULT_MEMORY);
  }
  /* The call is the only one, and ends by its own deadline. */
  while (reply == NULL) reply = stock_poll(c, -1);
  return reply;
}

/* Makes the blocking form of a submitted call. */
#define BLOCKING(client, submission) \
  ((client)->outstanding > 0 ? refused(client, &FAULT_BUSY) : finish(client, submission))

const stock_reply *stock_reserve(stock_client *c, const stock_reservation *what, uint32_t timeout_ms) {
  return BLOCKING(c, stock_submit_reserve(c, 0, what, timeout_ms));
}

const stock_reply *stock_reserve_batch(stock_client *c, const stock_reservation *what, size_t count,
                                       uint32_t timeout_ms) {
  return BLOCKING(c, stock_submit_reserve_batch(c, 0, what, count, timeout_ms));
}

const stock_reply *stock_confirm(stock_client *c, const char *hold_id, const char *payment_ref,
                                 uint32_t timeout_ms) {
  return BLOCKING(c, stock_submit_confirm(c, 0, hold_id, payment_ref, timeout_ms));
}

const stock_reply *stock_cancel(stock_client *c, const char *hold_id, uint32_t timeout_ms) {
  return BLOCKING(c, stock_submit_cancel(c, 0, hold_id, timeout_ms));
}

const stock_reply *stock_release(stock_client *c, const char *hold_id, const char *reason, const char *actor,
                                 uint32_t timeout_ms) {
  return BLOCKING(c, stock_submit_release(c, 0, hold_id, reason, actor, timeout_ms));
}

const stock_reply *stock_extend(stock_client *c, const char *hold_id, int64_t expires_at_ms,
                                uint32_t timeout_ms) {
  return BLOCKING(c, stock_submit_extend(c, 0, hold_id, expires_at_ms, timeout_ms));
}

const stock_reply *stock_get_hold(stock_client *c, const char *hold_id, uint32_t timeout_ms) {
  return BLOCKING(c, stock_submit_get_hold(c, 0, hold_id, timeout_ms));
}

const stock_reply *stock_find_hold(stock_client *c, const char *user_id, const char *key,
                                   uint32_t timeout_ms) {
  return BLOCKING(c, stock_submit_find_hold(c, 0, user_id, key, timeout_ms));
}

const stock_reply *stock_get_stock(stock_client *c, const char *sku, uint32_t timeout_ms) {
  return BLOCKING(c, stock_submit_get_stock(c, 0, sku, timeout_ms));
}

const stock_reply *stock_adopt(stock_client *c, const char *sku, uint32_t timeout_ms) {
  return BLOCKING(c, stock_submit_adopt(c, 0, sku, timeout_ms));
}

const stock_reply *stock_set_stock(stock_client *c, const char *sku, uint64_t available,
                                   const char *request_id, uint32_t timeout_ms) {
  return BLOCKING(c, stock_submit_set_stock(c, 0, sku, available, request_id, timeout_ms));
}

const stock_reply *stock_set_stock_if(stock_client *c, const char *sku, uint64_t available,
                                      const uint64_t *if_available, const char *request_id,
                                      const char *reason, const char *actor, uint32_t timeout_ms) {
  return BLOCKING(c, stock_submit_set_stock_if(c, 0, sku, available, if_available, request_id, reason, actor,
                                               timeout_ms));
}

const stock_reply *stock_adjust(stock_client *c, const char *sku, int64_t delta, const char *request_id,
                                const char *reason, const char *actor, uint32_t timeout_ms) {
  return BLOCKING(c, stock_submit_adjust(c, 0, sku, delta, request_id, reason, actor, timeout_ms));
}

const stock_reply *stock_retire(stock_client *c, const char *sku, const char *request_id, const char *reason,
                                const char *actor, uint32_t timeout_ms) {
  return BLOCKING(c, stock_submit_retire(c, 0, sku, request_id, reason, actor, timeout_ms));
}

const stock_reply *stock_list(stock_client *c, const char *after, uint32_t limit, uint32_t timeout_ms) {
  return BLOCKING(c, stock_submit_list(c, 0, after, limit, timeout_ms));
}

const stock_reply *stock_health(stock_client *c, const char *of, uint32_t timeout_ms) {
  return BLOCKING(c, stock_submit_health(c, 0, of, timeout_ms));
}

const stock_reply *stock_ping(stock_client *c, uint32_t timeout_ms) {
  return BLOCKING(c, stock_submit_ping(c, 0, timeout_ms));
}
