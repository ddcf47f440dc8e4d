// One thread for what may block and is rare: Hello, Reclaim, Goodbye, and the table's clockwork. So
// no thread of gRPC's ever does.
#pragma once

#include <deque>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "common/sync.h"

namespace tarn::rpc {

// Thread safety: safe. Lifetime: the destructor runs what was posted before, then joins.
class ControlThread {
 public:
  using Task = absl::AnyInvocable<void() &&>;
  // `tick` runs about once a second between tasks.
  explicit ControlThread(absl::AnyInvocable<void()> tick);
  ~ControlThread();

  void Post(Task task);

 private:
  void Run();

  absl::AnyInvocable<void()> tick_;

  Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;  // last: it uses the others
};

}  // namespace tarn::rpc
