/* Which server: connections come and go. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "stock/v1/connection.pb-c.h"
#include "stock/v1/health.pb-c.h"

static void remember_why(stock_client *c, const channel *ch) {
  char text[96];
  const char *why = ch->error == 0 ? "closed by the server" : strerror_r(ch->error, text, sizeof text);
  if (ch->notice[0] != '\0')
    snprintf(c->why, sizeof c->why, "the server said: %s", ch->notice);
  else
    snprintf(c->why, sizeof c->why, "%s", why);
}

static void greet(stock_client *c, channel *ch) {
  Stock__V1__HelloRequest hello = STOCK__V1__HELLO_REQUEST__INIT;
  hello.protocol_min = 1;
  hello.protocol_max = 2;
  hello.client = (ProtobufCBinaryData){strlen(c->name), (uint8_t *)c->name};
  ch->version = 1;
  ch->hello_id = send_control(c, ch, "stock.v1.Connection/Hello", &hello.base, TIMEOUT_MS_DEFAULT);
  ch->health_id = 0;
  if (c->address_count == 1) return;
  /* With another server to go to, this one is asked first. */
  static const char reservations[] = "stock.v1.Reservations";
  Stock__V1__HealthCheckRequest health = STOCK__V1__HEALTH_CHECK_REQUEST__INIT;
  health.service = (ProtobufCBinaryData){sizeof reservations - 1, (uint8_t *)reservations};
  ch->health_id = send_control(c, ch, METHOD_HEALTH.name, &health.base, TIMEOUT_MS_DEFAULT);
  ch->phase = CHANNEL_GREETING;
}

void connected(stock_client *c, channel *ch, uint64_t now) {
  ch->heard_ns = now;
  ch->pinged_ns = 0;
  greet(c, ch);
  if (ch->phase == CHANNEL_GREETING) return;
  c->was_connected = true;
}

void greeted(stock_client *c, channel *ch, bool serves, uint64_t now) {
  if (ch->phase != CHANNEL_GREETING) return;
  if (serves) {
    ch->phase = CHANNEL_OPEN;
    c->failed_dials = 0;
    c->was_connected = true;
    return;
  }
  snprintf(c->why, sizeof c->why, "it says that it does not serve");
  channel_close(ch);
  dial_failed(c, now);
}

void dial(stock_client *c, uint64_t now) {
  channel *ch = current(c);
  ch->ready_by_ns = now + c->options.connect_timeout_ms * MS;
  if (!channel_dial(ch, &c->addresses[c->address_at])) {
    remember_why(c, ch);
    dial_failed(c, now);
    return;
  }
  schedule(c, ch->ready_by_ns);
  if (ch->phase == CHANNEL_OPEN) connected(c, ch, now);
}

/* The next server is tried at once; when all have been tried, after a pause. */
void dial_failed(stock_client *c, uint64_t now) {
  uint32_t count = (uint32_t)c->address_count;
  c->address_at = (c->address_at + 1) % c->address_count;
  c->failed_dials++;
  if (c->failed_dials % count != 0) return;
  c->next_dial_ns = now + dial_pause_ms(c->failed_dials / count, next_chance(c)) * MS;
  schedule(c, c->next_dial_ns);
  if (c->options.wait_for_server || c->was_connected) return;
  for (uint32_t place; (place = list_pop(c, &c->queue)) != NOWHERE;)
    call_fails(c, place, &FAULT_UNREACHABLE);
}

void lost(stock_client *c, channel *ch, uint64_t now) {
  bool was_open = ch->phase == CHANNEL_OPEN || ch->phase == CHANNEL_LEAVING;
  remember_why(c, ch);
  for (uint32_t place = 0; place < c->call_capacity; place++)
    if (c->calls[place].state == CALL_SENT && c->calls[place].on == ch->number)
      call_fails(c, place, &FAULT_CONNECTION_LOST);
  channel_close(ch);
  if (!was_open) dial_failed(c, now);
}

void turned_away(stock_client *c, channel *ch, uint64_t now) {
  remember_why(c, ch);
  for (uint32_t place = 0; place < c->call_capacity; place++)
    if (c->calls[place].state == CALL_SENT && c->calls[place].on == ch->number)
      call_fails(c, place, &FAULT_UNREACHABLE);
  channel_close(ch);
  dial_failed(c, now);
}

void leave(stock_client *c, channel *ch) {
  if (ch != current(c) || ch->phase == CHANNEL_CLOSED) return;
  ch->phase = CHANNEL_LEAVING;
  streams_leave(c, ch);
  channel *other = &c->channels[1 - c->current];
  if (other->phase != CHANNEL_CLOSED) lost(c, other, now_ns());
  c->current = other->number;
  c->address_at = (c->address_at + 1) % c->address_count;
  if (ch->calls == 0) channel_close(ch);
}

void end_all(stock_client *c, const fault *unsent, const fault *sent, const channel *refusing) {
  while (list_pop(c, &c->queue) != NOWHERE) continue;
  for (uint32_t place = 0; place < c->call_capacity; place++) {
    call_state state = c->calls[place].state;
    bool is_refused = refusing != NULL && c->calls[place].on == (uint32_t)refusing->number;
    if (state == CALL_SENT) call_fails(c, place, is_refused ? unsent : sent);
    if (state == CALL_QUEUED || state == CALL_PAUSED) call_fails(c, place, unsent);
  }
  for (int number = 0; number < 2; number++) channel_close(&c->channels[number]);
}
