// The stream of events from the server. What it says most often is that the connection broke.
#pragma once

#include <grpcpp/client_context.h>

#include <functional>

#include "common/sync.h"
#include "proto/session.grpc.pb.h"

namespace tarn::transport {

// Thread safety: safe. Lifetime: the destructor ends the stream and waits for it.
class EventReader final : private grpc::ClientReadReactor<v1::Event> {
 public:
  // Opens the stream. `on_event` runs for each event, one after the other; `on_end` once when the
  // stream has ended, unless that is the destructor's doing.
  EventReader(v1::Session::Stub& stub, const v1::EventsRequest& request,
              std::function<void(const v1::Event&)> on_event,
              std::function<void(const grpc::Status&)> on_end);
  ~EventReader() override;

 private:
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  const std::function<void(const v1::Event&)> on_event_;
  const std::function<void(const grpc::Status&)> on_end_;
  const v1::EventsRequest request_;
  grpc::ClientContext context_;
  v1::Event event_;
  std::atomic<bool> closing_ = false;
  Notification done_;
};

}  // namespace tarn::transport
