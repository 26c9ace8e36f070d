// Calls stock.v1.Health/Check by gRPC C++ in a closed loop, one thread on one completion queue:
//
//   grpc_load PORT CONNECTIONS OUTSTANDING SECONDS SERVER_PID
#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "health.grpc.pb.h"

extern "C" {
#include "measure.h"
}

using stock::v1::Health;
using stock::v1::HealthCheckReply;

static uint64_t answered, refused;
static bool measuring;
static histogram times;

class OpenCall {
 public:
  OpenCall(Health::Stub *stub, grpc::CompletionQueue *queue) : stub_(stub), queue_(queue) { call(); }

  void finished() {
    answered++;
    refused += !status_.ok() || reply_.status() != stock::v1::SERVING;
    if (measuring) histogram_add(&times, now_ns() - sent_at_);
    call();
  }

 private:
  void call() {
    context_ = std::make_unique<grpc::ClientContext>();
    sent_at_ = now_ns();
    reader_ = stub_->AsyncCheck(context_.get(), {}, queue_);
    reader_->Finish(&reply_, &status_, this);
  }

  Health::Stub *stub_;
  grpc::CompletionQueue *queue_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<HealthCheckReply>> reader_;
  HealthCheckReply reply_;
  grpc::Status status_;
  uint64_t sent_at_ = 0;
};

static void run_until(grpc::CompletionQueue &queue, uint64_t end) {
  void *tag;
  bool ok;
  while (now_ns() < end && queue.Next(&tag, &ok)) static_cast<OpenCall *>(tag)->finished();
}

int main(int count, char **arguments) {
  if (count != 6) {
    std::fprintf(stderr, "usage: grpc_load PORT CONNECTIONS OUTSTANDING SECONDS SERVER_PID\n");
    return 64;
  }
  int connections = std::atoi(arguments[2]), outstanding = std::atoi(arguments[3]);
  pid_t server = std::atoi(arguments[5]);
  grpc::CompletionQueue queue;
  std::vector<std::unique_ptr<Health::Stub>> stubs;
  for (int place = 0; place < connections; place++) {
    grpc::ChannelArguments settings;
    settings.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1); // or all channels share one connection
    auto channel = grpc::CreateCustomChannel(
        std::string("127.0.0.1:") + arguments[1], grpc::InsecureChannelCredentials(), settings);
    if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(5))) {
      std::fprintf(stderr, "no connection\n");
      return 1;
    }
    stubs.push_back(Health::NewStub(channel));
  }
  for (auto &stub : stubs)
    for (int place = 0; place < outstanding; place++) new OpenCall(stub.get(), &queue);

  run_until(queue, now_ns() + 500000000);
  uint64_t before = answered, began = now_ns(), cpu = cpu_ns(server);
  measuring = true;
  run_until(queue, began + static_cast<uint64_t>(std::atof(arguments[4]) * 1e9));
  double calls = static_cast<double>(answered - before), took = static_cast<double>(now_ns() - began) / 1e9;
  double each = static_cast<double>(cpu_ns(server) - cpu) / 1000 / calls;
  std::printf(
      "{\"calls_per_s\": %.0f, \"cpu_us\": %.4f, \"p50_us\": %.2f, \"p99_us\": %.2f, \"failed\": %llu}\n",
      calls / took, each, histogram_us(&times, 0.5), histogram_us(&times, 0.99),
      static_cast<unsigned long long>(refused));
  std::fflush(stdout);
  std::_Exit(0); // the calls in flight are not worth an orderly end
}
