#include "server/state/lock_table.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"

namespace tarn::state {
namespace {
// Bounds of a search for cycles: length (Linux: 10) and holders looked at, about a millisecond.
constexpr int kCycleMax = 128;
constexpr int64_t kSearchMax = 50'000;
}  // namespace

// Answers to give once the mutex is free. Declare it before the lock.
struct LockTable::Completions {
  ~Completions() {
    for (auto& [done, answer] : answers) std::move(done)(std::move(answer));
  }
  std::vector<std::pair<Done<Unit>, Status>> answers;
};

struct LockTable::Walk {
  Owner target;
  absl::flat_hash_set<Owner> seen;
  int64_t budget = kSearchMax;
};

// ---- requests ----

Status LockTable::Set(const LockRequest& request) {
  Completions out;
  MutexLock lock(&mu_);
  InodeLocks& locks = LocksOf(request.ino);
  Status answer = Ok();
  if (!IsBlocked(locks, request)) {
    answer = Apply(locks, request);
  } else {
    answer = Errno::kEAGAIN;
    if (request.kind == LockKind::kFlock) {
      EraseHeld(locks.of(request.kind), [&](const Owner& owner, const HeldRange&) {
        return owner == OwnerOf(request);
      });
    }
  }
  Settle(request.ino, out);
  return answer;
}

WaitId LockTable::SetOrWait(const LockRequest& request, Done<Unit> done) {
  Completions out;
  MutexLock lock(&mu_);
  InodeLocks* locks = &LocksOf(request.ino);
  if (request.kind == LockKind::kFlock && IsBlocked(*locks, request)) {
    EraseHeld(locks->of(request.kind), [&](const Owner& owner, const HeldRange&) {
      return owner == OwnerOf(request);
    });
    Settle(request.ino, out);
    locks = &LocksOf(request.ino);
  }
  std::optional<Status> answer;
  if (!IsBlocked(*locks, request) && !MustQueue(*locks, request, locks->waiters.end())) {
    answer = Apply(*locks, request);
  } else if (sessions_[request.session].waiting >= limits_.waiters_per_session) {
    answer = Error(Errno::kENOLCK, "too many waiting lock requests of one session");
  } else if (request.kind == LockKind::kRange && WouldDeadlock(request)) {
    answer = Errno::kEDEADLK;
  }
  if (answer.has_value()) {
    out.answers.emplace_back(std::move(done), *std::move(answer));
    Settle(request.ino, out);
    ForgetIfUnused(request.session);
    return WaitId{};
  }
  const WaitId id{++last_wait_};
  auto waiter = locks->waiters.insert(locks->waiters.end(), Waiter{id, request, std::move(done)});
  waits_.emplace(id, std::pair(request.ino, waiter));
  CountWaiting(waiter->request, true);
  return id;
}

bool LockTable::Cancel(WaitId wait) {
  Completions out;
  MutexLock lock(&mu_);
  auto it = waits_.find(wait);
  if (it == waits_.end()) return false;
  const auto [ino, waiter] = it->second;
  Answer(LocksOf(ino), waiter, Errno::kEINTR, out);
  Settle(ino, out);
  return true;
}

void LockTable::CancelAll() {
  Completions out;
  MutexLock lock(&mu_);
  // Nothing is granted by this: whoever ends the waits is about to go.
  for (auto& [ino, locks] : inodes_) {
    EndWaits(*locks, [](const LockRequest&) { return true; }, Errno::kEINTR, out);
  }
}

FileLock LockTable::Test(const LockRequest& request) const {
  FileLock first;
  const auto note = [&first](const Owner&, const HeldRange& r) {
    if (first.type == LockType::kUnlock || r.start < first.start) {
      first = FileLock{.type = r.type, .start = r.start, .end = r.end, .pid = r.pid};
    }
    return true;
  };
  ReaderMutexLock lock(&mu_);
  const auto it = inodes_.find(request.ino);
  if (it == inodes_.end()) return first;
  if (request.lock.type != LockType::kUnlock) {
    VisitBlockers(*it->second, request, note);
    return first;
  }
  const Holders& holders = it->second->of(request.kind);
  const auto own = holders.find(OwnerOf(request));
  if (own == holders.end()) return first;
  if (const auto held = own->second.FirstIn(request.lock)) note(own->first, *held);
  return first;
}

std::vector<SessionId> LockTable::HoldersInTheWay(const LockRequest& request) const {
  absl::flat_hash_set<SessionId> found;
  ReaderMutexLock lock(&mu_);
  auto it = inodes_.find(request.ino);
  if (it == inodes_.end()) return {};
  VisitBlockers(*it->second, request, [&](const Owner& owner, const HeldRange&) {
    if (owner.session != request.session) found.insert(owner.session);
    return true;
  });
  return {found.begin(), found.end()};
}

std::vector<SessionId> LockTable::HoldersWaitedFor() const {
  absl::flat_hash_set<SessionId> found;
  ReaderMutexLock lock(&mu_);
  for (const auto& [ino, locks] : inodes_) {
    for (const Waiter& waiter : locks->waiters) {
      VisitBlockers(*locks, waiter.request, [&](const Owner& owner, const HeldRange&) {
        if (owner.session != waiter.request.session) found.insert(owner.session);
        return true;
      });
    }
  }
  return {found.begin(), found.end()};
}

bool LockTable::IsOfOthers(Ino ino, SessionId session) const {
  MutexLock lock(&mu_);
  const auto it = inodes_.find(ino);
  if (it == inodes_.end()) return false;
  for (const Holders& holders : it->second->held) {
    for (const auto& [owner, ranges] : holders) {
      if (owner.session != session) return true;
    }
  }
  return std::any_of(it->second->waiters.begin(), it->second->waiters.end(),
                     [&](const Waiter& waiter) { return waiter.request.session != session; });
}

bool LockTable::HasWaiters() const {
  ReaderMutexLock lock(&mu_);
  return !waits_.empty();
}

size_t LockTable::CountOf(SessionId session) const {
  ReaderMutexLock lock(&mu_);
  auto it = sessions_.find(session);
  return it == sessions_.end() ? 0 : it->second.held;
}

// ---- drops ----

void LockTable::DropOwner(Ino ino, SessionId session, LockOwner owner) {
  Completions out;
  MutexLock lock(&mu_);
  auto it = inodes_.find(ino);
  if (it == inodes_.end()) return;
  EraseHeld(it->second->of(LockKind::kRange), [&](const Owner& holder, const HeldRange&) {
    return holder == Owner{session, owner};
  });
  Settle(ino, out);
}

void LockTable::DropOpen(Ino ino, SessionId session, OpenId open) {
  Completions out;
  MutexLock lock(&mu_);
  auto it = inodes_.find(ino);
  if (it == inodes_.end()) return;
  InodeLocks& locks = *it->second;
  const auto through_it = [&](const LockRequest& r) {
    return r.session == session && r.open == open;
  };
  EndWaits(locks, through_it, Errno::kEBADF, out);
  for (Holders& holders : locks.held) {
    EraseHeld(holders, [&](const Owner& holder, const HeldRange& r) {
      return holder.session == session && r.open == open;
    });
  }
  Settle(ino, out);
}

void LockTable::DropSession(SessionId session) {
  Completions out;
  MutexLock lock(&mu_);
  std::vector<Ino> touched;
  for (auto& [ino, locks] : inodes_) {
    touched.push_back(ino);
    EndWaits(*locks, [&](const LockRequest& r) { return r.session == session; }, Errno::kEINTR,
             out);
    for (Holders& holders : locks->held) {
      EraseHeld(holders,
                [&](const Owner& holder, const HeldRange&) { return holder.session == session; });
    }
  }
  for (Ino ino : touched) Settle(ino, out);
}

// ---- who stands in whose way ----

void LockTable::VisitBlockers(const InodeLocks& locks, const LockRequest& request,
                              absl::FunctionRef<bool(const Owner&, const HeldRange&)> visit) {
  for (const auto& [owner, ranges] : locks.of(request.kind)) {
    if (owner == OwnerOf(request)) continue;
    const auto conflict = ranges.FirstConflict(request.lock);
    if (conflict.has_value() && !visit(owner, *conflict)) return;
  }
}

bool LockTable::IsBlocked(const InodeLocks& locks, const LockRequest& request) {
  bool blocked = false;
  VisitBlockers(locks, request, [&](const Owner&, const HeldRange&) {
    blocked = true;
    return false;
  });
  return blocked;
}

bool LockTable::ConflictsInQueue(const LockRequest& a, const LockRequest& b) {
  return a.kind == b.kind && OwnerOf(a) != OwnerOf(b) && LocksConflict(a.lock, b.lock);
}

bool LockTable::MustQueue(const InodeLocks& locks, const LockRequest& request,
                          Waiters::const_iterator end) const {
  bool behind = false;
  for (auto it = locks.waiters.begin(); it != end && !behind; ++it) {
    behind = ConflictsInQueue(it->request, request);
  }
  if (!behind || locks.of(request.kind).contains(OwnerOf(request))) return false;
  auto session = sessions_.find(request.session);
  return request.lock.pid == 0 || session == sessions_.end() ||
         !session->second.held_by_pid.contains(request.lock.pid);
}

bool LockTable::WouldDeadlock(const LockRequest& request) const {
  Walk walk{.target = OwnerOf(request), .seen = {}};
  if (!LeadsBack(walk, request, 0)) return false;
  // Other threads of the owner wait as well: it is stuck only if they are.
  auto others = range_waits_.find(walk.target);
  return others == range_waits_.end() ||
         std::all_of(others->second.begin(), others->second.end(), [&](const LockRequest* r) {
           mu_.AssertReaderHeld();
           Walk again{.target = walk.target, .seen = {}};
           return LeadsBack(again, *r, 0);
         });
}

// True: some owner in the request's way is the target, or waits for it with all that it waits for.
// An owner seen before says no: it is being looked at, or has said no already.
bool LockTable::LeadsBack(Walk& walk, const LockRequest& request, int depth) const {
  auto locks = inodes_.find(request.ino);
  if (locks == inodes_.end() || depth > kCycleMax || walk.budget <= 0) return false;
  walk.budget -= static_cast<int64_t>(locks->second->of(request.kind).size());
  bool back = false;
  VisitBlockers(*locks->second, request, [&](const Owner& owner, const HeldRange&) {
    mu_.AssertReaderHeld();
    if (owner == walk.target) return !(back = true);
    auto waits = range_waits_.find(owner);
    if (waits == range_waits_.end() || !walk.seen.insert(owner).second) return true;
    back = std::all_of(waits->second.begin(), waits->second.end(),
                       [&](const LockRequest* r) {
                         mu_.AssertReaderHeld();
                         return LeadsBack(walk, *r, depth + 1);
                       });
    return !back;
  });
  return back;
}

// ---- changes ----

LockTable::InodeLocks& LockTable::LocksOf(Ino ino) {
  std::unique_ptr<InodeLocks>& locks = inodes_[ino];
  if (locks == nullptr) locks = std::make_unique<InodeLocks>();
  return *locks;
}

void LockTable::Settle(Ino ino, Completions& out) {
  auto it = inodes_.find(ino);
  InodeLocks& locks = *it->second;
  // A grant may also make way (write becomes read), hence again until nothing changes.
  while (!locks.waiters.empty() && GrantOnce(locks, out)) {
  }
  if (locks.waiters.empty() && locks.held[0].empty() && locks.held[1].empty()) inodes_.erase(it);
}

bool LockTable::GrantOnce(InodeLocks& locks, Completions& out) {
  bool granted = false;
  for (auto it = locks.waiters.begin(); it != locks.waiters.end();) {
    if (IsBlocked(locks, it->request) || MustQueue(locks, it->request, it)) {
      ++it;
      continue;
    }
    granted = true;
    Status answer = Apply(locks, it->request);
    it = Answer(locks, it, std::move(answer), out);
  }
  return granted;
}

Status LockTable::Apply(InodeLocks& locks, const LockRequest& request) {
  const Owner owner = OwnerOf(request);
  Holders& holders = locks.of(request.kind);
  LockRanges& ranges = holders[owner];
  const LockRanges::Change change = ranges.Plan(request.lock, request.open);
  const size_t held = sessions_[owner.session].held;
  if (change.added.size() > change.removed.size() &&
      held + change.added.size() - change.removed.size() > limits_.locks_per_session) {
    if (ranges.empty()) holders.erase(owner);
    ForgetIfUnused(owner.session);
    return Error(Errno::kENOLCK, "too many locks of one session");
  }
  ranges.Apply(change);
  for (const HeldRange& r : change.added) Count(owner.session, r.pid, 1);
  for (const HeldRange& r : change.removed) Count(owner.session, r.pid, -1);
  if (ranges.empty()) holders.erase(owner);
  ForgetIfUnused(owner.session);
  return Ok();
}

void LockTable::Count(SessionId session, uint32_t pid, int delta) {
  SessionCounts& counts = sessions_[session];
  counts.held += delta;
  uint32_t& of_pid = counts.held_by_pid[pid];
  of_pid += delta;
  if (of_pid == 0) counts.held_by_pid.erase(pid);
}

void LockTable::CountWaiting(const LockRequest& request, bool waits) {
  sessions_[request.session].waiting += waits ? 1 : -1;
  if (request.kind != LockKind::kRange) return;
  const Owner owner = OwnerOf(request);
  if (waits) {
    range_waits_[owner].push_back(&request);
  } else if (auto it = range_waits_.find(owner); it != range_waits_.end()) {
    std::erase(it->second, &request);
    if (it->second.empty()) range_waits_.erase(it);
  }
}

void LockTable::ForgetIfUnused(SessionId session) {
  auto it = sessions_.find(session);
  if (it != sessions_.end() && it->second.held == 0 && it->second.waiting == 0) {
    sessions_.erase(it);
  }
}

void LockTable::EraseHeld(Holders& holders,
                          absl::FunctionRef<bool(const Owner&, const HeldRange&)> drop) {
  for (auto it = holders.begin(); it != holders.end();) {
    const Owner& owner = it->first;
    it->second.EraseIf([&](const HeldRange& r) {
      mu_.AssertHeld();
      if (!drop(owner, r)) return false;
      Count(owner.session, r.pid, -1);
      return true;
    });
    ForgetIfUnused(owner.session);
    it = it->second.empty() ? holders.erase(it) : std::next(it);
  }
}

LockTable::Waiters::iterator LockTable::Answer(InodeLocks& locks, Waiters::iterator waiter,
                                               Status answer, Completions& out) {
  CountWaiting(waiter->request, false);
  ForgetIfUnused(waiter->request.session);
  waits_.erase(waiter->id);
  out.answers.emplace_back(std::move(waiter->done), std::move(answer));
  return locks.waiters.erase(waiter);
}

void LockTable::EndWaits(InodeLocks& locks, absl::FunctionRef<bool(const LockRequest&)> which,
                         Errno answer, Completions& out) {
  for (auto it = locks.waiters.begin(); it != locks.waiters.end();) {
    it = which(it->request) ? Answer(locks, it, answer, out) : std::next(it);
  }
}

}  // namespace tarn::state
