// A client's stream of calls (proto/calls.proto): takes each message's call as if it had come by an
// rpc of its own, and sends the answers as they come.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "common/sync.h"
#include "server/rpc/arrival.h"

namespace tarn::rpc {

class CallStreams;

// Thread safety: safe. Lock order: CallStreams::mu_, then mu_, which is a leaf; calls are taken and
// messages written outside both.
// Invariants: of reads one is outstanding at most, of writes likewise. A call is unanswered until
// its answer is written, so at most kCallsPerStream answers wait for a client that does not read.
// Lifetime: of gRPC, and of every call that is unanswered; what is answered after gRPC is done with
// the stream goes nowhere.
class CallStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                         public std::enable_shared_from_this<CallStream> {
 public:
  explicit CallStream(CallStreams& streams) : streams_(streams) {}

  // For gRPC, which has it until OnDone.
  CallStream* Open();
  // Reads nothing more, and ends once everything is answered.
  void End(const grpc::Status& status);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  class Call;
  struct Answer {
    grpc::ByteBuffer message;
    std::optional<state::RequestBudget::Charge> charge;
  };

  void Take(const grpc::ByteBuffer& message);
  void ReadOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The answer to a call of this stream.
  void Send(Answer answer) ABSL_LOCKS_EXCLUDED(mu_);
  // True: to be written now, as `writing_`.
  bool NextAnswer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // True, once: the stream is to be finished with `end_`.
  bool MayFinish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  CallStreams& streams_;
  std::shared_ptr<CallStream> self_;  // until OnDone

  Mutex mu_;
  grpc::ByteBuffer read_;  // by the read under way: not touched meanwhile
  Answer written_;         // by the write under way: likewise
  size_t unanswered_ ABSL_GUARDED_BY(mu_) = 0;
  bool full_ ABSL_GUARDED_BY(mu_) = false;  // not reading, until something is answered
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool lost_ ABSL_GUARDED_BY(mu_) = false;  // nobody hears any more
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mu_);
  std::deque<Answer> answers_ ABSL_GUARDED_BY(mu_);  // to be written
};

// All of them. Thread safety: safe. Lifetime: outlives the gRPC server.
class CallStreams {
 public:
  // Takes the call of an rpc, by its path, and ends the arrival.
  using Take = std::function<void(std::string_view rpc, const Bytes& request, Arrival& arrival)>;
  explicit CallStreams(Take take) : take_(std::move(take)) {}

  CallStream* Open();
  void TakeCall(std::string_view rpc, const Bytes& request, Arrival& arrival) const {
    take_(rpc, request, arrival);
  }
  void Forget(CallStream* stream);
  // Ends all, now and from now on.
  void Stop();

 private:
  const Take take_;
  // Under it, a stream in the set is not done, so it can be ended.
  Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_set<CallStream*> streams_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tarn::rpc
