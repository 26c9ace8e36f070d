/* stubs ADDRESS SKU KEY: the same through the generated service. */
#include <protobuf-c/protobuf-c.h>
#include <stdio.h>
#include <stock/v1/reservations.pb-c.h>
#include <stockstream.h>
#include <string.h>

static ProtobufCBinaryData text(char *string) {
  return (ProtobufCBinaryData){strlen(string), (uint8_t *)string};
}

static void on_reply(const Stock__V1__ReserveReply *reply, void *times) {
  if (reply == NULL) return;
  printf("%s%c", stock_outcome_name((int)reply->outcome), ++*(int *)times == 1 ? ' ' : '\n');
}

int main(int count, char **arguments) {
  if (count != 4) {
    fprintf(stderr, "usage: stubs ADDRESS SKU KEY\n");
    return 64;
  }
  const char *error = NULL;
  stock_client *client = stock_client_new(arguments[1], NULL, &error);
  if (client == NULL) {
    fprintf(stderr, "%s\n", error);
    return 64;
  }
  ProtobufCService *service = stock_service_new(client, &stock__v1__reservations__descriptor, 0);
  Stock__V1__ReserveRequest request = STOCK__V1__RESERVE_REQUEST__INIT;
  request.sku = text(arguments[2]);
  request.qty = 1;
  request.user_id = text("buyer");
  request.idempotency_key = text(arguments[3]);
  int times = 0;
  while (times < 2) {
    int before = times;
    stock__v1__reservations__reserve(service, &request, on_reply, &times);
    while (stock_outstanding(client) > 0) stock_poll(client, -1);
    if (times == before) return 1;
  }
  protobuf_c_service_destroy(service);
  stock_client_free(client);
  return 0;
}
