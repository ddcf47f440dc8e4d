// One mount's session: who it is, whether it lives, and its slots.
//
// A slot runs one request at a time and remembers the last (proto/session.proto): the same request
// again joins the running one, or is answered with the reply that was kept of a mutation, or,
// having changed nothing, runs again. After a restart a slot knows nothing: its first request is
// run as one that may be a replay.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/inlined_vector.h"
#include "absl/functional/any_invocable.h"
#include "common/sync.h"
#include "common/bytes.h"
#include "common/cancellation.h"
#include "common/filesystem.h"
#include "common/limits.h"
#include "common/types.h"
#include "server/state/request_budget.h"

namespace tarn::state {

class SessionVolume;

// What a session's record says of it. A silent session is not waited for after a restart.
enum class Standing : uint8_t { kLive, kSilent, kFenced };

// What a session is; fixed when it opens.
struct SessionFacts {
  SessionId id;
  uint32_t epoch = 1;
  SessionVolume* volume = nullptr;
  Ino root = kRootIno;
  uint64_t access_point = 0;
  bool read_only = false;
  std::string client_name;
  Timestamp opened;
  SessionId previous;  // fenced, with its replies kept for this one; none: {}
};

// Takes the encoded answer to one arrival of a request; null: no answer was obtained, try again.
// Runs once, on any thread, with no lock held.
using Answer = absl::AnyInvocable<void(const Bytes*) &&>;

// How a request behaves under its slot.
struct RequestKind {
  bool mutates = false;  // its reply is kept
  bool waits = false;    // it may be parked for long: it can be cancelled and dropped
  uint8_t verb = 0;      // a reply to another one is no answer
};

enum class Admission : uint8_t {
  kRun,      // new (or free to run again): run it, then call Finish
  kJoined,   // its answer comes with the running one's
  kReplay,   // done before: `reply`
  kMisused,  // an older sequence, a gap, or an unknown slot: a bug of the client
  kNotNow,   // the session must resume first, or is ended: nothing was run
};

// Thread safety: safe.
// Invariants: a slot's sequence never falls; a running slot has at least one listener.
// Lock order: mu_ is a leaf; answers and cancellations run outside it.
// Lifetime: shared by the table and the requests that run.
class Session {
 public:
  struct Admitted {
    Admission verdict = Admission::kMisused;
    Bytes reply;
    bool maybe_replay = false;
    std::shared_ptr<Cancellation> cancellation;  // of a request that waits
  };
  enum class Phase : uint8_t { kResumable, kReclaiming, kActive, kEnded };

  Session(SessionFacts facts, Phase phase, int64_t now_nanos);

  const SessionFacts& facts() const { return facts_; }
  // Is alive as of `now`.
  void Heard(int64_t now_nanos) { heard_nanos_.store(now_nanos, std::memory_order_relaxed); }
  int64_t heard_nanos() const { return heard_nanos_.load(std::memory_order_relaxed); }

  // The account of the address that its client speaks from.
  std::shared_ptr<PeerAccount> peer() const;
  void SetPeer(std::shared_ptr<PeerAccount> peer);

  // Whether its client caches under leases; said with each Hello.
  void SetCaches(bool caches) { caches_.store(caches, std::memory_order_relaxed); }
  bool caches() const { return caches_.load(std::memory_order_relaxed); }
  // Number of the last event sent to it; 0: none.
  void NoteEvent(uint64_t number) { last_event_.store(number, std::memory_order_relaxed); }
  uint64_t last_event() const { return last_event_.load(std::memory_order_relaxed); }

  // A request arrived. `answer` is consumed when the verdict is kRun or kJoined. Of more arrivals
  // than kListenersPerRequest that wait for one request the oldest gets no answer.
  Admitted Begin(RequestId id, RequestKind kind, Answer& answer);
  // The request that was told to run has its reply (`interrupted`: EINTR): answers whoever waits.
  void Finish(RequestId id, const Bytes& reply, bool interrupted);
  // The request that was told to run ended without effect and without an answer: it may run again.
  void Drop(RequestId id);
  // One arrival of a waiting request lost its connection; with the last the request is dropped.
  void Leave(RequestId id);
  // The client wants a waiting request to end; remembered if it has not arrived yet.
  void Cancel(RequestId id);
  // Drops all waiting requests, unanswered.
  void DropWaiting();

  // ---- life; called by SessionTable ----
  Phase phase() const;
  // False: it was not in phase `from`.
  bool Advance(Phase from, Phase to);
  // Refuses everything from now on and drops what waits; `drained` runs when nothing runs any more,
  // perhaps at once. Returns the phase before; kEnded: somebody else ended it (`drained` is
  // dropped).
  Phase End(absl::AnyInvocable<void() &&> drained);
  // True once it has ended: what still runs must change nothing any more. (Caller::session_ended)
  const std::atomic<bool>& ended() const { return ended_; }
  // When it was last seen to stand in somebody's way (SessionTable::ExpireSilent); 0: never.
  void SetWanted(int64_t now_nanos) { wanted_nanos_.store(now_nanos, std::memory_order_relaxed); }
  // What its record says; for SessionTable, under its record_mu_.
  void SetStanding(Standing standing) { standing_ = standing; }
  Standing standing() const { return standing_; }
  int64_t wanted_nanos() const { return wanted_nanos_.load(std::memory_order_relaxed); }
  size_t running() const;

 private:
  enum class SlotState : uint8_t {
    kUnknown,  // nothing heard yet
    kIdle,     // `sequence` ended without an answer: it may run again
    kRunning,
    kDone,     // with `reply` if it was a mutation
  };
  struct Slot {
    SlotState state = SlotState::kUnknown;
    bool mutates = false;
    uint8_t verb = 0;
    bool dropped = false;    // was ended because nobody waited for it any more
    uint32_t lost = 0;       // listeners whose connection is gone
    uint64_t sequence = 0;   // of the last request begun
    uint64_t cancelled = 0;  // sequence that was cancelled before it arrived
    Bytes reply;
    absl::InlinedVector<Answer, 1> listeners;
    std::shared_ptr<Cancellation> cancellation;
  };

  Admitted BeginLocked(RequestId id, RequestKind kind, Answer& answer, Answer& displaced)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // One more waits for the slot's request; perhaps one too many, who is taken off.
  static void Join(Slot& slot, Answer& answer, Answer& displaced);
  // `reply` null: none.
  void Conclude(RequestId id, const Bytes* reply, bool interrupted);
  Slot* FindSlot(RequestId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Slot& MakeSlot(uint32_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Run(Slot& slot, RequestId id, RequestKind kind, Answer& answer, Admitted& admitted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const SessionFacts facts_;
  const bool restored_;  // from before a restart: slots may hold replies that only the store knows
  std::atomic<int64_t> heard_nanos_;
  std::atomic<int64_t> wanted_nanos_ = 0;
  std::atomic<bool> caches_ = false;
  std::atomic<bool> ended_ = false;  // as phase_ says, for those who must not take mu_
  std::atomic<uint64_t> last_event_ = 0;
  Standing standing_ = Standing::kLive;

  mutable Mutex mu_;
  std::shared_ptr<PeerAccount> peer_ ABSL_GUARDED_BY(mu_) = std::make_shared<PeerAccount>();
  Phase phase_ ABSL_GUARDED_BY(mu_);
  size_t running_ ABSL_GUARDED_BY(mu_) = 0;
  absl::AnyInvocable<void() &&> drained_ ABSL_GUARDED_BY(mu_);
  std::vector<std::unique_ptr<Slot>> slots_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tarn::state
