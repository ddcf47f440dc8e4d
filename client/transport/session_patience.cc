// A Session's part in waiting: for the server, and with those who do not wait for it for ever.
#include <algorithm>
#include <utility>

#include "client/transport/session.h"
#include "common/clock.h"
#include "common/timed_wait.h"

namespace tarn::transport {

void Session::AwaitPatiently(absl::FunctionRef<bool()> ready, absl::Duration limit) {
  const int64_t begin = MonotonicNanos();
  while (true) {
    Calls overdue;
    bool over = false;
    {
      MutexLock lock(&mu_);
      const int64_t due = overdue_nanos_;
      const auto woken = [&]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
        return ready() || overdue_nanos_ < due;
      };
      absl::Duration left = limit - absl::Nanoseconds(MonotonicNanos() - begin);
      if (due != INT64_MAX) {
        left = std::min(left, absl::Nanoseconds(due - SystemClock().BootNanos()));
      }
      AwaitFor(mu_, absl::Condition(&woken), left);
      over = ready() || absl::Nanoseconds(MonotonicNanos() - begin) >= limit;
      if (state_ == State::kDown) {
        overdue = TakeOverdue(SystemClock().BootNanos());
      } else {
        overdue_nanos_ = INT64_MAX;
      }
    }
    FailAll(overdue, Error(Errno::kEIO, "the server is away for longer than this call may wait"));
    if (over) return;
  }
}

Session::Calls Session::TakeOverdue(int64_t now) {
  overdue_nanos_ = INT64_MAX;
  const auto is_overdue = [this, now](const Call& call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const int64_t patience = call.caller().patience_nanos;
    if (call.answered || patience == 0) return false;
    const int64_t due = std::max(call.submitted_nanos, down_nanos_) + patience;
    if (due > now) overdue_nanos_ = std::min(overdue_nanos_, due);
    return due <= now;
  };
  Calls overdue;
  for (const Slot& slot : slots_) {
    if (slot.call == nullptr || !is_overdue(*slot.call)) continue;
    // Its slot stays busy until the server has been heard; a lock is not to be waited for there.
    slot.call->answered = true;
    slot.call->cancel_wanted = true;
    overdue.push_back(slot.call);
  }
  for (auto& queue : queues_) {
    std::deque<std::shared_ptr<Call>> kept;
    for (std::shared_ptr<Call>& call : queue) {
      const bool failed = is_overdue(*call);
      if (failed) {
        call->answered = true;
        overdue.push_back(call);
      }
      if (!failed || call->lets_go) {
        kept.push_back(std::move(call));
      } else {
        call->state = Call::State::kEnded;
      }
    }
    queue = std::move(kept);
  }
  return overdue;
}

grpc::Status Session::AskServer(int64_t timeout_nanos, Start start) {
  struct Question {
    std::unique_ptr<grpc::ClientContext> context = std::make_unique<grpc::ClientContext>();
    grpc::Status status;
    bool answered = false;
  };
  auto question = std::make_shared<Question>();
  SetDeadline(*question->context, timeout_nanos);
  {
    MutexLock lock(&mu_);
    ++attempts_;
  }
  start(question->context.get(), [self = shared_from_this(), question](const grpc::Status& status) {
    std::unique_ptr<grpc::ClientContext> context;
    {
      MutexLock lock(&self->mu_);
      question->status = status;
      question->answered = true;
      context = std::move(question->context);
    }
    self->OnAttemptOver(std::move(context));
  });
  const auto over = [&]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return question->answered || state_ == State::kClosed;
  };
  AwaitPatiently(over, absl::InfiniteDuration());
  MutexLock lock(&mu_);
  if (!question->answered) question->context->TryCancel();
  mu_.Await(absl::Condition(&question->answered));
  return question->status;
}

}  // namespace tarn::transport
