#include "client/fuse/lock_book.h"

#include <algorithm>
#include <utility>

namespace tarn::fuse {

LockBook::Entry& LockBook::EntryOf(Ino ino) {
  Entry& entry = entries_[ino];
  entry_count_.store(entries_.size(), std::memory_order_release);
  return entry;
}

void LockBook::EraseIfEmpty(Ino ino) {
  auto it = entries_.find(ino);
  if (it != entries_.end() && it->second.empty()) entries_.erase(it);
  entry_count_.store(entries_.size(), std::memory_order_release);
}

void LockBook::Note(Ino ino, OpenId open, LockOwner owner) {
  MutexLock lock(&mu_);
  auto& holders = EntryOf(ino).holders;
  Holder holder{owner, open};
  if (std::find(holders.begin(), holders.end(), holder) == holders.end()) {
    holders.push_back(holder);
  }
}

bool LockBook::TakeOwner(Ino ino, LockOwner owner) {
  if (NothingNoted()) return false;
  MutexLock lock(&mu_);
  auto it = entries_.find(ino);
  if (it == entries_.end()) return false;
  size_t taken =
      std::erase_if(it->second.holders, [&](const Holder& h) { return h.owner == owner; });
  EraseIfEmpty(ino);
  return taken > 0;
}

bool LockBook::BeginRelease(Ino ino, OpenId open) {
  if (NothingNoted()) return false;
  MutexLock lock(&mu_);
  auto it = entries_.find(ino);
  if (it == entries_.end()) return false;
  Entry& entry = it->second;
  size_t taken = std::erase_if(entry.holders, [&](const Holder& h) { return h.open == open; });
  if (taken == 0) return false;
  ++entry.releases;
  return true;
}

void LockBook::EndRelease(Ino ino) {
  std::vector<Next> ready;
  {
    MutexLock lock(&mu_);
    Entry& entry = EntryOf(ino);
    if (--entry.releases == 0) ready = std::exchange(entry.waiting, {});
    EraseIfEmpty(ino);
  }
  for (Next& next : ready) std::move(next)();
}

void LockBook::AfterReleases(Ino ino, Next next) {
  if (!NothingNoted()) {
    MutexLock lock(&mu_);
    auto it = entries_.find(ino);
    if (it != entries_.end() && it->second.releases > 0) {
      it->second.waiting.push_back(std::move(next));
      return;
    }
  }
  std::move(next)();
}

}  // namespace tarn::fuse
