// stock.v1.Health/Check by gRPC C++, without anything behind it.  Prints its port.
//
//   grpc_server cq         one thread on one completion queue, 2,048 calls posted ahead
//   grpc_server callback   gRPC's own threads and reactors
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <cstring>
#include <memory>

#include "health.grpc.pb.h"

using stock::v1::Health;
using stock::v1::HealthCheckReply;
using stock::v1::HealthCheckRequest;

static void fill(HealthCheckReply *reply) {
  reply->set_status(stock::v1::SERVING);
  reply->set_version("0.1.0");
}

class CallbackHealth final : public Health::CallbackService {
  grpc::ServerUnaryReactor *Check(
      grpc::CallbackServerContext *context, const HealthCheckRequest *, HealthCheckReply *reply) override {
    fill(reply);
    auto *reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

// One call, from being posted to having been answered; then its place is posted again.
class QueuedCall {
 public:
  QueuedCall(Health::AsyncService *service, grpc::ServerCompletionQueue *queue)
      : service_(service), queue_(queue) { post(); }

  void proceed(bool ok) {
    if (ok && !answering_) {
      answering_ = true;
      fill(&reply_);
      writer_->Finish(reply_, grpc::Status::OK, this);
    } else {
      post();
    }
  }

 private:
  void post() {
    answering_ = false;
    reply_.Clear();
    writer_.reset();
    context_ = std::make_unique<grpc::ServerContext>();
    writer_ = std::make_unique<grpc::ServerAsyncResponseWriter<HealthCheckReply>>(context_.get());
    service_->RequestCheck(context_.get(), &request_, writer_.get(), queue_, queue_, this);
  }

  Health::AsyncService *service_;
  grpc::ServerCompletionQueue *queue_;
  std::unique_ptr<grpc::ServerContext> context_;
  std::unique_ptr<grpc::ServerAsyncResponseWriter<HealthCheckReply>> writer_;
  HealthCheckRequest request_;
  HealthCheckReply reply_;
  bool answering_ = false;
};

static void report(int port) {
  std::printf("%d\n", port);
  std::fflush(stdout);
}

int main(int count, char **arguments) {
  bool queued = count == 2 && std::strcmp(arguments[1], "cq") == 0;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  if (!queued) {
    CallbackHealth service;
    builder.RegisterService(&service);
    auto server = builder.BuildAndStart();
    report(port);
    server->Wait();
    return 0;
  }
  Health::AsyncService service;
  builder.RegisterService(&service);
  auto queue = builder.AddCompletionQueue();
  auto server = builder.BuildAndStart();
  report(port);
  for (int place = 0; place < 2048; place++) new QueuedCall(&service, queue.get());
  void *tag;
  bool ok;
  while (queue->Next(&tag, &ok)) static_cast<QueuedCall *>(tag)->proceed(ok);
}
