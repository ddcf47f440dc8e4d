#include "client/transport/session.h"

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "common/fault.h"
#include "common/limits.h"
#include "common/log.h"

namespace tarn::transport {
namespace {

constexpr int64_t kCancelNanos = 5 * kSecondNanos;

Error Closed() { return Error(Errno::kEIO, "the session was closed"); }

// The statuses that say: no answer was obtained, so send it again.
bool IsNoAnswer(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::ABORTED:
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNKNOWN:
      return true;
    default:
      return false;
  }
}

// Null: the call is no rpc of its own.
std::unique_ptr<grpc::ClientContext> NewContext(const Call& call) {
  if (call.lane == Lane::kSmall) return nullptr;
  auto context = std::make_unique<grpc::ClientContext>();
  // A channel that is still connecting holds the call; one that breaks under it fails it.
  context->set_wait_for_ready(true);
  return context;
}

}  // namespace

void Session::Assign(const std::shared_ptr<Call>& call, uint32_t slot) {
  slots_[slot].call = call;
  call->id = {slot, ++slots_[slot].sequence};
  PrepareAttempt(*call);
}

void Session::PrepareAttempt(Call& call) {
  if (call.context == nullptr) call.context = NewContext(call);  // the first was made by Submit
  call.state = Call::State::kInFlight;
  call.generation = generation_;
  call.session = id_;
  call.epoch = epoch_;
  call.sent_nanos = SystemClock().BootNanos();
  ++in_flight_;
  ++attempts_;
}

std::shared_ptr<Call> Session::AssignNext(bool waits) {
  if (state_ != State::kUp || queues_[waits].empty() || free_[waits].empty()) return nullptr;
  std::shared_ptr<Call> call = std::move(queues_[waits].front());
  queues_[waits].pop_front();
  const uint32_t slot = free_[waits].back();
  free_[waits].pop_back();
  Assign(call, slot);
  return call;
}

void Session::FreeSlot(Call& call, bool used) {
  Slot& slot = slots_[call.id.slot];
  slot.call.reset();
  if (!used) --slot.sequence;
  free_[call.waits].push_back(call.id.slot);
  call.state = Call::State::kEnded;
}

bool Session::IsOfAnother(const Call& call) const {
  const SessionId wanted = call.caller().session;
  return wanted != SessionId{} && wanted != id_;
}

bool Session::IsThroughLost(const Call& call) const {
  return !call.ends_open && std::any_of(call.opens.begin(), call.opens.end(),
                                        [this](OpenId open) { return held_.IsLost(open); });
}

void Session::Submit(std::shared_ptr<Call> call) {
  if (IsThroughLost(*call)) {
    return call->Fail(Error(Errno::kEIO, "the open was lost with its session"));
  }
  call->NoteLetsGo(held_);
  call->context = NewContext(*call);
  call->submitted_nanos = SystemClock().BootNanos();
  std::shared_ptr<Call> to_send;
  bool closed = false;
  bool foreign = false;
  {
    MutexLock lock(&mu_);
    closed = state_ == State::kClosed;
    foreign = IsOfAnother(*call);
    if (!closed && !foreign) {
      queues_[call->waits].push_back(call);
      to_send = AssignNext(call->waits);
      if (state_ == State::kDown && call->caller().patience_nanos > 0) {
        overdue_nanos_ = std::min(overdue_nanos_,
                                  call->submitted_nanos + call->caller().patience_nanos);
      }
    }
  }
  if (closed) return call->Fail(Closed());
  if (foreign) return call->Fail(Error(Errno::kEIO, "its session is over"));
  if (to_send != nullptr) Send(to_send);
  if (call->caller().cancellation != nullptr) {
    call->caller().cancellation->OnCancel(
        [session = weak_from_this(), weak = std::weak_ptr<Call>(call)] {
          const std::shared_ptr<Session> self = session.lock();
          const std::shared_ptr<Call> call = weak.lock();
          if (self != nullptr && call != nullptr) self->Cancel(call);
        });
  }
}

