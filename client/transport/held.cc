#include "client/transport/held.h"

#include <utility>

namespace tarn::transport {
namespace {

// Cuts [start, end] out of the ranges of one owner.
void CutOut(std::vector<SetLockArgs>& ranges, uint64_t start, uint64_t end) {
  std::vector<SetLockArgs> kept;
  for (const SetLockArgs& range : ranges) {
    if (range.lock.end < start || range.lock.start > end) {
      kept.push_back(range);
      continue;
    }
    if (range.lock.start < start) {
      kept.push_back(range);
      kept.back().lock.end = start - 1;
    }
    if (range.lock.end > end) {
      kept.push_back(range);
      kept.back().lock.start = end + 1;
    }
  }
  ranges = std::move(kept);
}

}  // namespace

void Held::Add(OpenId id, Handle inode, OpenAccess access) {
  MutexLock lock(&mu_);
  opens_[Raw(id)] = {id, inode, access, false};
}

void Held::Note(const OpenArgs& args, const OpenReply& reply) {
  Add(args.open, args.inode, args.access);
}

void Held::Note(const CreateArgs& args, const CreateReply& reply) {
  Add(args.open, reply.entry.handle, args.access);
}

void Held::Note(const CreateTmpArgs& args, const CreateReply& reply) {
  Add(args.open, reply.entry.handle, args.access);
}

void Held::Note(const ReleaseArgs& args, const Unit& reply) {
  MutexLock lock(&mu_);
  opens_.erase(Raw(args.open));
  for (auto it = locks_.lower_bound({args.inode.ino, LockKind::kRange, LockOwner{}});
       it != locks_.end() && std::get<Ino>(it->first) == args.inode.ino;) {
    std::erase_if(it->second, [&](const SetLockArgs& held) { return held.open == args.open; });
    it = it->second.empty() ? locks_.erase(it) : std::next(it);
  }
}

void Held::Note(const FlushArgs& args, const Unit& reply) {
  MutexLock lock(&mu_);
  locks_.erase({args.inode.ino, LockKind::kRange, args.owner});
}

void Held::Note(const SetLockArgs& args, const Unit& reply) {
  MutexLock lock(&mu_);
  const OwnerKey key{args.inode.ino, args.kind, args.owner};
  std::vector<SetLockArgs>& ranges = locks_[key];
  if (args.kind == LockKind::kFlock) {
    ranges.clear();
  } else {
    CutOut(ranges, args.lock.start, args.lock.end);
  }
  if (args.lock.type != LockType::kUnlock) ranges.push_back(args);
  if (ranges.empty()) locks_.erase(key);
}

std::vector<Held::Open> Held::opens() const {
  MutexLock lock(&mu_);
  std::vector<Open> all;
  for (const auto& [id, open] : opens_) {
    if (!open.lost) all.push_back(open);
  }
  return all;
}

std::vector<SetLockArgs> Held::locks() const {
  MutexLock lock(&mu_);
  std::vector<SetLockArgs> all;
  for (const auto& [key, ranges] : locks_) all.insert(all.end(), ranges.begin(), ranges.end());
  return all;
}

void Held::Lose(OpenId open) {
  MutexLock lock(&mu_);
  const auto it = opens_.find(Raw(open));
  if (it != opens_.end()) it->second.lost = true;
}

void Held::LoseLocks() {
  MutexLock lock(&mu_);
  for (const auto& [key, ranges] : locks_) {
    for (const SetLockArgs& range : ranges) {
      const auto it = opens_.find(Raw(range.open));
      if (it != opens_.end()) it->second.lost = true;
    }
  }
  locks_.clear();
}

bool Held::IsLost(OpenId open) const {
  MutexLock lock(&mu_);
  const auto it = opens_.find(Raw(open));
  return it != opens_.end() && it->second.lost;
}

}  // namespace tarn::transport
