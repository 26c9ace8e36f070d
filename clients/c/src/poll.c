/* The turn: send, wait, take; and the same in the caller's own event loop. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <time.h>

#include "client.h"
#include "frame.h"

uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t wall_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return (uint64_t)time.tv_sec * 1000u + (uint64_t)time.tv_nsec / 1000000u;
}

bool receive(stock_client *c, channel *ch, bool waits, uint64_t now) {
  size_t count;
  if (!channel_receive(ch, waits, &count)) {
    lost(c, ch, now);
    return true;
  }
  if (count == 0) return false;
  ch->heard_ns = waits ? now_ns() : now;
  ch->pinged_ns = 0;
  return true;
}

/* A connection that was still for a while may have ended, or been told so: it is looked at before a call
 * is risked on it. */
static void look_before_use(stock_client *c, uint64_t now) {
  channel *ch = current(c);
  if (ch->phase != CHANNEL_OPEN || ch->calls > 0 || now - ch->heard_ns < STILL_MS * MS) return;
  receive(c, ch, false, now);
  /* Nothing is in flight on it: what has come is a notice, or an answer that was given up. */
  take_frames(c, ch, now);
}

static void flush(stock_client *c, channel *ch, uint64_t now) {
  if (ch->phase >= CHANNEL_GREETING && buffer_count(&ch->output) > 0 && !channel_flush(ch))
    lost(c, ch, now);
}

static void drive(stock_client *c, uint64_t now) {
  if (now >= c->timer_ns) run_timers(c, now);
  if (c->done.head != NOWHERE) return;
  if (c->queue.head != NOWHERE) look_before_use(c, now);
  while (c->queue.head != NOWHERE && current(c)->phase == CHANNEL_CLOSED && now >= c->next_dial_ns)
    dial(c, now);
  send_queued(c, now);
  for (int number = 0; number < 2; number++) flush(c, &c->channels[number], now);
}

static void channel_ready(stock_client *c, channel *ch, uint32_t events, uint64_t now) {
  if (ch->phase == CHANNEL_DIALING) {
    if (channel_dialed(ch))
      connected(c, ch, now);
    else
      lost(c, ch, now);
    return;
  }
  if (events & EPOLLOUT) flush(c, ch, now);
  if (ch->phase != CHANNEL_CLOSED && (events & ~(uint32_t)EPOLLOUT)) receive(c, ch, false, now);
}

/* Asks the socket again and again.  Returns whether something has come. */
static bool busy_poll(stock_client *c, uint64_t now, uint64_t end) {
  channel *ch = current(c);
  uint64_t limit = now + c->options.busy_poll_us * 1000ull;
  if (end < limit) limit = end;
  for (; ch->phase == CHANNEL_OPEN && now < limit; now = now_ns())
    if (receive(c, ch, false, now)) return true;
  return false;
}

static int wait_ms(uint64_t now, uint64_t end) {
  if (end == NEVER) return -1;
  if (end <= now) return 0;
  uint64_t ms = (end - now + MS - 1) / MS;
  return ms < INT_MAX ? (int)ms : INT_MAX;
}

/* Waits for bytes, a timer or the caller's patience, whichever comes first.  A wait that has lasted goes on
 * in the set, where nothing ends it too early. */
static void await(stock_client *c, uint64_t now, uint64_t end, bool has_waited) {
  uint64_t until = c->timer_ns < end ? c->timer_ns : end;
  channel *ch = current(c);
  bool is_alone = ch->phase == CHANNEL_OPEN && c->channels[1 - c->current].phase == CHANNEL_CLOSED;
  if (c->options.busy_poll_us > 0 && is_alone && busy_poll(c, now, until)) return;
  if (is_alone && !has_waited && ch->phase == CHANNEL_OPEN && !ch->watches_writing && until > now &&
      until - now > CHANNEL_WAIT_MS * MS) {
    receive(c, ch, true, now);
    return;
  }
  struct epoll_event ready[2];
  int count = epoll_wait(c->set, ready, 2, wait_ms(now, until));
  if (count <= 0) return;
  now = now_ns();
  for (int place = 0; place < count; place++) {
    channel *ch = &c->channels[ready[place].data.u32];
    if (ch->phase != CHANNEL_CLOSED) channel_ready(c, ch, ready[place].events, now);
  }
}

const stock_reply *stock_poll(stock_client *c, int timeout_ms) {
  uint64_t now = now_ns();
  const uint64_t end = timeout_ms < 0 ? NEVER : now + (uint64_t)timeout_ms * MS;
  bool has_waited = false;
  c->ran_closure = false;
  for (;;) {
    const stock_reply *reply = next_completion(c, now);
    if (reply != NULL) return reply;
    drive(c, now);
    if (c->done.head != NOWHERE) continue;
    if (c->ran_closure || c->outstanding == 0 || (has_waited && now >= end)) return NULL;
    await(c, now, end, has_waited);
    has_waited = true;
    now = now_ns();
  }
}

void stock_flush(stock_client *c) { drive(c, now_ns()); }

int stock_fd(const stock_client *c) { return c->set; }

int stock_timeout_ms(const stock_client *c) {
  if (c->done.head != NOWHERE || can_send(c)) return 0;
  for (int number = 0; number < 2; number++) {
    ProtobufCBinaryData payload;
    size_t missing;
    const channel *ch = &c->channels[number];
    if (ch->phase >= CHANNEL_GREETING && frame_next(&ch->input, &payload, &missing) != FRAME_INCOMPLETE)
      return 0;
    if (ch->phase >= CHANNEL_GREETING && buffer_count(&ch->output) > 0 && !ch->watches_writing) return 0;
  }
  if (c->outstanding == 0) return -1;
  uint64_t now = now_ns();
  bool is_to_dial = c->queue.head != NOWHERE && c->channels[c->current].phase == CHANNEL_CLOSED;
  if (is_to_dial && c->next_dial_ns <= now) return 0;
  return wait_ms(now, c->timer_ns);
}
