#include "server/ops/leases.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"

namespace tarn::ops {

using state::LeaseTable;
using state::TicketId;

void Turn::End() {
  if (leases_ == nullptr || ticket_ == TicketId{}) return;
  const TicketId ticket = std::exchange(ticket_, TicketId{});
  leases_->Ready(leases_->table_.Drop(ticket), Leases::Thread::kPool);
}

// ---- under latches ----

bool Leases::MayChange(const Caller& caller, const state::LeaseChanges& changes, Turn& turn) {
  // What has a ticket may have reserved inodes that nobody holds: asked again, it is let through.
  if (table_.empty()) return true;
  const bool free = table_.Admit(caller.session, changes, clock_.BootNanos(), turn.ticket_,
                                 turn.recalled_);
  turn.must_wait_ = !free;
  return free;
}

bool Leases::MayShow(const Caller& caller, const state::LeaseViews& views, Turn& turn,
                     std::vector<state::Glimpsed>& glimpsed) {
  if (views.empty() || table_.no_exclusive()) return true;
  glimpsed.clear();
  const bool free = table_.AdmitRead(caller.session, views, clock_.BootNanos(), turn.ticket_,
                                     turn.recalled_, glimpsed);
  turn.must_wait_ = !free;
  return free;
}

bool Leases::MayReadData(const Caller& caller, Ino ino, Turn& turn) {
  if (caller.leases == nullptr) return true;
  turn.must_wait_ = !table_.AwaitFree(ino, turn.ticket_);
  return !turn.must_wait_;
}

LeaseTable::Want Leases::WantAfter(const Turn& turn) const {
  const bool took_over = turn.ticket_ != TicketId{} && table_.TookOver(turn.ticket_);
  return took_over ? LeaseTable::Want::kTurn : LeaseTable::Want::kWrite;
}

void Leases::Grant(const Caller& caller, absl::Span<const Ino> inodes, LeaseTable::Want want) {
  if (inodes.empty()) return;
  const bool goes_on = want == LeaseTable::Want::kWrite || want == LeaseTable::Want::kTurn;
  if (goes_on && locked_by_others_ != nullptr) {
    const bool locked = std::any_of(inodes.begin(), inodes.end(), [&](Ino ino) {
      return locked_by_others_(ino, caller.session);
    });
    if (locked) want = LeaseTable::Want::kHeld;
  }
  table_.Grant(caller.session, inodes, want, clock_.BootNanos(), caller.leases->grants);
}

void Leases::GrantFigures(const Caller& caller) {
  if (caller.leases == nullptr) return;
  if (figures_.Grant(caller.session, clock_.BootNanos(), caller.leases->grants)) waiting_();
}

// ---- parking ----

void Leases::Park(Waiting waiting, const Caller& caller, Resume resume) {
  Keep(waiting.ticket, /*grace=*/false, caller, std::move(resume));
  Tell(waiting.recalled);
  waiting_();
}

void Leases::ParkInGrace(const Caller& caller, Resume resume) {
  Keep(table_.NewTicket(), /*grace=*/true, caller, std::move(resume));
}

void Leases::Keep(TicketId ticket, bool grace, const Caller& caller, Resume resume) {
  auto cancellation = caller.cancellation;
  bool go_on = false;
  std::optional<Errno> stopped;
  {
    MutexLock lock(&mu_);
    stopped = stopped_;
    go_on = early_.erase(ticket) > 0 || (grace && !in_grace());
    if (!go_on && !stopped.has_value()) {
      parked_.emplace(ticket, Parked{caller.session, caller.request, grace, std::move(resume)});
    }
  }
  if (stopped.has_value()) return std::move(resume)(*stopped, Thread::kAny);
  if (go_on) return PostResume(std::move(resume));
  if (cancellation != nullptr) {
    cancellation->OnCancel([weak = weak_from_this(), ticket] {
      auto self = weak.lock();
      if (self == nullptr) return;
      self->EndParked([ticket](TicketId id, const Parked&) { return id == ticket; },
                      Errno::kEINTR);
    });
  }
}

void Leases::PostResume(Resume resume) {
  pool_.Post([resume = std::move(resume)]() mutable { std::move(resume)(Ok(), Thread::kPool); });
}

void Leases::Ready(const std::vector<TicketId>& tickets, Thread thread) {
  for (const TicketId ticket : tickets) {
    Resume resume;
    {
      MutexLock lock(&mu_);
      // What Stop has ended, or will end, needs no turn.
      if (stopped_.has_value()) return;
      auto parked = parked_.extract(ticket);
      if (parked.empty()) {
        early_.insert(ticket);
        continue;
      }
      resume = std::move(parked.mapped().resume);
    }
    if (thread == Thread::kAny && tickets.size() == 1) return std::move(resume)(Ok(), thread);
    PostResume(std::move(resume));
  }
}

void Leases::Settle(const LeaseTable::Outcome& outcome, Thread thread) {
  for (const Ino ino : outcome.free) free_(ino);
  Ready(outcome.ready, thread);
}

void Leases::EndParked(absl::FunctionRef<bool(TicketId, const Parked&)> which, Errno code) {
  std::vector<Resume> ended;
  {
    MutexLock lock(&mu_);
    for (auto it = parked_.begin(); it != parked_.end();) {
      if (!which(it->first, it->second)) {
        ++it;
        continue;
      }
      ended.push_back(std::move(it->second.resume));
      it = parked_.erase(it);
    }
  }
  for (Resume& resume : ended) std::move(resume)(code, Thread::kAny);
}

// ---- sessions and the front ----

void Leases::Return(SessionId session, const LeaseAnswers& answers) {
  constexpr Thread kHere = Thread::kAny;
  if (!answers.recalls.empty()) Settle(table_.Answer(session, answers.recalls), kHere);
  if (!answers.glimpses.empty()) Settle(table_.AnswerGlimpses(session, answers.glimpses), kHere);
  if (!answers.returns.empty()) Settle(table_.Return(session, answers.returns), kHere);
}

void Leases::DropSession(SessionId session) {
  EndParked([session](TicketId, const Parked& parked) { return parked.session == session; },
            Errno::kBlocked);
  Settle(table_.DropSession(session), Thread::kPool);
}

void Leases::CancelParked(SessionId session, RequestId request) {
  EndParked(
      [&](TicketId, const Parked& parked) {
        return parked.session == session && parked.request == request;
      },
      Errno::kEINTR);
}

void Leases::EndGrace() {
  std::vector<TicketId> waiting;
  {
    MutexLock lock(&mu_);
    grace_.store(false, std::memory_order_release);
    for (const auto& [ticket, parked] : parked_) {
      if (parked.grace) waiting.push_back(ticket);
    }
  }
  for (const TicketId ticket : waiting) {
    Resume resume;
    {
      MutexLock lock(&mu_);
      auto parked = parked_.extract(ticket);
      if (parked.empty()) continue;  // ended meanwhile
      resume = std::move(parked.mapped().resume);
    }
    PostResume(std::move(resume));
  }
}

void Leases::Stop(Errno code) {
  {
    MutexLock lock(&mu_);
    stopped_ = code;
  }
  EndParked([](TicketId, const Parked&) { return true; }, code);
}

void Leases::SetRecallSink(LocalFs::RecallSink sink) {
  MutexLock lock(&mu_);
  sink_ = std::move(sink);
}

void Leases::SetExpireSilent(LocalFs::ExpireSilent expire) {
  MutexLock lock(&mu_);
  expire_ = std::move(expire);
}

void Leases::SetFenceOverdue(LocalFs::FenceOverdue fence) {
  MutexLock lock(&mu_);
  fence_ = std::move(fence);
}

void Leases::Tell(const std::vector<SessionId>& sessions) {
  if (sessions.empty()) return;
  LocalFs::RecallSink sink;
  {
    MutexLock lock(&mu_);
    sink = sink_;
  }
  if (sink == nullptr) return;
  for (const SessionId session : sessions) sink(session);
}

bool Leases::Recheck(int64_t deadline_nanos) {
  const std::vector<LeaseTable::Awaited> awaited = table_.AwaitedSessions();
  LocalFs::ExpireSilent expire;
  LocalFs::FenceOverdue fence;
  {
    MutexLock lock(&mu_);
    expire = expire_;
    fence = fence_;
  }
  const int64_t now = clock_.BootNanos();
  for (const LeaseTable::Awaited& one : awaited) {
    const bool ended = expire != nullptr && expire(one.session);
    const bool overdue = now - one.since_nanos >= deadline_nanos;
    if (!ended && overdue && fence != nullptr) fence(one.session);
  }
  return !awaited.empty();
}

std::optional<int64_t> Leases::ExpireFigures() {
  LeaseTable::Outcome outcome;
  const int64_t now = clock_.BootNanos();
  const std::optional<int64_t> next = figures_.Expire(now, outcome);
  Settle(outcome, Thread::kPool);
  return next.has_value() ? std::optional(*next - now) : std::nullopt;
}

}  // namespace tarn::ops
