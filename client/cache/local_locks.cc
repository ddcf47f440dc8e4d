#include "client/cache/local_locks.h"

#include <utility>

namespace tarn::cache {

void LocalLocks::EndAsking(Ino ino) {
  const auto it = asked_.find(ino);
  if (--it->second == 0) asked_.erase(it);
}

bool LocalLocks::Await(Ino ino, Then& then) {
  const auto handing = handing_.find(ino);
  if (handing == handing_.end()) return false;
  handing->second.waiting.push_back(std::move(then));
  return true;
}

std::vector<SetLockArgs> LocalLocks::BeginHandOver(Ino ino, Then& then) {
  std::vector<SetLockArgs> locks = ledger_.Take(ino);
  if (locks.empty()) return locks;
  HandOver& handing = handing_[ino];
  handing.locks = locks;
  handing.waiting.push_back(std::move(then));
  return locks;
}

std::vector<LocalLocks::Then> LocalLocks::EndHandOver(Ino ino) {
  return std::move(handing_.extract(ino).mapped().waiting);
}

std::vector<SetLockArgs> LocalLocks::TakeAll() {
  std::vector<SetLockArgs> all = ledger_.All();
  for (const auto& [ino, handing] : handing_) {
    all.insert(all.end(), handing.locks.begin(), handing.locks.end());
  }
  ledger_.Clear();
  return all;
}

}  // namespace tarn::cache
