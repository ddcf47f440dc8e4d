// One verb on its way to the server and back.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/byte_buffer.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "client/transport/channel.h"
#include "client/transport/held.h"
#include "common/limits.h"
#include "common/verbs.h"
#include "common/wire/convert.h"
#include "common/wire/frame.h"
#include "common/wire/lease.h"

namespace tarn::transport {

// Thread safety: none of its own. Members marked (S) are guarded by the Session's mutex; the rest
// belongs to whoever the call's state says: the submitter, then the attempt in flight.
class Call {
 public:
  virtual ~Call() = default;
  // The request under the header's session and slot.
  virtual Bytes Encode(v1::RequestHeader header) const = 0;
  // Notes what it lets go of: before it is sent for the first time.
  virtual void NoteLetsGo(Held& held) const = 0;
  // Reads the reply, and notes what it granted and which event it says was the last.
  virtual void Receive(Held& held) = 0;
  // Hands what was received to the maker.
  virtual void Deliver() = 0;
  // The call that takes back what was granted, for a maker that is no longer there; null: nothing.
  virtual std::shared_ptr<Call> Undo() const = 0;
  // Hands an error to the maker, instead of a reply.
  virtual void Fail(Error error) = 0;

  const Caller& caller() const { return caller_; }

  const char* method = nullptr;
  Lane lane = Lane::kSmall;
  bool mutates = false;     // to run it twice is not the same
  bool waits = false;       // may be parked at the server: takes one of the slots for that
  bool ends_open = false;   // of an open that is lost it succeeds
  bool lets_go = false;     // of something at the server: sent even if nobody waits for it any more
  absl::InlinedVector<OpenId, 2> opens;  // that it works through
  std::vector<ReleaseArgs> ended;        // opens whose end is told with it
  std::vector<FormerRequest> former;     // what it was under sessions since lost; the latest first

  enum class State : uint8_t { kQueued, kInFlight, kUnanswered, kEnded };
  State state = State::kQueued;        // (S)
  bool cancel_wanted = false;          // (S)
  bool answered = false;               // (S) its maker has heard; the slot may still be busy
  uint64_t generation = 0;             // (S) of the connection that it was last sent over; 0: never
  RequestId id;                        // the slot; kept until the call has ended
  SessionId session;                   // of the attempt in flight, as the rest
  uint32_t epoch = 0;
  int64_t sent_nanos = 0;              // CLOCK_BOOTTIME
  uint64_t last_event = 0;             // that the server had sent when it answered
  int64_t submitted_nanos = 0;         // likewise
  std::unique_ptr<grpc::ClientContext> context;  // of an rpc of its own; null: in the stream
  grpc::ByteBuffer request, answer;              // likewise
  Bytes reply;

 protected:
  explicit Call(const Caller& caller) : caller_(caller) {}

 private:
  const Caller caller_;
};

template <class V>
class VerbCall final : public Call {
 public:
  using Args = typename V::Args;
  using Reply = typename V::Reply;
  using Wire = wire::WireOf<V>;

  VerbCall(const Caller& caller, Args args, Done<Reply> done)
      : Call(caller), args_(std::move(args)), done_(std::move(done)) {
    method = Wire::kMethod;
    // An open that cuts nothing is the same if it is made again, and so is the end of one.
    mutates = V::kMutates && !std::is_same_v<V, verbs::Release>;
    if constexpr (std::is_same_v<V, verbs::Open>) mutates = args_.truncate;
    ends_open = std::is_same_v<V, verbs::Release>;
    lets_go = ends_open || std::is_same_v<V, verbs::Flush>;
    if (ContentsBytes() > kStreamedContentsMaxBytes) lane = Lane::kBulk;
    if constexpr (std::is_same_v<V, verbs::SetLock>) {
      waits = args_.wait;
      if (waits) lane = Lane::kSession;
      lets_go = args_.lock.type == LockType::kUnlock;
    }
    if constexpr (std::is_same_v<V, verbs::SetAttr>) {
      if (args_.open.has_value()) opens.push_back(*args_.open);
    } else if constexpr (std::is_same_v<V, verbs::CopyRange>) {
      opens = {args_.source_open, args_.target_open};
    } else if constexpr (requires { args_.open; } && !requires { args_.access; }) {
      opens.push_back(args_.open);
    }
  }

