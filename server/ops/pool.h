// A few threads for what may wait for the disk.
//
// Thread safety: safe. Tasks run in order of Post, as threads come free.
// Lifetime: the destructor runs what has been posted, then joins.
#pragma once

#include <deque>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "common/sync.h"

namespace tarn::ops {

class Pool {
 public:
  using Task = absl::AnyInvocable<void() &&>;

  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void Post(Task task);

 private:
  void Work();

  Mutex mu_;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace tarn::ops
