// How a mount introduces itself, stays alive, comes back and leaves: proto/session.proto.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "proto/session.grpc.pb.h"
#include "server/rpc/arrival.h"
#include "server/rpc/control_thread.h"
#include "server/rpc/event_stream.h"
#include "server/rpc/volume.h"
#include "server/state/session_table.h"

namespace tarn::rpc {

// Volumes by name.
using VolumeMap = std::map<std::string, Volume*>;

// Thread safety: safe; what may block runs on the control thread.
// Errors, as statuses: FAILED_PRECONDITION (protocol version), INVALID_ARGUMENT, UNAUTHENTICATED
// (no such session), UNAVAILABLE (stopping, or too much is asked from one address).
// Lifetime: what it is given outlives it.
class SessionService final : public v1::Session::CallbackService {
 public:
  SessionService(state::SessionTable& sessions, const VolumeMap& volumes, EventStreams& streams,
                 ControlThread& control, Clock& clock)
      : sessions_(sessions), volumes_(volumes), streams_(streams), control_(control),
        clock_(clock) {}

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
  // Touches memory only, on gRPC's own thread: others wait for it. Comes in streams, mostly.
  grpc::ServerUnaryReactor* ReturnLeases(grpc::CallbackServerContext* context,
                                         const v1::ReturnLeasesRequest* request,
                                         v1::ReturnLeasesReply* reply) override;
  grpc::ServerUnaryReactor* Goodbye(grpc::CallbackServerContext* context,
                                    const v1::GoodbyeRequest* request,
                                    v1::GoodbyeReply* reply) override;

  // A call of the rpc at `path` that came in a stream. False: this service takes none such.
  bool Take(std::string_view path, const Bytes& request, Arrival& arrival);

 private:
  // Runs `work` on the control thread and ends the call with what it returns.
  grpc::ServerUnaryReactor* RunOnControl(grpc::CallbackServerContext* context,
                                         absl::AnyInvocable<grpc::Status() &&> work);
  grpc::Status SayHello(const v1::HelloRequest& request, const std::string& peer,
                        v1::HelloReply& reply);
  Result<std::shared_ptr<state::Session>> OpenSession(const v1::HelloRequest& request,
                                                      const std::string& peer, Volume& volume,
                                                      v1::HelloReply& reply);
  grpc::Status DoReturnLeases(const v1::ReturnLeasesRequest& request);
  grpc::Status DoReclaim(const v1::ReclaimRequest& request, v1::ReclaimReply& reply);
  template <class Request>
  std::shared_ptr<state::Session> Find(const Request& request);

  state::SessionTable& sessions_;
  const VolumeMap& volumes_;
  EventStreams& streams_;
  ControlThread& control_;
  Clock& clock_;
};

}  // namespace tarn::rpc
