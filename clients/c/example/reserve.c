/* Reserves units of one SKU over TCP, with nothing but the generated code of the contracts.
 *
 *   build/reserve 127.0.0.1 7420 iphone_15_pro_256 1 ada order-1
 *
 * How it works: a frame is four bytes, big-endian, the length of what follows, then one encoded
 * envelope.  The ReserveRequest travels inside a Request envelope; the reply comes back inside a
 * Response with the same call id.  proto/WIRE.md is the whole contract.
 *
 * Exit codes: 0 held, 1 not held, 64 wrong usage, 69 no answer.  After 69 the outcome is unknown:
 * run it again with the same key, which can never take units twice. */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stock/v1/envelope.pb-c.h"
#include "stock/v1/reservations.pb-c.h"

enum { EXIT_HELD = 0, EXIT_NOT_HELD = 1, EXIT_USAGE = 64, EXIT_NO_ANSWER = 69 };

enum { FRAME_HEADER_BYTES = 4, FRAME_PAYLOAD_BYTES_MAX = 2 * 1024 * 1024 };

/* The contracts' strings are generated as bytes, so that their length travels with them. */
static ProtobufCBinaryData text(const char *string) {
  return (ProtobufCBinaryData){.len = strlen(string), .data = (uint8_t *)string};
}

static void *allocated(void *memory) {
  if (memory == NULL) {
    fputs("out of memory\n", stderr);
    abort();
  }
  return memory;
}

/* A connected socket, or -1. */
static int dial(const char *host, const char *port) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
  if (getaddrinfo(host, port, &hints, &found) != 0) return -1;
  int fd = -1;
  for (struct addrinfo *at = found; at != NULL; at = at->ai_next) {
    fd = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
    if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) == 0) break;
    if (fd >= 0) close(fd);
    fd = -1;
  }
  freeaddrinfo(found);
  return fd;
}

static int send_all(int fd, const uint8_t *bytes, size_t left) {
  while (left > 0) {
    ssize_t sent = send(fd, bytes, left, MSG_NOSIGNAL);
    if (sent <= 0) return -1;
    bytes += sent;
    left -= (size_t)sent;
  }
  return 0;
}

static int receive_all(int fd, uint8_t *bytes, size_t left) {
  while (left > 0) {
    ssize_t got = recv(fd, bytes, left, 0);
    if (got <= 0) return -1;
    bytes += got;
    left -= (size_t)got;
  }
  return 0;
}

/* Wraps the message into an envelope, and the envelope into a frame. */
static int send_call(int fd, uint64_t call_id, const char *method,
                     const ProtobufCMessage *message) {
  size_t message_bytes = protobuf_c_message_get_packed_size(message);
  uint8_t *packed = allocated(malloc(message_bytes + 1));
  protobuf_c_message_pack(message, packed);

  Stock__V1__Request envelope;
  stock__v1__request__init(&envelope);
  envelope.call_id = call_id;
  envelope.method = text(method);
  envelope.timeout_ms = 5000;
  envelope.message = (ProtobufCBinaryData){.len = message_bytes, .data = packed};

  size_t payload_bytes = stock__v1__request__get_packed_size(&envelope);
  uint8_t *frame = allocated(malloc(FRAME_HEADER_BYTES + payload_bytes));
  frame[0] = (uint8_t)(payload_bytes >> 24);
  frame[1] = (uint8_t)(payload_bytes >> 16);
  frame[2] = (uint8_t)(payload_bytes >> 8);
  frame[3] = (uint8_t)payload_bytes;
  stock__v1__request__pack(&envelope, frame + FRAME_HEADER_BYTES);

  int result = send_all(fd, frame, FRAME_HEADER_BYTES + payload_bytes);
  free(frame);
  free(packed);
  return result;
}

/* The next response on the connection, or NULL.  The caller frees it. */
static Stock__V1__Response *receive_response(int fd) {
  uint8_t header[FRAME_HEADER_BYTES];
  if (receive_all(fd, header, sizeof header) != 0) return NULL;
  uint32_t payload_bytes = (uint32_t)header[0] << 24 | (uint32_t)header[1] << 16 |
                           (uint32_t)header[2] << 8 | header[3];
  if (payload_bytes > FRAME_PAYLOAD_BYTES_MAX) return NULL;

  uint8_t *payload = allocated(malloc((size_t)payload_bytes + 1));
  Stock__V1__Response *response = NULL;
  if (receive_all(fd, payload, payload_bytes) == 0)
    response = stock__v1__response__unpack(NULL, payload_bytes, payload);
  free(payload);
  return response;
}

static int print_reply(const Stock__V1__Response *response) {
  if (response->status != STOCK__V1__CODE__CODE_OK) {
    const Stock__V1__ErrorDetail *detail = response->detail;
    fprintf(stderr, "refused with status %d", response->status);
    if (detail != NULL)
      fprintf(stderr, ": %.*s: %.*s", (int)detail->reason.len, (const char *)detail->reason.data,
              (int)detail->message.len, (const char *)detail->message.data);
    fputc('\n', stderr);
    return detail != NULL && detail->outcome_unknown ? EXIT_NO_ANSWER : EXIT_NOT_HELD;
  }

  Stock__V1__ReserveReply *reply = stock__v1__reserve_reply__unpack(
      NULL, response->message.len, response->message.data);
  if (reply == NULL) return EXIT_NO_ANSWER;
  const ProtobufCEnumValue *outcome =
      protobuf_c_enum_descriptor_get_value(&stock__v1__outcome__descriptor, reply->outcome);
  printf("%s hold %.*s, %" PRIu64 " available\n", outcome != NULL ? outcome->name : "?",
         (int)reply->hold_id.len, (const char *)reply->hold_id.data, reply->available);
  bool held = reply->outcome == STOCK__V1__OUTCOME__HELD ||
              reply->outcome == STOCK__V1__OUTCOME__REPEATED;
  stock__v1__reserve_reply__free_unpacked(reply, NULL);
  return held ? EXIT_HELD : EXIT_NOT_HELD;
}

int main(int argc, char **argv) {
  if (argc != 7) {
    fprintf(stderr, "usage: reserve HOST PORT SKU QTY USER KEY\n");
    return EXIT_USAGE;
  }
  Stock__V1__ReserveRequest request;
  stock__v1__reserve_request__init(&request);
  request.sku = text(argv[3]);
  request.qty = strtoull(argv[4], NULL, 10);
  request.user_id = text(argv[5]);
  request.idempotency_key = text(argv[6]);

  int fd = dial(argv[1], argv[2]);
  Stock__V1__Response *response = NULL;
  if (fd >= 0 && send_call(fd, 1, "stock.v1.Reservations/Reserve", &request.base) == 0)
    response = receive_response(fd);
  if (fd >= 0) close(fd);
  if (response == NULL) {
    fprintf(stderr, "no answer from %s:%s; run it again with the same key\n", argv[1], argv[2]);
    return EXIT_NO_ANSWER;
  }
  int result = print_reply(response);
  stock__v1__response__free_unpacked(response, NULL);
  return result;
}
