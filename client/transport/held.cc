#include "client/transport/held.h"

#include <algorithm>
#include <utility>

namespace tarn::transport {

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
  locks_.DropOpen(args.inode.ino, args.open);
}

size_t Held::End(const ReleaseArgs& release) {
  MutexLock lock(&mu_);
  opens_.erase(Raw(release.open));
  ended_.push_back(release);
  return ended_.size();
}

std::vector<ReleaseArgs> Held::TakeEnded(size_t most) {
  MutexLock lock(&mu_);
  const auto from = ended_.end() - static_cast<std::ptrdiff_t>(std::min(most, ended_.size()));
  std::vector<ReleaseArgs> taken(from, ended_.end());
  ended_.erase(from, ended_.end());
  return taken;
}

void Held::Note(const FlushArgs& args, const Unit& reply) {
  MutexLock lock(&mu_);
  locks_.DropOwner(args.inode.ino, args.owner);
}

void Held::Note(const SetLockArgs& args, const Unit& reply) {
  MutexLock lock(&mu_);
  locks_.Note(args);
}

void Held::NoteLetsGo(const ReleaseArgs& args) {
  MutexLock lock(&mu_);
  locks_.DropOpen(args.inode.ino, args.open);
}

void Held::NoteLetsGo(const FlushArgs& args) {
  MutexLock lock(&mu_);
  locks_.DropOwner(args.inode.ino, args.owner);
}

void Held::NoteLetsGo(const SetLockArgs& args) {
  MutexLock lock(&mu_);
  locks_.Weaken(args);
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
  return locks_.All();
}

void Held::Lose(OpenId open) {
  MutexLock lock(&mu_);
  const auto it = opens_.find(Raw(open));
  if (it != opens_.end()) it->second.lost = true;
}

void Held::LoseLocks() {
  MutexLock lock(&mu_);
  for (const SetLockArgs& held : locks_.All()) {
    const auto it = opens_.find(Raw(held.open));
    if (it != opens_.end()) it->second.lost = true;
  }
  locks_.Clear();
}

std::optional<OpenAccess> Held::AccessOf(OpenId open) const {
  MutexLock lock(&mu_);
  const auto it = opens_.find(Raw(open));
  if (it == opens_.end() || it->second.lost) return std::nullopt;
  return it->second.access;
}

bool Held::HoldsLocks(Ino ino) const {
  MutexLock lock(&mu_);
  return locks_.Holds(ino);
}

bool Held::IsLost(OpenId open) const {
  MutexLock lock(&mu_);
  const auto it = opens_.find(Raw(open));
  return it != opens_.end() && it->second.lost;
}

}  // namespace tarn::transport
