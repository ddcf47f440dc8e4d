// Threads for work that may be stuck in the kernel behind requests of our own mount. There is
// always a free one, within reason: a stuck one is not waited for.
#pragma once

#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "common/sync.h"

namespace tarn::cache {

// Thread safety: safe. Lock order: mu_ is a leaf; tasks run outside it.
// Lifetime: the destructor drops what has not begun and waits for what runs: first make sure that
// it can end (the mount is gone).
class Workers {
 public:
  using Task = absl::AnyInvocable<void() &&>;

  explicit Workers(size_t max_threads);
  ~Workers();

  void Post(Task task);
  // `stuck` is posted if the task is not over `patience` after it began.
  void PostWatched(Task task, absl::Duration patience, Task stuck);

 private:
  struct Job {
    Task task;
    Task stuck;
    absl::Duration patience;
  };

  void Add(Job job);
  void Work();
  void Watch();
  bool Watched() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return stopping_ || !watched_.empty(); }

  const size_t max_threads_;
  Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  size_t idle_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<Job> jobs_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mu_);
  struct Running {
    int64_t due_nanos = 0;  // MonotonicNanos
    Task stuck;
  };
  uint64_t last_running_ ABSL_GUARDED_BY(mu_) = 0;
  absl::flat_hash_map<uint64_t, Running> watched_ ABSL_GUARDED_BY(mu_);
  std::thread watch_;  // last: it uses the others
};

}  // namespace tarn::cache