void Session::Send(const std::shared_ptr<Call>& call) {
  v1::RequestHeader header;
  wire::Fill(call->session, *header.mutable_session());
  header.set_epoch(call->epoch);
  header.set_slot(call->id.slot);
  header.set_sequence(call->id.sequence);
  // A retry tells the same again: they are nowhere else.
  if (call->ended.empty()) call->ended = held_.TakeEnded(kEndedOpensPerRequest);
  for (const ReleaseArgs& ended : call->ended) wire::Fill(ended, *header.add_ended());
  for (const FormerRequest& former : call->former) wire::Fill(former, *header.add_former());
  auto done = [self = shared_from_this(), call](const grpc::Status& status, Bytes reply) {
    call->reply = std::move(reply);
    self->OnStatus(call, status);
  };
  // One that is lost on its way ends as if the connection had.
  if (FaultHits(FaultPoint::kClientSend)) {
    return done({grpc::StatusCode::CANCELLED, "lost on purpose"}, Bytes());
  }
  Bytes request = call->Encode(std::move(header));
  if (call->lane == Lane::kSmall) {
    return channels_->Stream().Call(call->method, std::move(request), std::move(done));
  }
  call->request = wire::ToBuffer(request);
  call->answer.Clear();
  channels_->Stub(call->lane).UnaryCall(
      call->context.get(), call->method, {}, &call->request, &call->answer,
      [call, done = std::move(done)](const grpc::Status& status) {
        Result<Bytes> reply = wire::FromBuffer(call->answer);
        done(status, reply.ok() ? *std::move(reply) : Bytes());
      });
}

void Session::OnStatus(const std::shared_ptr<Call>& call, const grpc::Status& status) {
  std::unique_ptr<grpc::ClientContext> context;
  {
    MutexLock lock(&mu_);
    context = std::move(call->context);
  }
  if (status.ok()) {
    OnAnswer(call);
  } else if (IsNoAnswer(status.error_code())) {
    OnNoAnswer(call, status);
  } else {
    OnRefusal(call, status);
  }
  OnAttemptOver(std::move(context));
}

void Session::SayEnded() {
  for (const ReleaseArgs& ended : held_.TakeEnded(1)) {
    Submit(std::make_shared<VerbCall<verbs::Release>>(Caller{}, ended, [](Result<Unit>) {}));
  }
}

// Bounds what is to be remembered, and what a loss of power can cost.
void Session::SyncIfMuchIsUnsynced() {
  if (!held_.unsynced().TakeFull()) return;
  const FsyncArgs all{.inode = info_.root.handle};
  Submit(std::make_shared<VerbCall<verbs::Fsync>>(
      Caller{}, all, [self = shared_from_this(), began = held_.unsynced().Begin()](
                         const Result<Unit>& result) {
        if (result.ok()) self->held_.unsynced().End(began);
      }));
}

void Session::OnAnswer(const std::shared_ptr<Call>& call) {
  call->Receive(held_);
  (void)FaultHits(FaultPoint::kClientReply);
  std::shared_ptr<Call> next;
  bool wanted = false;
  {
    MutexLock lock(&mu_);
    --in_flight_;
    fruitful_ = true;
    Heard(call->sent_nanos);
    ToldOfEvent(call->last_event);
    wanted = !std::exchange(call->answered, true);
    FreeSlot(*call, /*used=*/true);
    next = AssignNext(call->waits);
  }
  if (call->caller().cancellation != nullptr) call->caller().cancellation->Clear();
  if (wanted) {
    call->Deliver();
  } else if (std::shared_ptr<Call> undo = call->Undo(); undo != nullptr) {
    Submit(std::move(undo));
  }
  if (next != nullptr) Send(next);
  SyncIfMuchIsUnsynced();
}

