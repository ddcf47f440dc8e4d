// The connections of one mount: small calls, bulk, and session with waiting locks each on their
// own, so that a bulk transfer never delays a lookup, nor a waiting lock a heartbeat.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "client/transport/call_stream.h"
#include "common/limits.h"
#include "common/result.h"

namespace tarn::transport {

// Which connection a call takes, and how.
enum class Lane : uint8_t {
  kSession,  // an rpc of its own
  kSmall,    // a message of the stream: metadata, short contents, answers to recalls
  kBulk,     // an rpc of its own
};

// gRPC's target for "host", "host:port", "[v6]:port" or "unix:/path"; the port defaults to ours.
// Errors: EINVAL with a sentence.
Result<std::string> TargetOf(const std::string& server);

// The call fails with DEADLINE_EXCEEDED after `nanos` of the monotonic clock.
void SetDeadline(grpc::ClientContext& context, int64_t nanos);
// At most, of what tells the server of a session: Hello, Reclaim, heartbeats.
inline constexpr int64_t kHelloNanos = 5 * kSecondNanos;

// Thread safety: safe.
class Channels {
 public:
  explicit Channels(const std::string& target);

  // For what is an rpc of its own.
  grpc::GenericStub& Stub(Lane lane);
  // For what is a message of a stream: the one with the fewest calls unanswered.
  CallStream& Stream();
  // Calls it on each stream: CallStream::Stop and the like.
  void OnStreams(void (CallStream::*what)());
  const std::shared_ptr<grpc::Channel>& session() const { return channels_[0]; }
  // The server is there again: connect now, not when the backoff is over.
  void ConnectNow();

 private:
  static constexpr size_t kBulkLanes = 2;
  // Messages of one stream are taken one after the other, at both ends.
  static constexpr size_t kStreams = 2;

  std::array<std::shared_ptr<grpc::Channel>, 2 + kBulkLanes> channels_;
  std::array<std::unique_ptr<grpc::GenericStub>, 2 + kBulkLanes> stubs_;
  std::array<std::unique_ptr<CallStream>, kStreams> streams_;
  std::atomic<uint32_t> next_bulk_ = 0;
};

}  // namespace tarn::transport
