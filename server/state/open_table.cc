#include "server/state/open_table.h"

#include <cstdio>
#include <cstdlib>

namespace tarn::state {

const OpenTable::Shard& OpenTable::ShardOf(SessionId session, OpenId id) const {
  return shards_[(session.low ^ Raw(id)) % kShards];
}
OpenTable::Shard& OpenTable::ShardOf(SessionId session, OpenId id) {
  return shards_[(session.low ^ Raw(id)) % kShards];
}

Result<bool> OpenTable::Add(SessionId session, OpenId id, Open open) {
  Shard& shard = ShardOf(session, id);
  MutexLock shard_lock(&shard.mu);
  if (auto it = shard.opens.find(Key(session, id)); it != shard.opens.end()) {
    if (it->second.ino != open.ino) return Error(Errno::kEBADF, "open id in use");
    MutexLock lock(&mu_);
    CountOut(session, it->second);
    CountIn(session, open);
    it->second = open;
    return false;
  }
  MutexLock lock(&mu_);
  if (ended_.contains(session)) return Error(Errno::kEBADF, "the session has ended");
  const auto count = by_session_.find(session);
  const uint64_t own = count == by_session_.end() ? 0 : count->second;
  if (own >= opens_per_session_) return Error(Errno::kENFILE, "too many opens of one session");
  if (total_ >= opens_max_ && own >= opens_share_) {
    return Error(Errno::kENFILE, "too many opens, and not few of them of this session");
  }
  CountIn(session, open);
  shard.opens.emplace(Key(session, id), open);
  return true;
}

std::optional<Open> OpenTable::Find(SessionId session, OpenId id) const {
  const Shard& shard = ShardOf(session, id);
  ReaderMutexLock lock(&shard.mu);
  auto it = shard.opens.find(Key(session, id));
  if (it == shard.opens.end()) return std::nullopt;
  return it->second;
}

std::optional<OpenTable::Removed> OpenTable::Remove(SessionId session, OpenId id) {
  Shard& shard = ShardOf(session, id);
  MutexLock shard_lock(&shard.mu);
  auto it = shard.opens.find(Key(session, id));
  if (it == shard.opens.end()) return std::nullopt;
  const Open open = it->second;
  shard.opens.erase(it);
  MutexLock lock(&mu_);
  return Removed{.ino = open.ino, .last = CountOut(session, open)};
}

std::vector<Ino> OpenTable::DropSession(SessionId session) {
  {
    MutexLock lock(&mu_);
    if (ended_.insert(session).second) ended_order_.push_back(session);
    if (ended_order_.size() > kSessionsMax) {
      ended_.erase(ended_order_.front());
      ended_order_.pop_front();
    }
  }
  std::vector<Ino> closed;
  for (Shard& shard : shards_) {
    MutexLock shard_lock(&shard.mu);
    MutexLock lock(&mu_);
    absl::erase_if(shard.opens, [&](const auto& entry) {
      mu_.AssertHeld();
      if (entry.first.first != session) return false;
      if (CountOut(session, entry.second)) closed.push_back(entry.second.ino);
      return true;
    });
  }
  return closed;
}

void OpenTable::CountIn(SessionId session, Open open) {
  ++total_;
  ++by_session_[session];
  ++by_inode_[open.ino];
  Count& both = by_both_[{open.ino, session}];
  ++both.opens;
  both.readable += CanRead(open.access) ? 1 : 0;
}

bool OpenTable::CountOut(SessionId session, Open open) {
  --total_;
  auto both = by_both_.find({open.ino, session});
  both->second.readable -= CanRead(open.access) ? 1 : 0;
  if (--both->second.opens == 0) by_both_.erase(both);
  auto of_session = by_session_.find(session);
  if (--of_session->second == 0) by_session_.erase(of_session);
  auto of_inode = by_inode_.find(open.ino);
  if (--of_inode->second != 0) return false;
  by_inode_.erase(of_inode);
  return true;
}

bool OpenTable::IsOpen(Ino ino) const {
  MutexLock lock(&mu_);
  return by_inode_.contains(ino);
}

bool OpenTable::IsReadable(Ino ino, SessionId session) const {
  MutexLock lock(&mu_);
  auto it = by_both_.find({ino, session});
  return it != by_both_.end() && it->second.readable > 0;
}

void OpenTable::CheckInvariants() const {
  absl::flat_hash_map<SessionId, uint64_t> by_session;
  absl::flat_hash_map<Ino, uint64_t> by_inode;
  absl::flat_hash_map<std::pair<Ino, SessionId>, uint64_t> readable;
  uint64_t total = 0;
  for (const Shard& shard : shards_) {
    ReaderMutexLock lock(&shard.mu);
    for (const auto& [key, open] : shard.opens) {
      ++total;
      ++by_session[key.first];
      ++by_inode[open.ino];
      readable[{open.ino, key.first}] += CanRead(open.access) ? 1 : 0;
    }
  }
  MutexLock lock(&mu_);
  bool holds = total == total_ && by_session == by_session_ && by_inode == by_inode_ &&
               readable.size() == by_both_.size();
  for (const auto& [key, count] : by_both_) holds = holds && readable[key] == count.readable;
  if (holds) return;
  std::fprintf(stderr, "the counts of opens are not those of the opens\n");
  std::abort();
}

size_t OpenTable::CountOf(SessionId session) const {
  MutexLock lock(&mu_);
  auto it = by_session_.find(session);
  return it == by_session_.end() ? 0 : it->second;
}

}  // namespace tarn::state
