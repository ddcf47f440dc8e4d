// Leases as the driver sees them: what a request may be granted, what it must recall first, and the
// requests that are parked until others have given back what is in the way.
//
// A request that meets a conflict is undone, lets its latches go and is parked as a record: no
// thread waits. It runs again from the start when its ticket is ready, where the answer came in if
// it is the only one that did, else on the pool; its Turn keeps its reservations until it ends.
// Storing requests are parked during the grace period too.
// A holder that does not answer may be dead, or stuck: the housekeeper asks the front about each
// (Recheck), at once and again while somebody waits.
//
// Thread safety: safe. Lock order: latches; the table's mutex and mu_, leaves, never held together.
// Lifetime: shared, since a Cancellation may outlive the file system; it holds a weak pointer.
// After Stop nothing is parked and nothing is posted to the pool.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "common/clock.h"
#include "common/sync.h"
#include "server/ops/local_fs.h"
#include "server/ops/pool.h"
#include "server/state/figures.h"
#include "server/state/lease_table.h"

namespace tarn::ops {

class Leases;

// One request's place among those that wait. Thread safety: as the request, one thread at a time.
// Lifetime: not beyond the Leases; its end gives up the reservations.
class Turn {
 public:
  explicit Turn(Leases& leases) : leases_(&leases) {}
  Turn(Turn&& other) noexcept
      : leases_(std::exchange(other.leases_, nullptr)), ticket_(other.ticket_),
        must_wait_(other.must_wait_), recalled_(std::move(other.recalled_)) {}
  Turn& operator=(Turn&&) = delete;
  ~Turn() { End(); }

  // The last attempt met a conflict: let the latches go, then Park.
  bool must_wait() const { return must_wait_; }
  // Gives up what is reserved; others may go on.
  void End();

 private:
  friend class Leases;
  Leases* leases_;
  state::TicketId ticket_{};
  bool must_wait_ = false;
  std::vector<SessionId> recalled_;  // with recalls that they have not been told of
};

class Leases : public std::enable_shared_from_this<Leases> {
 public:
  // `waiting`: somebody began to wait, Recheck soon. `free`: nobody holds the inode any more. Both
  // are called with no mutex held, but perhaps under latches.
  Leases(state::LeaseTable& table, Clock& clock, Pool& pool, bool grace,
         std::function<void()> waiting, std::function<void(Ino)> free)
      : table_(table), clock_(clock), pool_(pool), waiting_(std::move(waiting)),
        free_(std::move(free)), grace_(grace) {}

  // ---- under the latches of what is read or changed ----
  // False: leases of other sessions are in the way, nothing may be committed; see Turn::must_wait.
  bool MayChange(const Caller& caller, const state::LeaseChanges& changes, Turn& turn);
  // False: others may have changes to tell of what is to be shown. `glimpsed`: what they have said.
  bool MayShow(const Caller& caller, const state::LeaseViews& views, Turn& turn,
               std::vector<state::Glimpsed>& glimpsed);
  bool IsExclusiveElsewhere(const Caller& caller, Ino ino) const {
    return table_.IsExclusiveElsewhere(ino, caller.session);
  }
  // False: the inode is about to change, and what is read now could not be cached.
  bool MayReadData(const Caller& caller, Ino ino, Turn& turn);
  // What to grant after a write or a lock.
  state::LeaseTable::Want WantAfter(const Turn& turn) const;
  // REQUIRES: caller.leases. kWrite and kTurn are kHeld where others have locks.
  void Grant(const Caller& caller, absl::Span<const Ino> inodes, state::LeaseTable::Want want);
  // Grants the figures of the file system, unless they are changing: before they are looked at.
  void GrantFigures(const Caller& caller);
  // To be kept while a change of them is asked about, as of kFigures, and made.
  state::Figures& figures() { return figures_; }
  // Nobody holds anything.
  bool empty() const { return table_.empty(); }

  // ---- parking ----
  // Runs the request again (Ok), or ends it with the error given. Runs once, without latches. kAny:
  // on a thread that must not wait for the disk.
  enum class Thread : uint8_t { kPool, kAny };
  using Resume = absl::AnyInvocable<void(Status, Thread) &&>;
  // Tells the holders and keeps `resume` until the turn comes. `turn` is what it captured.
  struct Waiting {
    state::TicketId ticket{};
    std::vector<SessionId> recalled;
  };
  static Waiting TakeWaiting(Turn& turn) {
    turn.must_wait_ = false;
    return {turn.ticket_, std::exchange(turn.recalled_, {})};
  }
  void Park(Waiting waiting, const Caller& caller, Resume resume);
  bool in_grace() const { return grace_.load(std::memory_order_acquire); }
  // In the grace period only what was reclaimed may be shown or changed.
  bool MustAwaitGrace(const Caller& caller, Ino ino) const {
    return in_grace() && !table_.IsExclusive(ino, caller.session);
  }
  bool Reclaim(SessionId session, Ino ino) { return table_.ReclaimExclusive(session, ino); }
  void ParkInGrace(const Caller& caller, Resume resume);

  // ---- sessions and the front ----
  void Return(SessionId session, const LeaseAnswers& answers);
  void DropSession(SessionId session);
  void CancelParked(SessionId session, RequestId request);
  void EndGrace();
  // Ends all that is parked, now and from now on, with `code`.
  void Stop(Errno code);
  void SetRecallSink(LocalFs::RecallSink sink);
  void SetExpireSilent(LocalFs::ExpireSilent expire);
  void SetFenceOverdue(LocalFs::FenceOverdue fence);
  // Says whether other sessions have locks on an inode, or want any. Before the first request.
  void SetLockedByOthers(std::function<bool(Ino, SessionId)> locked) {
    locked_by_others_ = std::move(locked);
  }
  // Asks about every session that has not answered; after `deadline_nanos` it is fenced. False:
  // there is none.
  bool Recheck(int64_t deadline_nanos);
  // Ends grants of the figures that have lasted their time. Returns after how many nanoseconds the
  // next one will have; nullopt: there is none.
  std::optional<int64_t> ExpireFigures();

 private:
  friend class Turn;
  struct Parked {
    SessionId session;
    std::optional<RequestId> request;
    bool grace = false;
    Resume resume;
  };
  void Keep(state::TicketId ticket, bool grace, const Caller& caller, Resume resume);
  void Ready(const std::vector<state::TicketId>& tickets, Thread thread);
  void Settle(const state::LeaseTable::Outcome& outcome, Thread thread);
  void PostResume(Resume resume);
  // Takes away what `which` says and ends it with `code`.
  void EndParked(absl::FunctionRef<bool(state::TicketId, const Parked&)> which, Errno code);
  void Tell(const std::vector<SessionId>& sessions);

  state::LeaseTable& table_;
  state::Figures figures_{table_};
  Clock& clock_;
  Pool& pool_;
  const std::function<void()> waiting_;
  const std::function<void(Ino)> free_;
  std::function<bool(Ino, SessionId)> locked_by_others_;
  std::atomic<bool> grace_;

  Mutex mu_;
  std::optional<Errno> stopped_ ABSL_GUARDED_BY(mu_);
  std::map<state::TicketId, Parked> parked_ ABSL_GUARDED_BY(mu_);  // by order of arrival
  // Became ready before they were parked.
  absl::flat_hash_set<state::TicketId> early_ ABSL_GUARDED_BY(mu_);
  LocalFs::RecallSink sink_ ABSL_GUARDED_BY(mu_);
  LocalFs::ExpireSilent expire_ ABSL_GUARDED_BY(mu_);
  LocalFs::FenceOverdue fence_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tarn::ops
