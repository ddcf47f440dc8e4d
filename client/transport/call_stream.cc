#include "client/transport/call_stream.h"

#include <grpcpp/client_context.h>

#include <deque>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "common/log.h"
#include "common/wire/frame.h"
#include "proto/calls.pb.h"

namespace tarn::transport {
namespace {

constexpr const char* kStreamPath = "/tarn.v1.Calls/Stream";

grpc::Status Stopped() { return {grpc::StatusCode::CANCELLED, "stopped"}; }

}  // namespace

// One stream, from its opening until gRPC is done with it. While it is its owner's it has a hold on
// itself, under which others may begin to use it; whoever does has one of his own meanwhile.
// Invariants: of reads and of writes one is outstanding at most; a read is while a call is
// unanswered. Not at other times: gRPC makes room for the next message as soon as it is to be read,
// with a message of its own that wakes the server. So room is made after a call was sent, and the
// server finds both at once.
class CallStream::Stream final
    : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit Stream(CallStream& owner) : owner_(owner) {
    context_.set_wait_for_ready(true);
    owner_.stub_.PrepareBidiStreamingCall(&context_, kStreamPath, {}, this);
    AddHold();
  }

  void Call(const char* rpc, Bytes request, Done done) ABSL_LOCKS_EXCLUDED(mu_);
  bool IsIdle() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    return !reading_;
  }
  void Cancel() { context_.TryCancel(); }

 private:
  bool NextCall() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);  // true: to be written now
  // Hands an answer to its call; false: it is not one.
  bool Deliver();

  void OnWriteDone(bool ok) override;
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  CallStream& owner_;
  grpc::ClientContext context_;
  grpc::ByteBuffer read_;     // by the read under way: not touched meanwhile
  grpc::ByteBuffer written_;  // by the write under way: likewise
  std::atomic<uint64_t> last_number_ = 0;

  Mutex mu_;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool reading_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<grpc::ByteBuffer> calls_ ABSL_GUARDED_BY(mu_);  // to be written
  absl::flat_hash_map<uint64_t, Done> unanswered_ ABSL_GUARDED_BY(mu_);
};

void CallStream::Stream::Call(const char* rpc, Bytes request, Done done) {
  v1::CallHead head;
  head.set_number(last_number_.fetch_add(1, std::memory_order_relaxed) + 1);
  head.set_rpc(rpc);
  grpc::ByteBuffer call = wire::ToBuffer(wire::Encode(head, std::move(request)));
  bool write = false;
  bool read = false;
  {
    MutexLock lock(&mu_);
    unanswered_.emplace(head.number(), std::move(done));
    owner_.unanswered_.fetch_add(1, std::memory_order_relaxed);
    calls_.push_back(std::move(call));
    write = !writing_ && NextCall();
    read = !std::exchange(reading_, true);
  }
  if (write) StartWrite(&written_);
  if (read) StartRead(&read_);
}

bool CallStream::Stream::NextCall() {
  writing_ = !calls_.empty();
  if (!writing_) return false;
  written_ = std::move(calls_.front());
  calls_.pop_front();
  return true;
}

// If it is not, the stream is broken, and reading ends too.
void CallStream::Stream::OnWriteDone(bool ok) {
  if (!ok) return;
  {
    MutexLock lock(&mu_);
    if (!NextCall()) return;
  }
  StartWrite(&written_);
}

void CallStream::Stream::OnReadDone(bool ok) {
  if (!ok) return owner_.Retire(this);
  if (!Deliver()) {
    Cancel();
    return owner_.Retire(this);
  }
  {
    MutexLock lock(&mu_);
    reading_ = !unanswered_.empty();
    if (!reading_) return;
  }
  StartRead(&read_);
}

bool CallStream::Stream::Deliver() {
  v1::AnswerHead head;
  Bytes reply;
  if (Status read = wire::Decode(std::exchange(read_, {}), head, reply); !read.ok()) {
    LogError("not an answer: {}", read.error().message);
    return false;
  }
  Done done;
  {
    MutexLock lock(&mu_);
    const auto call = unanswered_.find(head.number());
    if (call == unanswered_.end()) return true;  // to nothing that was asked
    done = std::move(call->second);
    unanswered_.erase(call);
    owner_.unanswered_.fetch_sub(1, std::memory_order_relaxed);
  }
  std::move(done)({static_cast<grpc::StatusCode>(head.status()), head.message()},
                  std::move(reply));
  return true;
}

void CallStream::Stream::OnDone(const grpc::Status& status) {
  CallStream& owner = owner_;
  absl::flat_hash_map<uint64_t, Done> unanswered;
  {
    MutexLock lock(&mu_);
    unanswered = std::move(unanswered_);
  }
  owner.unanswered_.fetch_sub(unanswered.size(), std::memory_order_relaxed);
  const grpc::Status no_answer =
      status.ok() ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "the stream has ended") : status;
  for (auto& [number, done] : unanswered) std::move(done)(no_answer, Bytes());
  delete this;
  MutexLock lock(&owner.mu_);
  --owner.streams_;
}

CallStream::~CallStream() {
  Stop();
  MutexLock lock(&mu_);
  const auto none = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return streams_ == 0; };
  mu_.Await(absl::Condition(&none));
}

void CallStream::Call(const char* rpc, Bytes request, Done done) {
  Stream* stream = nullptr;
  bool opens = false;
  {
    MutexLock lock(&mu_);
    if (!stopped_) {
      opens = stream_ == nullptr;
      if (opens) {
        stream_ = new Stream(*this);
        ++streams_;
      }
      stream = stream_;
      stream->AddHold();
    }
  }
  if (stream == nullptr) return std::move(done)(Stopped(), Bytes());
  if (opens) stream->StartCall();
  stream->Call(rpc, std::move(request), std::move(done));
  stream->RemoveHold();
}

void CallStream::Retire(Stream* stream) {
  {
    MutexLock lock(&mu_);
    if (stream_ != stream) return;
    stream_ = nullptr;
  }
  stream->RemoveHold();
}

void CallStream::Drop() {
  Stream* const stream = std::exchange(stream_, nullptr);
  stream->Cancel();
  stream->RemoveHold();
}

void CallStream::Stop() {
  MutexLock lock(&mu_);
  stopped_ = true;
  if (stream_ != nullptr) Drop();
}

void CallStream::Renew() {
  MutexLock lock(&mu_);
  if (stream_ != nullptr && stream_->IsIdle()) Drop();
}

void CallStream::Start() {
  MutexLock lock(&mu_);
  stopped_ = false;
}

}  // namespace tarn::transport
