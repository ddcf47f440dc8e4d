#include "server/rpc/event_stream.h"

#include <utility>

#include "common/fault.h"
#include "common/wire/lease.h"
#include "server/rpc/volume.h"

namespace tarn::rpc {

bool EventStream::Next() {
  const state::SessionFacts& facts = session_->facts();
  const ops::LocalFs& fs = static_cast<const Volume*>(facts.volume)->fs();
  const std::vector<state::OpenRecall> next = fs.RecallsOf(facts.id, sent_, 1);
  if (next.empty()) return false;
  event_.Clear();
  event_.set_number(next.front().number);
  wire::Fill(next.front().recall, *event_.mutable_recall());
  sent_ = next.front().number;
  session_->NoteEvent(sent_);
  if (FaultHits(FaultPoint::kRecallSend)) return Next();  // said to be sent, and lost
  return true;
}

void EventStream::Wake() {
  {
    MutexLock lock(&mu_);
    // What writes looks for more when it is done.
    if (writing_ || end_.has_value() || !Next()) return;
    writing_ = true;
  }
  StartWrite(&event_);
}

void EventStream::OnWriteDone(bool ok) {
  std::optional<grpc::Status> end;
  {
    MutexLock lock(&mu_);
    writing_ = ok && !end_.has_value() && Next();
    if (!writing_) {
      // A stream that cannot be written to is cancelled by gRPC.
      if (!end_.has_value() || std::exchange(finished_, true)) return;
      end = end_;
    }
  }
  if (end.has_value()) return Finish(*end);
  StartWrite(&event_);
}

void EventStream::End(const grpc::Status& status) {
  {
    MutexLock lock(&mu_);
    if (!end_.has_value()) end_ = status;
    if (writing_ || std::exchange(finished_, true)) return;
  }
  Finish(status);
}

void EventStream::OnDone() {
  if (session_ != nullptr) streams_.Forget(session_->facts().id, this);
  delete this;
}

void EventStreams::Add(SessionId id, EventStream* stream) {
  MutexLock lock(&mu_);
  if (stopped_) return stream->End({grpc::StatusCode::UNAVAILABLE, "the server stops"});
  EventStream* const older = std::exchange(streams_[id], stream);
  if (older != nullptr) older->End({grpc::StatusCode::ABORTED, "a newer stream took over"});
}

void EventStreams::Forget(SessionId id, EventStream* stream) {
  MutexLock lock(&mu_);
  const auto it = streams_.find(id);
  if (it != streams_.end() && it->second == stream) streams_.erase(it);
}

void EventStreams::Wake(SessionId id) {
  MutexLock lock(&mu_);
  if (const auto it = streams_.find(id); it != streams_.end()) it->second->Wake();
}

void EventStreams::End(SessionId id, const grpc::Status& status) {
  MutexLock lock(&mu_);
  if (const auto it = streams_.find(id); it != streams_.end()) it->second->End(status);
}

void EventStreams::Stop() {
  MutexLock lock(&mu_);
  stopped_ = true;
  for (const auto& [id, stream] : streams_) {
    stream->End({grpc::StatusCode::UNAVAILABLE, "the server stops"});
  }
}

}  // namespace tarn::rpc
