// One open stream of events to a client. So far it carries none but its end: a client notices at
// once that the server is gone, and says Hello again.
#pragma once

#include <atomic>

#include "common/types.h"
#include "proto/session.grpc.pb.h"

namespace tarn::rpc {

class SessionService;

// Thread safety: safe. Lifetime: deletes itself when gRPC is done with it, which End makes happen.
class EventStream final : public grpc::ServerWriteReactor<v1::Event> {
 public:
  EventStream(SessionService& service, SessionId session) : service_(service), session_(session) {
    StartSendInitialMetadata();
  }

  SessionId session() const { return session_; }
  void End(const grpc::Status& status);

  void OnCancel() override { End(grpc::Status::CANCELLED); }
  void OnDone() override;

 private:
  SessionService& service_;
  const SessionId session_;
  std::atomic<bool> ended_ = false;
};

}  // namespace tarn::rpc
