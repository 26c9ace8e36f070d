/* Deadlines, pauses and keepalive.  `timer_ns` is a lower bound: a call that ends takes no timer back, so
 * that an answer costs nothing here, and what was due for nothing is found out when its time comes. */
#include <errno.h>

#include "client.h"
#include "stock/v1/connection.pb-c.h"

/* Queued calls whose time is over end; the others stay in their order. */
static void sift_queue(stock_client *c, uint64_t now) {
  bool is_open = current(c)->phase == CHANNEL_OPEN;
  call_list old = c->queue;
  c->queue.head = NOWHERE;
  for (uint32_t place; (place = list_pop(c, &old)) != NOWHERE;) {
    if (c->calls[place].deadline_ns > now) {
      list_push(c, &c->queue, place);
      schedule(c, c->calls[place].deadline_ns);
    } else {
      call_fails(c, place, is_open ? &FAULT_DEADLINE : &FAULT_UNREACHABLE);
    }
  }
}

/* The server was to answer at the deadline, and did not even say that it had passed. */
static void give_up(stock_client *c, uint32_t place) {
  call *one = &c->calls[place];
  channel *ch = &c->channels[one->on];
  if (ch->version >= 2) cancel_at_server(c, ch, one->id);
  call_fails(c, place, &FAULT_NO_ANSWER);
}

static void look_at_calls(stock_client *c, uint64_t now) {
  for (uint32_t place = 0; place < c->call_capacity; place++) {
    call *one = &c->calls[place];
    if (one->state == CALL_SENT && !is_stream(one)) {
      uint64_t until = one->deadline_ns + GRACE_MS * MS;
      if (until <= now)
        give_up(c, place);
      else
        schedule(c, until);
    } else if (one->state == CALL_PAUSED && one->resume_ns > now) {
      schedule(c, one->resume_ns);
    } else if (one->state == CALL_PAUSED) {
      one->state = CALL_QUEUED;
      list_push(c, &c->queue, place);
    }
  }
}

static void look_at_life(stock_client *c, channel *ch, uint64_t now) {
  uint64_t patience = c->options.keepalive_ms * MS;
  if (ch->phase < CHANNEL_OPEN || ch->calls == 0 || patience == 0) return;
  if (ch->pinged_ns != 0 && now >= ch->pinged_ns + patience) {
    /* What came while nobody polled counts. */
    if (receive(c, ch, false, now)) {
      schedule(c, now + patience);
      return;
    }
    ch->error = ETIMEDOUT;
    lost(c, ch, now);
  } else if (ch->pinged_ns == 0 && now >= ch->heard_ns + patience) {
    Stock__V1__PingRequest ping = STOCK__V1__PING_REQUEST__INIT;
    send_control(c, ch, METHOD_PING.name, &ping.base, TIMEOUT_MS_DEFAULT);
    ch->pinged_ns = now;
    schedule(c, now + patience);
  } else {
    schedule(c, (ch->pinged_ns != 0 ? ch->pinged_ns : ch->heard_ns) + patience);
  }
}

static void look_at_channel(stock_client *c, channel *ch, uint64_t now) {
  if (ch->phase == CHANNEL_DIALING || ch->phase == CHANNEL_GREETING) {
    ch->error = ETIMEDOUT;
    if (now >= ch->ready_by_ns)
      lost(c, ch, now);
    else
      schedule(c, ch->ready_by_ns);
  }
  look_at_life(c, ch, now);
}

void run_timers(stock_client *c, uint64_t now) {
  c->timer_ns = NEVER;
  look_at_calls(c, now);
  sift_queue(c, now);
  for (int number = 0; number < 2; number++) look_at_channel(c, &c->channels[number], now);
  if (c->queue.head != NOWHERE && c->next_dial_ns > now) schedule(c, c->next_dial_ns);
}
