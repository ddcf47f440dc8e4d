// A client that sends anything: messages of valid shape with mad values, for every rpc of every
// service, alone and in streams of calls.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/bytes.h"
#include "proto/calls.grpc.pb.h"
#include "proto/session.grpc.pb.h"
#include "tests/support/mad_messages.h"

namespace tarn::transport {

// Answers and refusals of each rpc, over all clients.
struct Tally {
  void Count(const std::string& method, const grpc::Status& status, int32_t error) {
    const std::lock_guard lock(mu);
    auto& [answered, refused] = by_method[method];
    ++(status.ok() && error == 0 ? answered : refused);
    ++by_status[status.ok() ? grpc::StatusCode::OK : status.error_code()];
  }
  std::mutex mu;
  std::map<std::string, std::pair<int, int>> by_method;
  std::map<grpc::StatusCode, int> by_status;
};

// One mad client: one call after the other, those that wait given up soon.
class MadClient {
 public:
  MadClient(const std::string& address, uint64_t seed, Tally& tally)
      : mad_(seed),
        tally_(tally),
        channel_(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())),
        generic_(channel_),
        calls_(v1::Calls::NewStub(channel_)) {}

  void Run(const std::atomic<bool>& stop) {
    Hello(/*sane=*/true);
    while (!stop) Step();
    Goodbye();
  }

 private:
  static constexpr uint32_t kSlots = 6;
  struct Stream {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::Event>> reader;
  };

  void Step();
  template <class V>
  void Call();
  void Hello(bool sane);
  void Goodbye();
  template <class Request, class Reply>
  grpc::Status Session(const char* rpc, Request request, Reply& reply);
  template <class Request>
  void MadSession(const char* rpc);
  void Listen();
  // The status, and what was received.
  grpc::Status Send(const std::string& method, const Bytes& bytes, grpc::ByteBuffer& reply);
  grpc::Status SendInStream(grpc::ClientContext& context, const std::string& method,
                            const Bytes& bytes, grpc::ByteBuffer& reply);
  void FillHeader(v1::RequestHeader& header);
  Bytes Frame(const google::protobuf::MessageLite& head);

  testing::MadMessages mad_;
  Tally& tally_;
  std::shared_ptr<grpc::Channel> channel_;
  grpc::GenericStub generic_;
  std::unique_ptr<v1::Calls::Stub> calls_;
  v1::HelloReply hello_;
  std::vector<v1::SessionId> former_;
  uint64_t sequences_[kSlots] = {};
  std::vector<std::unique_ptr<Stream>> streams_;  // never read
};

}  // namespace tarn::transport
