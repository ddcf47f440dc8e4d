// A client without scruples: a session that asks for as much as it likes, and reads only what it is
// told to.
#pragma once

#include <gtest/gtest.h>

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/bytes.h"
#include "common/errno.h"
#include "proto/calls.grpc.pb.h"
#include "proto/session.grpc.pb.h"

namespace tarn::testing {

// How often each status, and errno, came.
struct Answers {
  std::map<grpc::StatusCode, int> statuses;
  std::map<Errno, int> errors;  // of those that were answered
  int of(grpc::StatusCode code) const { return statuses.contains(code) ? statuses.at(code) : 0; }
  int of(Errno code) const { return errors.contains(code) ? errors.at(code) : 0; }
};

// Thread safety: one thread uses it. Lifetime: its end ends what is under way.
class Flooder {
 public:
  explicit Flooder(const std::string& address);
  ~Flooder();

  v1::HelloRequest HelloRequest();
  void Hello();
  const v1::HelloReply& hello() const { return hello_; }

  template <class Message>
  Message InSlot(uint32_t slot, uint64_t sequence) const {
    Message message;
    v1::RequestHeader& header = *message.mutable_header();
    *header.mutable_session() = hello_.session();
    header.set_epoch(hello_.epoch());
    header.set_slot(slot);
    header.set_sequence(sequence);
    header.mutable_caller()->set_has_groups(true);
    return message;
  }
  template <class Message>
  Message InSession() const {
    Message message;
    *message.mutable_session() = hello_.session();
    message.set_epoch(hello_.epoch());
    return message;
  }

  // Starts a call; its end is counted. Not before fewer than `window` are under way.
  void Start(const std::string& method, Bytes request, size_t window = 128);
  void WaitForNone();
  Answers WaitForAll();
  Answers so_far();
  void EndAll();
  // A stream of events that nobody reads.
  void Listen();
  // A stream of calls whose answers nobody reads.
  grpc::ClientReaderWriter<v1::CallRequest, v1::CallReply>& OpenCalls();
  void Heartbeat();

 private:
  struct Call {
    grpc::ClientContext context;
    grpc::ByteBuffer request, reply;
  };
  using Stream = std::pair<std::unique_ptr<grpc::ClientContext>,
                           std::unique_ptr<grpc::ClientReader<v1::Event>>>;

  void OnEnd(const std::shared_ptr<Call>& call, const grpc::Status& status);

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<grpc::GenericStub> generic_;
  std::unique_ptr<v1::Session::Stub> sessions_;
  v1::HelloReply hello_;
  const uint64_t serial_;
  uint64_t nonces_ = 0;
  std::vector<Stream> streams_;
  std::unique_ptr<grpc::ClientContext> calls_context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::CallRequest, v1::CallReply>> stream_of_calls_;
  std::mutex mu_;
  std::condition_variable changed_;
  std::set<std::shared_ptr<Call>> calls_;  // Guarded by mu_, as the answers.
  Answers answers_;
};

}  // namespace tarn::testing
