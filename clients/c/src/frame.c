#include "frame.h"

#include <string.h>

frame_state frame_next(const buffer *input, ProtobufCBinaryData *payload, size_t *missing) {
  size_t count = buffer_count(input);
  if (count < FRAME_HEADER_BYTES) {
    *missing = FRAME_HEADER_BYTES - count;
    return FRAME_INCOMPLETE;
  }
  uint8_t *at = buffer_front(input);
  size_t length = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
  if (length > FRAME_PAYLOAD_BYTES_MAX) return FRAME_TOO_LONG;
  if (count - FRAME_HEADER_BYTES < length) {
    *missing = length - (count - FRAME_HEADER_BYTES);
    return FRAME_INCOMPLETE;
  }
  *payload = (ProtobufCBinaryData){.len = length, .data = at + FRAME_HEADER_BYTES};
  return FRAME_WHOLE;
}

bool frame_append(buffer *output, const outgoing *call) {
  Stock__V1__Request envelope = STOCK__V1__REQUEST__INIT;
  envelope.call_id = call->call_id;
  envelope.method = (ProtobufCBinaryData){.len = strlen(call->method), .data = (uint8_t *)call->method};
  envelope.timeout_ms = call->timeout_ms;
  envelope.window_bytes = call->window_bytes;
  envelope.deadline_at = call->deadline_at;
  envelope.message = call->message;
  size_t packed = stock__v1__request__get_packed_size(&envelope), length = packed + call->headers.len;
  if (!buffer_reserve(output, FRAME_HEADER_BYTES + length)) return false;
  uint8_t *at = output->bytes + output->end;
  at[0] = (uint8_t)(length >> 24);
  at[1] = (uint8_t)(length >> 16);
  at[2] = (uint8_t)(length >> 8);
  at[3] = (uint8_t)length;
  stock__v1__request__pack(&envelope, at + FRAME_HEADER_BYTES);
  if (call->headers.len > 0)
    memcpy(at + FRAME_HEADER_BYTES + packed, call->headers.data, call->headers.len);
  output->end += FRAME_HEADER_BYTES + length;
  return true;
}

Stock__V1__Response *response_decode(arena *memory, ProtobufCBinaryData payload) {
  return stock__v1__response__unpack(&memory->allocator, payload.len, payload.data);
}
