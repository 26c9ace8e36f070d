/* Frames and envelopes: four bytes of length, big-endian, then one protobuf message. */
#ifndef STOCK_FRAME_H
#define STOCK_FRAME_H

#include <stdint.h>

#include "arena.h"
#include "buffer.h"
#include "stock/v1/envelope.pb-c.h"

enum { FRAME_HEADER_BYTES = 4, FRAME_PAYLOAD_BYTES_MAX = 2 * 1024 * 1024 };
/* What an envelope adds to its headers and its message, at most, with a method's name of 256 bytes. */
enum { ENVELOPE_BYTES_MAX = 320 };

/* What is sent: a call. */
typedef struct outgoing {
  uint64_t call_id;
  const char *method;
  uint32_t timeout_ms, window_bytes;
  uint64_t deadline_at; /* milliseconds since 1970; 0: none */
  ProtobufCBinaryData headers; /* encoded: fields of the envelope as they are */
  ProtobufCBinaryData message;
} outgoing;

typedef enum frame_state { FRAME_INCOMPLETE, FRAME_WHOLE, FRAME_TOO_LONG } frame_state;

/* Looks at the front of what has been received.
 * payload: of a whole frame; it lies in `input`, and is to be consumed with its header.
 * missing: of an incomplete frame, how many bytes are still to come, at least. */
frame_state frame_next(const buffer *input, ProtobufCBinaryData *payload, size_t *missing);

/* Appends a request; false: out of memory. */
bool frame_append(buffer *output, const outgoing *call);

/* NULL: these bytes are no envelope. */
Stock__V1__Response *response_decode(arena *memory, ProtobufCBinaryData payload);

#endif
