#include "client/transport/unsynced.h"

#include <utility>

namespace tarn::transport {

void Unsynced::Note(Ino ino) {
  MutexLock lock(&mu_);
  Change& change = changes_.try_emplace(ino, Change{.last = 0, .losses = losses_}).first->second;
  change.last = ++last_;
}

bool Unsynced::NoteIncarnation(uint64_t incarnation) {
  MutexLock lock(&mu_);
  const uint64_t before = std::exchange(incarnation_, incarnation);
  if (before == 0 || before == incarnation) return false;
  ++losses_;
  return true;
}

bool Unsynced::TakeFull() {
  MutexLock lock(&mu_);
  if (changes_.size() < kMaxInodes || last_ < full_at_) return false;
  full_at_ = last_ + kMaxInodes;
  return true;
}

Unsynced::Mark Unsynced::Begin() const {
  MutexLock lock(&mu_);
  return {last_, losses_};
}

// What was lost is kept until it has been said.
void Unsynced::End(const Mark& began) {
  MutexLock lock(&mu_);
  if (began.losses != losses_) return;
  absl::erase_if(changes_, [&](const auto& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return entry.second.losses == losses_ && entry.second.last <= began.last;
  });
}

bool Unsynced::TakeLost(Ino ino) {
  MutexLock lock(&mu_);
  if (losses_ == 0) return false;
  return absl::erase_if(changes_, [&](const auto& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
           return entry.second.losses < losses_ && (ino == kNoIno || entry.first == ino);
         }) > 0;
}

}  // namespace tarn::transport
