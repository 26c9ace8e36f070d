/* Names of codes and outcomes, as the contracts have them. */
#include "stock/v1/reservations.pb-c.h"
#include "stockstream.h"

static const char *name(const ProtobufCEnumDescriptor *of, int value) {
  const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(of, value);
  return found == NULL ? "?" : found->name;
}

const char *stock_outcome_name(stock_outcome outcome) {
  return name(&stock__v1__outcome__descriptor, outcome);
}

const char *stock_code_name(stock_code code) {
  static const char prefix[] = "CODE_";
  const char *found = name(&stock__v1__code__descriptor, code);
  return found[0] == '?' ? found : found + sizeof prefix - 1;
}