  Bytes Encode(v1::RequestHeader header) const override {
    typename Wire::Request message;
    wire::Fill(caller(), *header.mutable_caller());
    *message.mutable_header() = std::move(header);
    wire::Fill(args_, message);
    if constexpr (Wire::kRequestData) {
      return wire::Encode(message, args_.data);
    } else {
      return wire::Encode(message);
    }
  }

  void NoteLetsGo(Held& held) const override { held.NoteLetsGo(args_); }

  void Receive(Held& held) override {
    result_ = Decode(reply, caller().leases.get(), last_event);
    if (!result_.ok()) return;
    held.Note(args_, *result_);
    if constexpr (V::kMutates) {
      if (mutates) held.NoteChanges(args_, *result_);
    }
  }

  // What the maker left in `done_` goes with the answer: the slot may keep this for longer.
  void Deliver() override { std::exchange(done_, nullptr)(std::move(result_)); }
  void Fail(Error error) override { std::exchange(done_, nullptr)(std::move(error)); }

  std::shared_ptr<Call> Undo() const override {
    if (!result_.ok()) return nullptr;
    if constexpr (requires { args_.open, args_.access; }) {
      if (caller().keeps_late_open) return nullptr;
      ReleaseArgs release{.open = args_.open};
      if constexpr (requires { args_.inode; }) release.inode = args_.inode;
      if constexpr (requires { result_->entry; }) release.inode = result_->entry.handle;
      return std::make_shared<VerbCall<verbs::Release>>(Hard(), release, [](Result<Unit>) {});
    } else if constexpr (std::is_same_v<V, verbs::SetLock>) {
      if (args_.lock.type == LockType::kUnlock) return nullptr;
      SetLockArgs unlock = args_;
      unlock.wait = false;
      unlock.lock.type = LockType::kUnlock;
      return std::make_shared<VerbCall<verbs::SetLock>>(Hard(), unlock, [](Result<Unit>) {});
    }
    return nullptr;
  }

 private:
  // That the request or its reply carries.
  size_t ContentsBytes() const {
    if constexpr (Wire::kRequestData) return args_.data.size();
    if constexpr (Wire::kReplyData) return args_.size;
    return 0;
  }

  static Result<Reply> Decode(const Bytes& buffer, LeaseNews* news, uint64_t& last_event) {
    typename Wire::Reply message;
    Reply reply;
    Status read = Ok();
    if constexpr (Wire::kReplyData) {
      read = wire::Decode(buffer, message, reply.data);
    } else {
      read = wire::Decode(buffer, message);
    }
    if (read.ok()) last_event = message.header().last_event();
    if (read.ok() && news != nullptr) *news = wire::LeaseNewsOf(message.header());
    if (read.ok() && message.header().error() != 0) {
      const int32_t error = message.header().error();
      if (!IsValidErrno(error)) return Error(Errno::kEIO, "the server answered an unknown error");
      return Error(static_cast<Errno>(error), message.header().message());
    }
    if (read.ok()) read = wire::Take(message, reply);
    if (!read.ok()) return Error(Errno::kEIO, "unreadable reply: " + read.error().message);
    return reply;
  }

  // For what nobody waits for.
  Caller Hard() const {
    Caller hard = caller();
    hard.cancellation = nullptr;
    hard.leases = nullptr;
    hard.patience_nanos = 0;
    return hard;
  }

  const Args args_;
  Done<Reply> done_;
  Result<Reply> result_ = Errno::kEIO;
};

}  // namespace tarn::transport
