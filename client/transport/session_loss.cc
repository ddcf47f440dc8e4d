// What becomes of a Session's calls, opens and locks when the server has lost them, or has given it
// up. All of it runs on the session's own thread.
#include <algorithm>
#include <utility>

#include "client/transport/session.h"
#include "common/limits.h"

namespace tarn::transport {
namespace {

// A mutation may be asked again in another session's name, with what it was in the lost ones.
bool IsToBeAskedAgain(const Call& call) {
  return call.caller().session == SessionId{} && call.former.size() < kFormerRequestsMax;
}

}  // namespace

void Session::RecallInFlight() {
  channels_->OnStreams(&CallStream::Stop);
  MutexLock lock(&mu_);
  for (const Slot& slot : slots_) {
    if (slot.call != nullptr && slot.call->context != nullptr) slot.call->context->TryCancel();
  }
  const auto none = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return in_flight_ == 0; };
  mu_.Await(absl::Condition(&none));
  if (state_ != State::kClosed) channels_->OnStreams(&CallStream::Start);
}

void Session::Requeue(bool replies_kept) {
  Calls failed;
  {
    MutexLock lock(&mu_);
    const auto may_go_on = [&](Call& call) {
      return !IsThroughLost(call) && (!call.mutates || (replies_kept && IsToBeAskedAgain(call)));
    };
    for (Slot& slot : slots_) {
      std::shared_ptr<Call> call = std::exchange(slot.call, nullptr);
      if (call == nullptr) continue;
      if (!call->answered && may_go_on(*call)) {
        if (call->mutates) call->former.insert(call->former.begin(), FormerRequest{id_, call->id});
        call->state = Call::State::kQueued;
        queues_[call->waits].push_front(std::move(call));
        continue;
      }
      call->state = Call::State::kEnded;
      if (!std::exchange(call->answered, true)) failed.push_back(std::move(call));
    }
    // What has waited since the loss of an earlier session cannot be asked of this one's replies.
    for (auto& queue : queues_) {
      std::erase_if(queue, [&](const std::shared_ptr<Call>& call) {
        if (replies_kept || call->former.empty()) return false;
        call->state = Call::State::kEnded;
        if (!std::exchange(call->answered, true)) failed.push_back(call);
        return true;
      });
    }
  }
  FailAll(failed, Error(Errno::kEIO, "the session was lost before the answer came"));
}

bool Session::Reclaim(bool with_locks) {
  const std::vector<Held::Open> opens = held_.opens();
  const std::vector<SetLockArgs> locks =
      with_locks ? held_.locks() : std::vector<SetLockArgs>();
  size_t open = 0;
  size_t lock = 0;
  while (true) {
    v1::ReclaimRequest request;
    {
      MutexLock guard(&mu_);
      wire::Fill(id_, *request.mutable_session());
      request.set_epoch(epoch_);
    }
    const size_t first_lock = lock;
    for (; open < opens.size() && request.opens_size() < static_cast<int>(kReclaimBatch); ++open) {
      v1::ReclaimOpen& one = *request.add_opens();
      wire::Fill(opens[open].inode, *one.mutable_inode());
      one.set_open(Raw(opens[open].id));
      one.set_access(static_cast<uint32_t>(opens[open].access));
    }
    // Locks hang on opens: those first.
    for (; open == opens.size() && lock < locks.size() &&
           request.locks_size() < static_cast<int>(kReclaimBatch);
         ++lock) {
      wire::Fill(locks[lock], *request.add_locks());
    }
    if (open == opens.size()) {
      MutexLock guard(&mu_);
      for (const Handle& inode : written_) wire::Fill(inode, *request.add_written());
    }
    request.set_done(open == opens.size() && lock == locks.size());
    v1::ReclaimReply reply;
    const grpc::Status status =
        AskServer(kHelloNanos, [&](grpc::ClientContext* context, auto done) {
          stub_->async()->Reclaim(context, &request, &reply, std::move(done));
        });
    if (!status.ok()) return false;
    for (const uint64_t id : reply.lost_opens()) held_.Lose(OpenId{id});
    for (const uint64_t index : reply.lost_locks()) {
      if (first_lock + index < locks.size()) held_.Lose(locks[first_lock + index].open);
    }
    if (!request.done()) continue;
    MutexLock guard(&mu_);
    written_.clear();
    return true;
  }
}

}  // namespace tarn::transport
