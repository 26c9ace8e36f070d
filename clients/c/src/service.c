/* protobuf-c's generated stubs over a client.  A service outlives its destruction until its last call has
 * ended, because that call still points at the name of its method. */
#include <stdlib.h>
#include <string.h>

#include "client.h"

struct service {
  ProtobufCService base; /* first: the stubs know this part */
  stock_client *client;
  uint32_t timeout_ms;
  uint32_t calls; /* outstanding */
  bool is_destroyed;
  const stock_reply *reply; /* while a closure runs */
  service *next;            /* of the client's */
  char *names;
  method methods[]; /* by the index that the stubs use */
};

static void service_free(service *of) {
  service **link = &of->client->services;
  while (*link != of) link = &(*link)->next;
  *link = of->next;
  free(of->names);
  free(of);
}

static void destroy(ProtobufCService *base) {
  service *of = (service *)base;
  of->is_destroyed = true;
  if (of->calls == 0) service_free(of);
}

void service_call_ended(stock_client *c, service *of) {
  (void)c;
  of->calls--;
  if (of->is_destroyed && of->calls == 0) service_free(of);
}

void service_shows(service *of, const stock_reply *reply) { of->reply = reply; }

void services_free(stock_client *c) {
  while (c->services != NULL) service_free(c->services);
}

static const fault *refusal(const stock_client *c, stock_code code) {
  if (code == STOCK_CODE_INVALID_ARGUMENT) return &FAULT_TOO_LARGE;
  if (code == STOCK_CODE_CANCELLED) return &FAULT_CLOSED;
  return c->outstanding == c->options.calls_max ? &FAULT_TOO_MANY_CALLS : &FAULT_MEMORY;
}

/* The reply of a poll stays as it is: a refusal is shown in one of its own. */
static void refuse(service *of, stock_code code, ProtobufCClosure closure, void *data) {
  const fault *why = refusal(of->client, code);
  stock_reply reply = REPLY_EMPTY;
  reply.code = why->code;
  reply.reason = why->reason;
  reply.message = why->message;
  reply.retryable = why->retryable;
  const stock_reply *before = of->reply;
  of->reply = &reply;
  closure(NULL, data);
  of->reply = before;
}

static void invoke(ProtobufCService *base, unsigned index, const ProtobufCMessage *input,
                   ProtobufCClosure closure, void *data) {
  service *of = (service *)base;
  uint32_t place;
  stock_code code = submit(of->client, 0, &of->methods[index], input, of->timeout_ms, &place);
  if (code != STOCK_CODE_OK) {
    refuse(of, code, closure, data);
    return;
  }
  call *one = &of->client->calls[place];
  one->of = of;
  one->closure = closure;
  one->closure_data = data;
  of->calls++;
}

static bool name_methods(service *of, const ProtobufCServiceDescriptor *descriptor) {
  size_t size = 0, package = strlen(descriptor->name);
  for (unsigned index = 0; index < descriptor->n_methods; index++)
    size += package + strlen(descriptor->methods[index].name) + 2;
  char *at = of->names = malloc(size + 1);
  if (at == NULL) return false;
  for (unsigned index = 0; index < descriptor->n_methods; index++) {
    const char *name = descriptor->methods[index].name;
    of->methods[index] = (method){.name = at, .reply = descriptor->methods[index].output};
    memcpy(at, descriptor->name, package);
    at += package;
    *at++ = '/';
    memcpy(at, name, strlen(name) + 1);
    at += strlen(name) + 1;
  }
  return true;
}

ProtobufCService *stock_service_new(stock_client *c, const ProtobufCServiceDescriptor *descriptor,
                                    uint32_t timeout_ms) {
  service *of = calloc(1, sizeof *of + descriptor->n_methods * sizeof of->methods[0]);
  if (of == NULL) return NULL;
  if (!name_methods(of, descriptor)) {
    free(of);
    return NULL;
  }
  of->base = (ProtobufCService){descriptor, invoke, destroy};
  of->client = c;
  of->timeout_ms = timeout_ms;
  of->next = c->services;
  c->services = of;
  return &of->base;
}

const stock_reply *stock_service_reply(const ProtobufCService *base) {
  return ((const service *)base)->reply;
}
