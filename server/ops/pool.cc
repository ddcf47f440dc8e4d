#include "server/ops/pool.h"

#include <utility>

namespace tarn::ops {

Pool::Pool(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

Pool::~Pool() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

void Pool::Post(Task task) {
  MutexLock lock(&mu_);
  tasks_.push_back(std::move(task));
}

void Pool::Work() {
  while (true) {
    Task task;
    {
      MutexLock lock(&mu_);
      mu_.Await(absl::Condition(
          +[](Pool* pool) ABSL_NO_THREAD_SAFETY_ANALYSIS {
            return !pool->tasks_.empty() || pool->stopping_;
          },
          this));
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    std::move(task)();
  }
}

}  // namespace tarn::ops
