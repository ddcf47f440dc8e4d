#include "server/state/open_table.h"

namespace tarn::state {

const OpenTable::Shard& OpenTable::ShardOf(SessionId session, OpenId id) const {
  return shards_[(session.low ^ Raw(id)) % kShards];
}
OpenTable::Shard& OpenTable::ShardOf(SessionId session, OpenId id) {
  return shards_[(session.low ^ Raw(id)) % kShards];
}

Result<bool> OpenTable::Add(SessionId session, OpenId id, Open open) {
  Shard& shard = ShardOf(session, id);
  absl::MutexLock shard_lock(&shard.mu);
  if (auto it = shard.opens.find(Key(session, id)); it != shard.opens.end()) {
    if (it->second.ino != open.ino) return Error(Errno::kEBADF, "open id in use");
    it->second.access = open.access;
    return false;
  }
  absl::MutexLock lock(&mu_);
  if (ended_.contains(session)) return Error(Errno::kEBADF, "the session has ended");
  uint64_t& count = by_session_[session];
  if (count >= opens_per_session_) return Error(Errno::kENFILE, "too many opens of one session");
  ++count;
  ++by_inode_[open.ino];
  shard.opens.emplace(Key(session, id), open);
  return true;
}

std::optional<Open> OpenTable::Find(SessionId session, OpenId id) const {
  const Shard& shard = ShardOf(session, id);
  absl::ReaderMutexLock lock(&shard.mu);
  auto it = shard.opens.find(Key(session, id));
  if (it == shard.opens.end()) return std::nullopt;
  return it->second;
}

std::optional<OpenTable::Removed> OpenTable::Remove(SessionId session, OpenId id) {
  Shard& shard = ShardOf(session, id);
  absl::MutexLock shard_lock(&shard.mu);
  auto it = shard.opens.find(Key(session, id));
  if (it == shard.opens.end()) return std::nullopt;
  Removed removed{.ino = it->second.ino};
  shard.opens.erase(it);
  absl::MutexLock lock(&mu_);
  removed.last = Uncount(session, removed.ino);
  return removed;
}

std::vector<Ino> OpenTable::DropSession(SessionId session) {
  {
    absl::MutexLock lock(&mu_);
    if (ended_.insert(session).second) ended_order_.push_back(session);
    if (ended_order_.size() > kSessionsMax) {
      ended_.erase(ended_order_.front());
      ended_order_.pop_front();
    }
  }
  std::vector<Ino> closed;
  for (Shard& shard : shards_) {
    absl::MutexLock shard_lock(&shard.mu);
    absl::MutexLock lock(&mu_);
    absl::erase_if(shard.opens, [&](const auto& entry) ABSL_NO_THREAD_SAFETY_ANALYSIS {
      if (entry.first.first != session) return false;
      if (Uncount(session, entry.second.ino)) closed.push_back(entry.second.ino);
      return true;
    });
  }
  return closed;
}

bool OpenTable::Uncount(SessionId session, Ino ino) {
  auto of_session = by_session_.find(session);
  if (--of_session->second == 0) by_session_.erase(of_session);
  auto of_inode = by_inode_.find(ino);
  if (--of_inode->second != 0) return false;
  by_inode_.erase(of_inode);
  return true;
}

bool OpenTable::IsOpen(Ino ino) const {
  absl::MutexLock lock(&mu_);
  return by_inode_.contains(ino);
}

size_t OpenTable::CountOf(SessionId session) const {
  absl::MutexLock lock(&mu_);
  auto it = by_session_.find(session);
  return it == by_session_.end() ? 0 : it->second;
}

}  // namespace tarn::state
