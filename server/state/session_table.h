// All sessions of this server: who is there, who is silent, who must still reclaim.
//
// A silent session keeps what it holds until it is in somebody's way or a day passes (the courteous
// server). A restart brings the sessions on record back as resumable; a volume's grace period ends
// when all of them have reclaimed, or after one lifetime, and who has not is fenced first. Sessions
// that their records say were silent are fenced at once instead of being waited for.
//
// A fenced session stays on record, with its kept replies, for the session that follows it: for a
// day, and only so many of a volume (limits.h). Goodbye and Replace leave nothing.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "common/sync.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/result.h"
#include "server/state/session.h"

namespace tarn::state {

// The file system that a session uses, as far as sessions need it. All may block.
class SessionVolume {
 public:
  virtual ~SessionVolume() = default;
  // Puts the session on record, durably; `now` is kept with kFenced. Errors: EIO, ENOSPC.
  virtual Status Save(const SessionFacts& facts, Standing standing, Timestamp now) = 0;
  // Takes it off the record, with its kept replies.
  virtual Status Forget(SessionId id) = 0;
  // Drops its opens, locks and leases. Idempotent.
  virtual void EndSession(SessionId id) = 0;
  // It has been fenced: its client should hear of it soon.
  virtual void TellFenced(SessionId) {}
  virtual void EndGrace() = 0;
};

// Thread safety: safe.
// Lock order: record_mu_ (the only one held while a volume is called, and only for Save), mu_, then
// Session's.
// Lifetime: outlives the services; volumes outlive it.
class SessionTable {
 public:
  explicit SessionTable(Clock& clock, const Timing& timing = {},
                        uint64_t request_bytes = kRequestBytesMax)
      : clock_(clock), timing_(timing), budget_(request_bytes) {}
  const Timing& timing() const { return timing_; }
  // Of the requests of all sessions.
  RequestBudget& budget() { return budget_; }

  // Before serving: a volume with the sessions found on its record; the silent ones are fenced.
  struct Loaded {
    SessionFacts facts;
    Standing standing = Standing::kLive;
    Timestamp fenced_at;  // with kFenced
  };
  void AddVolume(SessionVolume& volume, std::vector<Loaded> loaded);

  // The session as its client names it, marked as heard; null: unknown, ended or another epoch.
  std::shared_ptr<Session> Find(SessionId id, uint32_t epoch);

  // Opens a session under a new id (facts.id is ignored) for a client at the address `peer` (empty:
  // not known, and not limited); a nonce seen before finds the session that it opened. Errors:
  // ENFILE (too many sessions, in all or from there), those of Save. May block.
  Result<std::shared_ptr<Session>> Open(SessionFacts facts, const std::string& nonce,
                                        const std::string& peer = "");

  // Hello with a previous session; null: it has ended (Session::ended, if it ever was here), or
  // belongs to another volume. Afterwards its phase is kActive, or kReclaiming if it must reclaim
  // first.
  std::shared_ptr<Session> Resume(SessionId previous, const SessionVolume& volume,
                                  const std::string& peer = "");
  // It has reclaimed all that it held. Ends the grace period with the last. May block.
  void Reclaimed(Session& session);

  // Hello in place of a previous session, whose client is dead: drops all that it holds, or has
  // left. Without effect if it belongs to another volume. May block.
  void Replace(SessionId previous, SessionVolume& volume);

  // Goodbye: drops all that it holds. May block.
  void Goodbye(SessionId id, uint32_t epoch);

  // `holder` is in somebody's way: fences it if it is silent for too long, else remembers that.
  // True: fenced now. May block.
  bool ExpireSilent(SessionId holder);

  // `holder` lives but does not do what others wait for: fences it. May block.
  void Fence(SessionId holder);

  // To be called about once a second: ends grace periods, fences sessions that are in the way or
  // silent for a day, puts on record who has become silent or is heard again, forgets what was
  // fenced long ago, or too much of it. May block.
  void Tick();

  // Nothing is admitted any more and waiting requests are dropped, unanswered: their clients will
  // try again with the server's successor.
  void Stop();
  bool stopping() const { return stopping_.load(std::memory_order_relaxed); }

  // Sessions of a volume that are not silent.
  uint32_t CountLive(const SessionVolume& volume) const;

 private:
  struct Grace {
    int64_t until_nanos = 0;
    size_t waiting_for = 0;  // sessions that have not reclaimed
    bool over = true;
  };
  enum class Ending : uint8_t { kGoodbye, kFenced };
  struct Fenced {
    Timestamp since;
    SessionId id;
  };

  std::shared_ptr<Session> Lookup(SessionId id) const;
  // False: could not be put on record, or somebody else ends it.
  bool End(const std::shared_ptr<Session>& session, Ending ending);
  void ForgetFenced();
  // Puts on record whether the session is silent.
  void Record(Session& session, Standing standing);
  void OneLessToReclaim(SessionVolume& volume);
  // If the table is full, or those of one address are as many as may be, fences the longest silent
  // of them. Errors: ENFILE (nobody is silent).
  Status MakeRoom(const PeerAccount* peer);
  bool IsSilent(const Session& session) const;

  Clock& clock_;
  const Timing timing_;
  RequestBudget budget_;
  std::atomic<bool> stopping_ = false;

  Mutex record_mu_;  // orders what is put on record of one session
  mutable Mutex mu_;
  absl::flat_hash_map<SessionId, std::shared_ptr<Session>> sessions_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, SessionId> nonces_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<SessionVolume*, Grace> graces_ ABSL_GUARDED_BY(mu_);
  // What is on record only; the oldest first.
  absl::flat_hash_map<SessionVolume*, std::deque<Fenced>> fenced_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tarn::state
