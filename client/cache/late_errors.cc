#include "client/cache/late_errors.h"

namespace tarn::cache {

void LateErrors::NoteOpen(OpenId open) {
  uint64_t last = last_open_.load(std::memory_order_relaxed);
  while (last < Raw(open) && !last_open_.compare_exchange_weak(last, Raw(open))) {
  }
}

void LateErrors::NoteFailure(Ino ino, Errno code) {
  MutexLock lock(&mu_);
  failures_[ino] = {code, last_open_.load(), {}};
  failures_count_.store(failures_.size());
}

std::optional<Errno> LateErrors::Take(Ino ino, OpenId open) {
  if (failures_count_.load(std::memory_order_relaxed) == 0) return std::nullopt;
  MutexLock lock(&mu_);
  const auto it = failures_.find(ino);
  if (it == failures_.end() || Raw(open) > it->second.last_open) return std::nullopt;
  if (!it->second.told.insert(Raw(open)).second) return std::nullopt;
  return it->second.code;
}

void LateErrors::Forget(Ino ino) {
  if (failures_count_.load(std::memory_order_relaxed) == 0) return;
  MutexLock lock(&mu_);
  failures_.erase(ino);
  failures_count_.store(failures_.size());
}

}  // namespace tarn::cache
