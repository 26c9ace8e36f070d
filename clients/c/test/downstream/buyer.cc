// buyer ADDRESS SKU KEY: reserves twice under one key, and lets the client go as C++ does.
#include <stockstream.h>

#include <iostream>
#include <memory>
#include <string>

int main(int count, char **arguments) {
  if (count != 4) {
    std::cerr << "usage: buyer ADDRESS SKU KEY\n";
    return 64;
  }
  const char *error = nullptr;
  std::unique_ptr<stock_client, decltype(&stock_client_free)> client{
      stock_client_new(arguments[1], nullptr, &error), stock_client_free};
  if (!client) {
    std::cerr << error << '\n';
    return 64;
  }
  stock_reservation what{};
  what.sku = arguments[2];
  what.qty = 1;
  what.user_id = "buyer";
  what.key = arguments[3];
  std::string said;
  for (int time = 0; time < 2; time++) {
    const stock_reply *reply = stock_reserve(client.get(), &what, 0);
    if (reply->code != STOCK_CODE_OK) {
      std::cerr << reply->reason << ": " << reply->message << '\n';
      return 1;
    }
    said += (said.empty() ? "" : " ") + std::string{stock_outcome_name(reply->outcome)};
  }
  std::cout << said << '\n';
}
