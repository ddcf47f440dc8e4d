#include "server/ops/locks.h"

#include <utility>
#include <vector>

#include "common/limits.h"

namespace tarn::ops {
namespace {

state::LockRequest RequestOf(SessionId session, const SetLockArgs& args) {
  state::LockRequest request{.ino = args.inode.ino, .session = session, .open = args.open,
                             .owner = args.owner, .kind = args.kind, .lock = args.lock};
  if (args.kind == LockKind::kFlock) {
    request.lock.start = 0;
    request.lock.end = kLockToEnd;
  }
  return request;
}

}  // namespace

Locks::Locks(const state::OpenTable& opens, Pool& pool, bool grace, std::function<void()> waiting)
    : opens_(opens), pool_(pool), waiting_(std::move(waiting)), in_grace_(grace) {}

void Locks::Get(const Caller& caller, const GetLockArgs& args, Done<GetLockReply> done) const {
  if (args.lock.start > args.lock.end) return std::move(done)(Errno::kEINVAL);
  const FileLock conflict = table_.Test({.ino = args.inode.ino, .session = caller.session,
                                         .open = args.open, .owner = args.owner,
                                         .lock = args.lock});
  std::move(done)(GetLockReply{conflict});
}

void Locks::Set(const Caller& caller, SetLockArgs args, Done<Unit> done) {
  if (Status sane = Check(caller.session, args); !sane.ok()) {
    return std::move(done)(sane.error());
  }
  if (args.lock.type != LockType::kUnlock && ParkInGrace(caller, args, done)) return;
  const state::LockRequest request = RequestOf(caller.session, args);
  if (args.wait && args.lock.type != LockType::kUnlock) {
    SetWaiting(caller, request, std::move(done));
  } else {
    SetNow(caller, request, std::move(done));
  }
}

Done<Unit> Locks::Announce(SessionId session, Ino ino, Done<Unit> done) {
  {
    MutexLock lock(&mu_);
    ++announced_[{ino, session}];
  }
  return [self = shared_from_this(), session, ino,
          done = std::move(done)](Result<Unit> result) mutable {
    {
      MutexLock lock(&self->mu_);
      const auto it = self->announced_.find({ino, session});
      if (--it->second == 0) self->announced_.erase(it);
    }
    std::move(done)(std::move(result));
  };
}

bool Locks::IsOfOthers(Ino ino, SessionId session) const {
  {
    MutexLock lock(&mu_);
    for (const auto& [who, count] : announced_) {
      if (who.first == ino && who.second != session) return true;
    }
  }
  return table_.IsOfOthers(ino, session);
}

Status Locks::Check(SessionId session, const SetLockArgs& args) const {
  if (args.kind != LockKind::kRange && args.kind != LockKind::kFlock) return Errno::kEINVAL;
  if (args.kind == LockKind::kRange && args.lock.start > args.lock.end) return Errno::kEINVAL;
  switch (args.lock.type) {
    case LockType::kUnlock: return Ok();
    case LockType::kRead:
    case LockType::kWrite: break;
    default: return Errno::kEINVAL;
  }
  const auto open = opens_.Find(session, args.open);
  if (!open.has_value() || open->ino != args.inode.ino) return Errno::kEBADF;
  if (args.kind == LockKind::kFlock) return Ok();
  const bool allowed =
      args.lock.type == LockType::kRead ? CanRead(open->access) : CanWrite(open->access);
  return allowed ? Ok() : Status(Errno::kEBADF);
}

void Locks::SetNow(const Caller& caller, const state::LockRequest& request, Done<Unit> done) {
  Status answer = table_.Set(request);
  if (request.lock.type == LockType::kUnlock) return std::move(done)(std::move(answer));
  if (answer.ok() && !StillOpen(request)) answer = Errno::kEBADF;
  if (answer.code() == Errno::kEAGAIN && expire() != nullptr &&
      !table_.HoldersInTheWay(request).empty()) {
    pool_.Post([self = shared_from_this(), caller, request, done = std::move(done)]() mutable {
      if (self->ExpireHolders(request)) return self->SetNow(caller, request, std::move(done));
      std::move(done)(Errno::kEAGAIN);
    });
    return;
  }
  std::move(done)(std::move(answer));
}

void Locks::SetWaiting(const Caller& caller, const state::LockRequest& request, Done<Unit> done) {
  auto cancellation = caller.cancellation;
  const state::WaitId wait = table_.SetOrWait(
      request, [cancellation, done = std::move(done)](Status answer) mutable {
        if (cancellation != nullptr) cancellation->Clear();
        std::move(done)(std::move(answer));
      });
  StillOpen(request);
  if (wait == state::WaitId{}) return;
  // If it is answered before this, the handler finds no such wait: ids are never reused.
  if (cancellation != nullptr) {
    cancellation->OnCancel([weak = weak_from_this(), wait] {
      if (auto self = weak.lock(); self != nullptr) self->table_.Cancel(wait);
    });
  }
  if (stopped_.load()) table_.Cancel(wait);
  waiting_();
}

bool Locks::StillOpen(const state::LockRequest& request) {
  if (opens_.Find(request.session, request.open).has_value()) return true;
  table_.DropOpen(request.ino, request.session, request.open);
  return false;
}

// ---- grace ----

bool Locks::ParkInGrace(const Caller& caller, SetLockArgs& args, Done<Unit>& done) {
  auto cancellation = caller.cancellation;
  uint64_t id = 0;
  {
    MutexLock lock(&mu_);
    if (!in_grace_) return false;
    id = ++last_parked_;
    grace_.emplace(id, Parked{caller, std::move(args), std::move(done)});
  }
  if (cancellation != nullptr) {
    cancellation->OnCancel([weak = weak_from_this(), id] {
      if (auto self = weak.lock(); self != nullptr) self->CancelParked(id);
    });
  }
  return true;
}

void Locks::CancelParked(uint64_t id) {
  Done<Unit> done;
  {
    MutexLock lock(&mu_);
    auto it = grace_.find(id);
    if (it == grace_.end()) return;
    done = std::move(it->second.done);
    grace_.erase(it);
  }
  std::move(done)(Errno::kEINTR);
}

void Locks::EndGrace() {
  std::map<uint64_t, Parked> parked;
  {
    MutexLock lock(&mu_);
    in_grace_ = false;
    parked.swap(grace_);
  }
  for (auto& [id, p] : parked) Set(p.caller, std::move(p.args), std::move(p.done));
}

Status Locks::Reclaim(const Caller& caller, const SetLockArgs& args) {
  {
    MutexLock lock(&mu_);
    // Others may have held it since.
    if (!in_grace_) return Error(Errno::kEAGAIN, "the grace period is over");
  }
  if (Status sane = Check(caller.session, args); !sane.ok()) {
    return sane.code() == Errno::kEBADF ? Error(Errno::kESTALE, "its open was not reclaimed")
                                        : sane.error();
  }
  const state::LockRequest request = RequestOf(caller.session, args);
  RETURN_IF_ERROR(table_.Set(request));
  return StillOpen(request) ? Ok() : Status(Errno::kESTALE);
}

// ---- drops ----

void Locks::DropOwner(SessionId session, const FlushArgs& args) {
  table_.DropOwner(args.inode.ino, session, args.owner);
}

void Locks::DropOpen(SessionId session, Ino ino, OpenId open) {
  table_.DropOpen(ino, session, open);
}

void Locks::DropSession(SessionId session) {
  table_.DropSession(session);
  std::vector<Done<Unit>> parked;
  {
    MutexLock lock(&mu_);
    for (auto it = grace_.begin(); it != grace_.end();) {
      if (it->second.caller.session != session) {
        ++it;
        continue;
      }
      parked.push_back(std::move(it->second.done));
      it = grace_.erase(it);
    }
  }
  for (Done<Unit>& done : parked) std::move(done)(Errno::kEINTR);
}

void Locks::Stop() {
  stopped_.store(true);
  std::map<uint64_t, Parked> parked;
  {
    MutexLock lock(&mu_);
    parked.swap(grace_);
  }
  for (auto& [id, p] : parked) std::move(p.done)(Errno::kEINTR);
  table_.CancelAll();
}

// ---- silent holders ----

void Locks::SetExpireSilent(LocalFs::ExpireSilent expire) {
  MutexLock lock(&mu_);
  expire_ = std::move(expire);
}

LocalFs::ExpireSilent Locks::expire() const {
  MutexLock lock(&mu_);
  return expire_;
}

bool Locks::ExpireHolders(const state::LockRequest& request) {
  const LocalFs::ExpireSilent ask = expire();
  bool ended = false;
  for (SessionId holder : table_.HoldersInTheWay(request)) ended |= ask(holder);
  return ended;
}

bool Locks::RecheckHolders() {
  if (!table_.HasWaiters()) return false;
  const LocalFs::ExpireSilent ask = expire();
  if (ask != nullptr) {
    for (SessionId holder : table_.HoldersWaitedFor()) ask(holder);
  }
  return true;
}

}  // namespace tarn::ops
