// Calls as messages of one stream (proto/calls.proto). The stream is opened with the first call,
// and again with the first after it broke; meanwhile calls wait for the connection.
#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <cstddef>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "common/bytes.h"
#include "common/sync.h"

namespace tarn::transport {

// Thread safety: safe. Lock order: mu_, then that of a stream; `done` runs outside both.
// Lifetime: the destructor stops it and waits until gRPC is done with every stream; it must not run
// on one of gRPC's threads.
class CallStream {
 public:
  // The call's status, and if that is OK the reply. Runs once: on a thread of gRPC's, or within
  // Call if it is stopped. Must not block.
  using Done = absl::AnyInvocable<void(const grpc::Status& status, Bytes reply) &&>;

  // `stub` outlives it.
  explicit CallStream(grpc::GenericStub& stub) : stub_(stub) {}
  ~CallStream();

  // Calls the rpc at path `rpc`. A call that was not answered when the stream broke ends with a
  // status that says so (UNAVAILABLE and the like), as an rpc of its own would.
  void Call(const char* rpc, Bytes request, Done done);
  // Ends all that is not answered, and from now on everything at once, with CANCELLED.
  void Stop();
  void Start();  // takes calls again
  // A stream with nothing unanswered may have broken unnoticed: the next call opens another one.
  void Renew();
  // Calls that are, about.
  size_t unanswered() const { return unanswered_.load(std::memory_order_relaxed); }

 private:
  class Stream;

  // The next call opens another one.
  void Retire(Stream* stream);
  void Drop() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);  // cancels the stream, and retires it

  grpc::GenericStub& stub_;
  std::atomic<size_t> unanswered_ = 0;

  Mutex mu_;
  Stream* stream_ ABSL_GUARDED_BY(mu_) = nullptr;  // that takes calls
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  size_t streams_ ABSL_GUARDED_BY(mu_) = 0;  // that gRPC is not done with
};

}  // namespace tarn::transport
