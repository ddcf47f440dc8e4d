// A request that waits within the cache: for what was written to be told, for an open to be
// registered, for locks to be handed over. All of these wait for the server, which may be away: a
// signal ends the wait.
#pragma once

#include <memory>
#include <utility>

#include "common/cancellation.h"
#include "common/filesystem.h"
#include "common/sync.h"

namespace tarn::cache {

// Thread safety: safe. Copies stand for the same request.
// Lifetime: made before the wait begins; whoever goes on with the request takes its `done`.
template <class Reply>
class Waiting {
 public:
  // Cancelled, it is answered with EINTR, perhaps at once.
  Waiting(const Caller& caller, Done<Reply> done)
      : cancellation_(caller.cancellation), state_(std::make_shared<State>()) {
    state_->done = std::move(done);
    if (cancellation_ == nullptr) return;
    cancellation_->OnCancel([state = state_] {
      if (Done<Reply> interrupted = state->Take()) std::move(interrupted)(Errno::kEINTR);
    });
  }

  // Null: it has been answered.
  Done<Reply> Take() const {
    Done<Reply> done = state_->Take();
    if (done && cancellation_ != nullptr) cancellation_->Clear();
    return done;
  }

 private:
  struct State {
    Done<Reply> Take() {
      MutexLock lock(&mu);
      return std::exchange(done, nullptr);
    }
    Mutex mu;
    Done<Reply> done ABSL_GUARDED_BY(mu);
  };

  std::shared_ptr<Cancellation> cancellation_;
  std::shared_ptr<State> state_;
};

}  // namespace tarn::cache