void Session::OnRefusal(const std::shared_ptr<Call>& call, const grpc::Status& status) {
  LogError("{} refused by the server: {}", call->method, status.error_message());
  // Refused before its slot was looked at; else the slots are out of step, and only a new session
  // helps.
  const bool harmless = status.error_code() == grpc::StatusCode::INVALID_ARGUMENT ||
                        status.error_code() == grpc::StatusCode::UNIMPLEMENTED;
  std::shared_ptr<Call> next;
  bool wanted = false;
  {
    MutexLock lock(&mu_);
    --in_flight_;
    wanted = !std::exchange(call->answered, true);
    FreeSlot(*call, /*used=*/!harmless);
    if (!harmless) {
      abandon_ = true;
      BrokenLocked(call->generation);
    }
    next = AssignNext(call->waits);
  }
  for (const ReleaseArgs& ended : call->ended) held_.End(ended);
  const bool unknown = status.error_code() == grpc::StatusCode::UNIMPLEMENTED;
  if (wanted) call->Fail({unknown ? Errno::kENOSYS : Errno::kEIO, status.error_message()});
  if (next != nullptr) Send(next);
}

void Session::OnNoAnswer(const std::shared_ptr<Call>& call, const grpc::Status& status) {
  LogDebug("{} got no answer: {}", call->method, status.error_message());
  bool again = false;
  Calls interrupted;
  bool closed = false;
  {
    MutexLock lock(&mu_);
    --in_flight_;
    call->state = Call::State::kUnanswered;
    closed = state_ == State::kClosed;
    if (closed) {
      closed = !std::exchange(call->answered, true);
      FreeSlot(*call, /*used=*/true);
    } else if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {
      held_back_ = true;  // the connection is well: sent again a little later
    } else if (state_ == State::kUp && call->generation < generation_) {
      again = true;  // the connection that it died with has been replaced already
      PrepareAttempt(*call);
    } else {
      BrokenLocked(call->generation);
      interrupted = TakeCancelled();
    }
  }
  if (closed) call->Fail(Closed());
  if (again) Send(call);
  FailAll(interrupted, Errno::kEINTR);
}

void Session::Cancel(const std::shared_ptr<Call>& call) {
  bool interrupted = false;
  bool tell_server = false;
  {
    MutexLock lock(&mu_);
    call->cancel_wanted = true;
    if (call->answered || call->state == Call::State::kEnded) return;
    if (call->state == Call::State::kQueued) {
      auto& queue = queues_[call->waits];
      queue.erase(std::remove(queue.begin(), queue.end(), call), queue.end());
      call->state = Call::State::kEnded;
      interrupted = true;
    } else if (state_ != State::kUp) {
      interrupted = true;
    } else {
      tell_server = call->waits;
    }
    if (interrupted) call->answered = true;
  }
  if (interrupted) call->Fail(Errno::kEINTR);
  if (tell_server) SendCancel(call);
}

void Session::SendCancel(const std::shared_ptr<Call>& call) {
  struct Pending {
    std::unique_ptr<grpc::ClientContext> context = std::make_unique<grpc::ClientContext>();
    v1::CancelRequest request;
    v1::CancelReply reply;
  };
  auto pending = std::make_shared<Pending>();
  uint64_t generation = 0;
  {
    MutexLock lock(&mu_);
    if (state_ != State::kUp) return;  // sent when the call is sent again
    generation = generation_;
    ++attempts_;
    wire::Fill(id_, *pending->request.mutable_session());
    pending->request.set_epoch(epoch_);
    pending->request.set_slot(call->id.slot);
    pending->request.set_sequence(call->id.sequence);
  }
  SetDeadline(*pending->context, kCancelNanos);
  stub_->async()->Cancel(pending->context.get(), &pending->request, &pending->reply,
                         [self = shared_from_this(), pending, generation](grpc::Status status) {
                           if (!status.ok()) self->Broken(generation);
                           self->OnAttemptOver(std::move(pending->context));
                         });
}

void Session::OnAttemptOver(std::unique_ptr<grpc::ClientContext> context) {
  context.reset();
  MutexLock lock(&mu_);
  --attempts_;
}

void Session::FailAll(const Calls& calls, const Error& error) {
  for (const std::shared_ptr<Call>& call : calls) call->Fail(error);
}

}  // namespace tarn::transport
