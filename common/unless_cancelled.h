// A request that waits for what must come first: what was written is to be told, opens registered,
// locks handed over. All of these wait for the server, which may be away: a signal ends the wait.
#pragma once

#include <memory>
#include <utility>

#include "common/cancellation.h"
#include "common/filesystem.h"
#include "common/sync.h"

namespace tarn {

// What to run when the wait is over: `go(done, ...)`, unless the request was cancelled before. Then
// `done` has been answered with EINTR, perhaps already within this call.
// Thread safety: the result may run on any thread, once.
template <class Reply, class Go>
auto UnlessCancelled(const Caller& caller, Done<Reply> done, Go go) {
  struct Waiting {
    explicit Waiting(Done<Reply> done) : done(std::move(done)) {}
    Done<Reply> Take() {
      MutexLock lock(&mu);
      return std::exchange(done, nullptr);
    }
    Mutex mu;
    Done<Reply> done ABSL_GUARDED_BY(mu);
  };
  auto waiting = std::make_shared<Waiting>(std::move(done));
  auto cancellation = caller.cancellation;
  if (cancellation != nullptr) {
    cancellation->OnCancel([waiting] {
      if (Done<Reply> interrupted = waiting->Take()) std::move(interrupted)(Errno::kEINTR);
    });
  }
  return [waiting, cancellation, go = std::move(go)](auto&&... args) mutable {
    Done<Reply> then = waiting->Take();
    if (!then) return;
    if (cancellation != nullptr) cancellation->Clear();
    std::move(go)(std::move(then), std::forward<decltype(args)>(args)...);
  };
}

}  // namespace tarn
