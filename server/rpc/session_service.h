// How a mount introduces itself, stays alive, comes back and leaves: proto/session.proto.
#pragma once

#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "common/sync.h"
#include "common/clock.h"
#include "proto/session.grpc.pb.h"
#include "server/rpc/control_thread.h"
#include "server/rpc/volume.h"
#include "server/state/session_table.h"

namespace tarn::rpc {

class EventStream;

// Volumes by name.
using VolumeMap = std::map<std::string, Volume*>;

// Thread safety: safe; what may block runs on the control thread.
// Errors, as statuses: FAILED_PRECONDITION (protocol version), INVALID_ARGUMENT, UNAUTHENTICATED
// (no such session), UNAVAILABLE (stopping).
// Lifetime: what it is given outlives it.
class SessionService final : public v1::Session::CallbackService {
 public:
  SessionService(state::SessionTable& sessions, const VolumeMap& volumes, ControlThread& control,
                 Clock& clock)
      : sessions_(sessions), volumes_(volumes), control_(control), clock_(clock) {}

  grpc::ServerUnaryReactor* Hello(grpc::CallbackServerContext* context,
                                  const v1::HelloRequest* request, v1::HelloReply* reply) override;
  grpc::ServerUnaryReactor* Heartbeat(grpc::CallbackServerContext* context,
                                      const v1::HeartbeatRequest* request,
                                      v1::HeartbeatReply* reply) override;
  grpc::ServerWriteReactor<v1::Event>* Events(grpc::CallbackServerContext* context,
                                              const v1::EventsRequest* request) override;
  grpc::ServerUnaryReactor* Reclaim(grpc::CallbackServerContext* context,
                                    const v1::ReclaimRequest* request,
                                    v1::ReclaimReply* reply) override;
  grpc::ServerUnaryReactor* Cancel(grpc::CallbackServerContext* context,
                                   const v1::CancelRequest* request,
                                   v1::CancelReply* reply) override;
  grpc::ServerUnaryReactor* Goodbye(grpc::CallbackServerContext* context,
                                    const v1::GoodbyeRequest* request,
                                    v1::GoodbyeReply* reply) override;

  // Ends all event streams, now and from now on.
  void Stop();

 private:
  friend class EventStream;

  grpc::Status SayHello(const v1::HelloRequest& request, v1::HelloReply& reply);
  Result<std::shared_ptr<state::Session>> OpenSession(const v1::HelloRequest& request,
                                                      Volume& volume, v1::HelloReply& reply);
  grpc::Status DoReclaim(const v1::ReclaimRequest& request, v1::ReclaimReply& reply);
  template <class Request>
  std::shared_ptr<state::Session> Find(const Request& request);
  void Forget(EventStream* stream);

  state::SessionTable& sessions_;
  const VolumeMap& volumes_;
  ControlThread& control_;
  Clock& clock_;

  Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  // One a session: a newer one ends the older.
  absl::flat_hash_map<SessionId, EventStream*> streams_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tarn::rpc
