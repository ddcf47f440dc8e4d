#include "server/state/session_table.h"

#include <sys/random.h>

#include <algorithm>
#include <utility>

#include "common/fault.h"
#include "common/limits.h"
#include "common/log.h"

namespace tarn::state {
namespace {

Result<SessionId> RandomSessionId() {
  SessionId id;
  if (getrandom(&id, sizeof id, 0) != static_cast<ssize_t>(sizeof id)) {
    return Error(Errno::kEIO, "getrandom failed");
  }
  return id;
}

}  // namespace

void SessionTable::AddVolume(SessionVolume& volume, std::vector<Loaded> loaded) {
  const int64_t now = clock_.BootNanos();
  std::deque<Fenced> fenced;
  for (Loaded& one : loaded) {
    one.facts.volume = &volume;
    if (one.standing == Standing::kLive) continue;
    if (one.standing == Standing::kSilent) {
      one.fenced_at = clock_.Now();
      const Status saved = volume.Save(one.facts, Standing::kFenced, one.fenced_at);
      if (!saved.ok()) LogWarning("a session's record stays: {}", saved.error().message);
    }
    fenced.push_back({one.fenced_at, one.facts.id});
  }
  std::sort(fenced.begin(), fenced.end(),
            [](const Fenced& a, const Fenced& b) { return a.since < b.since; });
  size_t waiting_for = 0;
  {
    MutexLock lock(&mu_);
    fenced_[&volume] = std::move(fenced);
    for (Loaded& one : loaded) {
      if (one.standing != Standing::kLive) continue;
      const SessionId id = one.facts.id;
      sessions_[id] =
          std::make_shared<Session>(std::move(one.facts), Session::Phase::kResumable, now);
      ++waiting_for;
    }
    graces_[&volume] = {now + timing_.session_lifetime_nanos, waiting_for, waiting_for == 0};
  }
  if (waiting_for == 0) volume.EndGrace();
}

std::shared_ptr<Session> SessionTable::Lookup(SessionId id) const {
  ReaderMutexLock lock(&mu_);
  const auto it = sessions_.find(id);
  return it == sessions_.end() ? nullptr : it->second;
}

std::shared_ptr<Session> SessionTable::Find(SessionId id, uint32_t epoch) {
  std::shared_ptr<Session> session = Lookup(id);
  if (session == nullptr || session->facts().epoch != epoch) return nullptr;
  session->Heard(clock_.BootNanos());
  return session;
}

bool SessionTable::IsSilent(const Session& session) const {
  return clock_.BootNanos() - session.heard_nanos() > timing_.session_lifetime_nanos;
}

Status SessionTable::MakeRoom(const PeerAccount* peer) {
  std::shared_ptr<Session> oldest, oldest_there;
  size_t there = 0;
  const auto note = [](std::shared_ptr<Session>& oldest, const std::shared_ptr<Session>& one) {
    if (oldest == nullptr || one->heard_nanos() < oldest->heard_nanos()) oldest = one;
  };
  {
    ReaderMutexLock lock(&mu_);
    for (const auto& [id, session] : sessions_) {
      note(oldest, session);
      if (peer == nullptr || session->peer().get() != peer) continue;
      note(oldest_there, session);
      ++there;
    }
    if (there >= kSessionsPerPeer) {
      oldest = oldest_there;
    } else if (sessions_.size() < kSessionsMax) {
      return Ok();
    }
  }
  if (oldest != nullptr && IsSilent(*oldest) && End(oldest, Ending::kFenced)) return Ok();
  return Error(Errno::kENFILE, there >= kSessionsPerPeer
                                   ? "this address has as many sessions as one may have"
                                   : "the server has as many sessions as it can bear");
}

Result<std::shared_ptr<Session>> SessionTable::Open(SessionFacts facts, const std::string& nonce,
                                                    const std::string& peer) {
  {
    ReaderMutexLock lock(&mu_);
    const auto it = nonces_.find(nonce);
    if (it != nonces_.end()) return sessions_.at(it->second);
  }
  const std::shared_ptr<PeerAccount> account = peer.empty() ? nullptr : budget_.AccountOf(peer);
  RETURN_IF_ERROR(MakeRoom(account.get()));
  ASSIGN_OR_RETURN(facts.id, RandomSessionId());
  facts.opened = clock_.Now();
  SessionVolume* const volume = facts.volume;
  RETURN_IF_ERROR(volume->Save(facts, Standing::kLive, facts.opened));
  auto session =
      std::make_shared<Session>(std::move(facts), Session::Phase::kActive, clock_.BootNanos());
  if (account != nullptr) session->SetPeer(account);
  MutexLock lock(&mu_);
  sessions_[session->facts().id] = session;
  nonces_[nonce] = session->facts().id;
  return session;
}

std::shared_ptr<Session> SessionTable::Resume(SessionId previous, const SessionVolume& volume,
                                              const std::string& peer) {
  std::shared_ptr<Session> session = Lookup(previous);
  if (session == nullptr || session->facts().volume != &volume) return nullptr;
  session->Advance(Session::Phase::kResumable, Session::Phase::kReclaiming);
  session->Heard(clock_.BootNanos());
  if (!peer.empty()) session->SetPeer(budget_.AccountOf(peer));
  return session->phase() == Session::Phase::kEnded ? nullptr : session;
}

void SessionTable::Reclaimed(Session& session) {
  if (session.Advance(Session::Phase::kReclaiming, Session::Phase::kActive)) {
    OneLessToReclaim(*session.facts().volume);
  }
}

void SessionTable::OneLessToReclaim(SessionVolume& volume) {
  {
    MutexLock lock(&mu_);
    Grace& grace = graces_[&volume];
    if (grace.over || --grace.waiting_for > 0) return;
    grace.over = true;
  }
  (void)FaultHits(FaultPoint::kGraceEnd);
  LogInfo("grace period over: every session has reclaimed");
  volume.EndGrace();
}

bool SessionTable::End(const std::shared_ptr<Session>& session, Ending ending) {
  SessionVolume* const volume = session->facts().volume;
  const SessionId id = session->facts().id;
  const Timestamp now = clock_.Now();
  {
    MutexLock lock(&record_mu_);
    if (session->standing() == Standing::kFenced) return false;
    if (ending == Ending::kFenced) {
      const Status saved = FaultHits(FaultPoint::kFenceBefore)
                               ? Status(Errno::kEIO)
                               : volume->Save(session->facts(), Standing::kFenced, now);
      if (!saved.ok()) {
        LogError("session of {} cannot be fenced: {}", session->facts().client_name,
                 saved.error().message);
        return false;
      }
    }
    // Record, and whoever would end it as well, leave it alone from now on.
    session->SetStanding(Standing::kFenced);
  }
  if (ending == Ending::kFenced) (void)FaultHits(FaultPoint::kFenceAfter);
  // Requests that still run may yet open or lock something: end once more after the last.
  const Session::Phase before = session->End([volume, id] { volume->EndSession(id); });
  volume->EndSession(id);
  {
    MutexLock lock(&mu_);
    sessions_.erase(id);
    absl::erase_if(nonces_, [id](const auto& entry) { return entry.second == id; });
    if (ending == Ending::kFenced) fenced_[volume].push_back({now, id});
  }
  if (ending == Ending::kFenced) {
    LogWarning("fenced {}", session->facts().client_name);
    volume->TellFenced(id);
  } else if (Status forgotten = volume->Forget(id); !forgotten.ok()) {
    LogWarning("a session's record stays: {}", forgotten.error().message);
  }
  if (before != Session::Phase::kActive) OneLessToReclaim(*volume);
  return true;
}

void SessionTable::Goodbye(SessionId id, uint32_t epoch) {
  const std::shared_ptr<Session> session = Find(id, epoch);
  if (session != nullptr) End(session, Ending::kGoodbye);
}

void SessionTable::Replace(SessionId previous, SessionVolume& volume) {
  const std::shared_ptr<Session> session = Lookup(previous);
  if (session == nullptr) return (void)volume.Forget(previous);  // else it goes with its day
  if (session->facts().volume != &volume) return;
  LogInfo("session of {} is replaced", session->facts().client_name);
  End(session, Ending::kGoodbye);
}

bool SessionTable::ExpireSilent(SessionId holder) {
  const std::shared_ptr<Session> session = Lookup(holder);
  if (session == nullptr) return false;
  session->SetWanted(clock_.BootNanos());
  return IsSilent(*session) && End(session, Ending::kFenced);
}

void SessionTable::Fence(SessionId holder) {
  const std::shared_ptr<Session> session = Lookup(holder);
  if (session != nullptr) End(session, Ending::kFenced);
}

void SessionTable::Record(Session& session, Standing standing) {
  MutexLock lock(&record_mu_);
  if (session.standing() == standing || session.standing() == Standing::kFenced) return;
  const Status saved = session.facts().volume->Save(session.facts(), standing, clock_.Now());
  if (saved.ok()) {
    session.SetStanding(standing);
  } else {
    LogWarning("a session's record stays: {}", saved.error().message);
  }
}

void SessionTable::Tick() {
  const int64_t now = clock_.BootNanos();
  std::vector<std::shared_ptr<Session>> doomed, all;
  {
    ReaderMutexLock lock(&mu_);
    for (const auto& [id, session] : sessions_) {
      const int64_t silent = now - session->heard_nanos();
      const Grace& grace = graces_.at(session->facts().volume);
      const bool late = session->phase() != Session::Phase::kActive && now > grace.until_nanos;
      // Who waits asks again with every heartbeat.
      const bool wanted = session->wanted_nanos() != 0 &&
                          now - session->wanted_nanos() < 2 * timing_.heartbeat_nanos();
      const bool in_the_way = wanted && silent > timing_.session_lifetime_nanos;
      if (late || in_the_way || silent > kSilentSessionMaxNanos) doomed.push_back(session);
      if (session->phase() == Session::Phase::kActive) all.push_back(session);
    }
  }
  for (const std::shared_ptr<Session>& session : doomed) End(session, Ending::kFenced);
  for (const std::shared_ptr<Session>& session : all) {
    Record(*session, IsSilent(*session) ? Standing::kSilent : Standing::kLive);
  }
  ForgetFenced();
}

void SessionTable::ForgetFenced() {
  const int64_t now = clock_.Now().ns;
  std::vector<std::pair<SessionVolume*, SessionId>> old;
  {
    MutexLock lock(&mu_);
    for (auto& [volume, fenced] : fenced_) {
      while (!fenced.empty() && (fenced.size() > kFencedSessionsKept ||
                                 now - fenced.front().since.ns > kFencedSessionKeptNanos)) {
        old.emplace_back(volume, fenced.front().id);
        fenced.pop_front();
      }
    }
  }
  for (const auto& [volume, id] : old) {
    const Status forgotten = volume->Forget(id);
    if (!forgotten.ok()) LogWarning("a session's record stays: {}", forgotten.error().message);
  }
}

void SessionTable::Stop() {
  stopping_ = true;
  std::vector<std::shared_ptr<Session>> all;
  {
    ReaderMutexLock lock(&mu_);
    for (const auto& [id, session] : sessions_) all.push_back(session);
  }
  for (const std::shared_ptr<Session>& session : all) session->DropWaiting();
}

uint32_t SessionTable::CountLive(const SessionVolume& volume) const {
  ReaderMutexLock lock(&mu_);
  return static_cast<uint32_t>(
      std::count_if(sessions_.begin(), sessions_.end(), [&](const auto& entry) {
        return entry.second->facts().volume == &volume && !IsSilent(*entry.second);
      }));
}

}  // namespace tarn::state
