#include "server/rpc/call_stream.h"

#include <utility>

#include "common/limits.h"
#include "common/wire/frame.h"
#include "proto/calls.pb.h"

namespace tarn::rpc {
namespace {

grpc::Status Stopping() { return {grpc::StatusCode::UNAVAILABLE, "the server stops"}; }

}  // namespace

// One call of a stream, until its answer.
class CallStream::Call final : public Arrival {
 public:
  Call(std::shared_ptr<CallStream> stream, uint64_t number)
      : stream_(std::move(stream)), number_(number) {}

  void Hold(state::RequestBudget::Charge charge) override { charge_ = std::move(charge); }
  void Answer(const Bytes& reply) override { End(grpc::Status::OK, reply); }
  void Refuse(const grpc::Status& status) override { End(status, Bytes()); }
  bool Wait(std::function<void()> leave) override { return false; }

 private:
  void End(const grpc::Status& status, const Bytes& reply) {
    v1::AnswerHead head;
    head.set_number(number_);
    head.set_status(static_cast<uint32_t>(status.error_code()));
    head.set_message(status.error_message());
    stream_->Send({wire::ToBuffer(wire::Encode(head, reply)), std::move(charge_)});
    delete this;
  }

  const std::shared_ptr<CallStream> stream_;
  const uint64_t number_;
  std::optional<state::RequestBudget::Charge> charge_;
};

CallStream* CallStream::Open() {
  self_ = shared_from_this();
  MutexLock lock(&mu_);
  ReadOn();
  return this;
}

void CallStream::ReadOn() {
  full_ = unanswered_ >= kCallsPerStream;
  if (!full_ && !end_.has_value()) StartRead(&read_);
}

void CallStream::OnReadDone(bool ok) {
  // Closed from the other end, or lost, which OnCancel says.
  if (!ok) return End(grpc::Status::OK);
  Take(std::exchange(read_, {}));
  // Only now: another thread would have to be woken to take the next one meanwhile.
  MutexLock lock(&mu_);
  ReadOn();
}

void CallStream::Take(const grpc::ByteBuffer& message) {
  v1::CallHead head;
  Bytes request;
  if (Status read = wire::Decode(message, head, request); !read.ok()) {
    return End({grpc::StatusCode::INVALID_ARGUMENT, read.error().message});
  }
  {
    MutexLock lock(&mu_);
    if (finished_) return;  // read before it was
    ++unanswered_;
  }
  streams_.TakeCall(head.rpc(), request, *new Call(shared_from_this(), head.number()));
}

void CallStream::Send(Answer answer) {
  {
    MutexLock lock(&mu_);
    if (lost_) return;
    answers_.push_back(std::move(answer));
    if (writing_ || !NextAnswer()) return;
  }
  StartWrite(&written_.message);
}

bool CallStream::NextAnswer() {
  writing_ = !lost_ && !answers_.empty();
  written_ = {};
  if (!writing_) return false;
  written_ = std::move(answers_.front());
  answers_.pop_front();
  return true;
}

void CallStream::OnWriteDone(bool ok) {
  std::optional<grpc::Status> end;
  {
    MutexLock lock(&mu_);
    --unanswered_;
    lost_ = lost_ || !ok;
    if (!NextAnswer() && MayFinish()) end = end_;
    if (full_) ReadOn();
    if (!end.has_value() && !writing_) return;
  }
  if (end.has_value()) return Finish(*end);
  StartWrite(&written_.message);
}

bool CallStream::MayFinish() {
  if (!end_.has_value() || writing_ || (unanswered_ > 0 && !lost_)) return false;
  return !std::exchange(finished_, true);
}

void CallStream::End(const grpc::Status& status) {
  grpc::Status end;
  {
    MutexLock lock(&mu_);
    if (!end_.has_value()) end_ = status;
    if (!MayFinish()) return;
    end = *end_;
  }
  Finish(end);
}

void CallStream::OnCancel() {
  {
    MutexLock lock(&mu_);
    lost_ = true;
    answers_.clear();
  }
  End(grpc::Status::CANCELLED);
}

void CallStream::OnDone() {
  streams_.Forget(this);
  {
    MutexLock lock(&mu_);
    lost_ = true;
  }
  self_.reset();
}

CallStream* CallStreams::Open() {
  const auto stream = std::make_shared<CallStream>(*this);
  CallStream* const opened = stream->Open();
  MutexLock lock(&mu_);
  streams_.insert(opened);
  if (stopped_) opened->End(Stopping());
  return opened;
}

void CallStreams::Forget(CallStream* stream) {
  MutexLock lock(&mu_);
  streams_.erase(stream);
}

void CallStreams::Stop() {
  MutexLock lock(&mu_);
  stopped_ = true;
  for (CallStream* const stream : streams_) stream->End(Stopping());
}

}  // namespace tarn::rpc
