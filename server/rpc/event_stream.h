// The streams of events to clients: one a session. An event is a recall that is not answered yet;
// the file system keeps those, so a stream holds nothing but how far it has come, and one that is
// opened again says all that is still open once more. A stream's end tells its client at once that
// the server is gone, or that it was fenced.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <memory>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "common/sync.h"
#include "common/types.h"
#include "proto/session.pb.h"
#include "server/state/session.h"

namespace tarn::rpc {

class EventStreams;

// Thread safety: safe. Lock order: EventStreams::mu_, then mu_, then the file system's leaves.
// Lifetime: deletes itself when gRPC is done with it, which End makes happen.
class EventStream final : public grpc::ServerWriteReactor<v1::Event> {
 public:
  // `session` null: for a stream that is only going to be ended.
  EventStream(EventStreams& streams, std::shared_ptr<state::Session> session)
      : streams_(streams), session_(std::move(session)) {
    StartSendInitialMetadata();
  }

  // There may be something to send.
  void Wake();
  // Once what is being written has been.
  void End(const grpc::Status& status);

  void OnWriteDone(bool ok) override;
  void OnCancel() override { End(grpc::Status::CANCELLED); }
  void OnDone() override;

 private:
  // True: event_ is the next one to write.
  bool Next() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  EventStreams& streams_;
  const std::shared_ptr<state::Session> session_;

  Mutex mu_;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mu_);  // once it is not writing
  uint64_t sent_ ABSL_GUARDED_BY(mu_) = 0;
  v1::Event event_;  // being written: not touched meanwhile
};

// Thread safety: safe. Lifetime: outlives the gRPC server.
class EventStreams {
 public:
  // Makes `stream` the session's; a newer one ends the older.
  void Add(SessionId id, EventStream* stream);
  void Forget(SessionId id, EventStream* stream);
  void Wake(SessionId id);
  void End(SessionId id, const grpc::Status& status);
  // Ends all, now and from now on.
  void Stop();

 private:
  // Under it, a stream in the table is not done, so it can be ended.
  Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_map<SessionId, EventStream*> streams_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tarn::rpc
