// One thread for what may block and is rare: Hello, Reclaim, Goodbye, and the table's clockwork. So
// no thread of gRPC's ever does.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
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

  // On behalf of the client at address `from`. False: it has kControlTasksPerPeer in the queue
  // already, and `task` was not taken.
  [[nodiscard]] bool Post(const std::string& from, Task task);

 private:
  void Run();

  absl::AnyInvocable<void()> tick_;

  Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<std::pair<std::string, Task>> tasks_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, uint32_t> queued_ ABSL_GUARDED_BY(mu_);  // by address; not 0
  std::thread thread_;  // last: it uses the others
};

}  // namespace tarn::rpc
