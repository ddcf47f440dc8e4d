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
  auto count = by_session_.find(session);
  if (count != by_session_.end() && count->second >= opens_per_session_) {
    return Error(Errno::kENFILE, "too many opens of one session");
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
  ++by_session_[session];
  ++by_inode_[open.ino];
  Count& both = by_both_[{open.ino, session}];
  ++both.opens;
  both.readable += CanRead(open.access) ? 1 : 0;
}

bool OpenTable::CountOut(SessionId session, Open open) {
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

size_t OpenTable::CountOf(SessionId session) const {
  MutexLock lock(&mu_);
  auto it = by_session_.find(session);
  return it == by_session_.end() ? 0 : it->second;
}

}  // namespace tarn::state
