#include "client/transport/event_reader.h"

#include <utility>

namespace tarn::transport {

EventReader::EventReader(v1::Session::Stub& stub, const v1::EventsRequest& request,
                         std::function<void(const v1::Event&)> on_event,
                         std::function<void(const grpc::Status&)> on_end)
    : on_event_(std::move(on_event)), on_end_(std::move(on_end)), request_(request) {
  stub.async()->Events(&context_, &request_, this);
  StartRead(&event_);
  StartCall();
}

EventReader::~EventReader() {
  closing_ = true;
  context_.TryCancel();
  done_.WaitForNotification();
}

void EventReader::OnReadDone(bool ok) {
  if (!ok) return;
  on_event_(event_);
  StartRead(&event_);
}

void EventReader::OnDone(const grpc::Status& status) {
  if (!closing_) on_end_(status);
  done_.Notify();
}

}  // namespace tarn::transport
