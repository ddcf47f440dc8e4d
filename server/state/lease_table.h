// Who may cache what: leases, the recalls that are not answered yet, and the requests that wait for
// them. What a lease lets its holder do is in common/lease.h.
//
// A change asks first (Admit). If other sessions hold what it is about to change, it gets a ticket:
// recalls to all of them, and a reservation of all that it changes, until the ticket is dropped.
// While an inode is reserved or a recall of it is open nothing is granted on it, so what has been
// given back stays given back until the change is made.
//
// Which change or look recalls what from whom is in lease_conflicts.h.
//
// Event and sequence numbers of one table begin at `first_number`, so that those of two runs of the
// server differ, and so do those of two sessions: a late answer to one recall answers no other.
// Thread safety: safe; one mutex, and grants to nobody cost one load. Grant is called with at least
// the shared latch of the inode, Admit with the exclusive ones: so a grant comes either before the
// change's question, or after its commit.
// Lock order: a leaf.
// Lifetime: volatile; clients drop their caches after a restart.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "common/lease.h"
#include "common/limits.h"
#include "common/sync.h"
#include "server/state/heat.h"
#include "server/state/lease_conflicts.h"

namespace tarn::state {

class LeaseTable {
 public:
  static constexpr uint8_t kIdleRecalls = 4;

  explicit LeaseTable(uint64_t first_number = 1, uint32_t leases_per_session = kLeasesPerSession)
      : leases_per_session_(leases_per_session),
        last_sequence_(first_number - 1),
        last_recall_(first_number - 1) {}

  // ---- grants ----
  enum class Want : uint8_t {
    kNothing,
    kCache,  // unless it is hot
    kData,   // hot or not, many or few: the kernel keeps what was read whatever we say
    kHeld,   // as kCache, but only what the session holds already
    kWrite,  // as kHeld, after a write of the session: exclusive, if it may be
    kTurn,   // after a write that has waited for an exclusive holder: exclusive at once, hot or not
  };
  // Appends the grants of those inodes that can be granted.
  void Grant(SessionId to, absl::Span<const Ino> inodes, Want want, int64_t now_nanos,
             std::vector<tarn::Grant>& out);
  bool IsHeld(Ino ino) const;
  // No leases at all: nothing can be in a change's way.
  bool empty() const { return leases_.load() == 0; }
  // Nobody may write locally: nothing can be in a reader's way.
  bool no_exclusive() const { return exclusives_.load(std::memory_order_acquire) == 0; }
  bool IsExclusive(Ino ino, SessionId session) const;
  bool IsExclusiveElsewhere(Ino ino, SessionId session) const;
  // After a restart: the session has had it, and has changes to tell. False: somebody else holds
  // it.
  bool ReclaimExclusive(SessionId session, Ino ino);

  // ---- who waits ----
  TicketId NewTicket() { return TicketId{last_ticket_.fetch_add(1) + 1}; }
  // True: nothing that others hold is in the way. Else `ticket` (made if 0) waits for what is, and
  // `recalled` are the sessions that have a new recall each. Asked again, with the same ticket,
  // what has been recalled for it is no longer in the way.
  bool Admit(SessionId by, const LeaseChanges& changes, int64_t now_nanos, TicketId& ticket,
             std::vector<SessionId>& recalled);
  // Likewise for what is about to be shown, but only what may be written locally is in the way.
  // `glimpsed`: what holders have said meanwhile, to be shown instead, and nothing to be granted
  // of.
  bool AdmitRead(SessionId by, const LeaseViews& views, int64_t now_nanos, TicketId& ticket,
                 std::vector<SessionId>& recalled, std::vector<Glimpsed>& glimpsed);
  // True: the inode is neither reserved nor being recalled. Else a new `ticket` waits for that.
  bool AwaitFree(Ino ino, TicketId& ticket);
  // The ticket has waited for what somebody held exclusively.
  bool TookOver(TicketId ticket) const;
  // Ends a ticket, with its reservations; its recalls stay open. Returns those that are now ready:
  // that no longer wait for anything.
  std::vector<TicketId> Drop(TicketId ticket);

  // ---- the holders' side ----
  struct Outcome {
    std::vector<TicketId> ready;
    std::vector<Ino> free;  // inodes that nobody holds any more
  };
  Outcome Answer(SessionId from, absl::Span<const uint64_t> recalls);
  // Of recalls to kExclusive; to others they are no answer.
  Outcome AnswerGlimpses(SessionId from, absl::Span<const Glimpse> glimpses);
  Outcome Return(SessionId from, absl::Span<const LeaseReturn> returned);
  // Drops its leases; its open recalls count as answered.
  Outcome DropSession(SessionId session);

  // Open recalls numbered above `after`, ascending, at most `limit`.
  std::vector<OpenRecall> RecallsOf(SessionId session, uint64_t after, size_t limit) const;
  // Of its last recall; 0: there was none.
  uint64_t LastRecallOf(SessionId session) const;
  struct Awaited {
    SessionId session;
    int64_t since_nanos = 0;  // of its oldest open recall
  };
  std::vector<Awaited> AwaitedSessions() const;
  size_t CountOf(SessionId session) const;

  // Aborts with a sentence if an invariant is broken: the counts and both ways of looking things up
  // agree, nothing empty is kept. Slow: for tests.
  void CheckInvariants() const;

 private:
  using Who = uint32_t;  // stands for a session within the table; never reused; 0: none
  struct Holder {
    Who who = 0;
    uint8_t recalls = 0;  // kShared ones of a directory since the last grant
    bool wrote = false;   // as it was granted last, after a write; nobody else was since
    bool exclusive = false;
    uint64_t sequence = 0;
  };
  // What keeps an inode from being granted.
  struct Busy {
    uint32_t reservations = 0;
    absl::InlinedVector<std::pair<Who, uint64_t>, 1> recalls;  // open: holder and number
    std::vector<TicketId> waiting;                             // for it to be free
  };
  struct Entry {
    absl::InlinedVector<Holder, 2> holders;
    std::unique_ptr<Busy> busy;
  };
  struct OpenCall {
    Recall recall;
    int64_t since_nanos = 0;
    absl::InlinedVector<TicketId, 2> waiting;
  };
  struct Client {
    SessionId id;
    absl::flat_hash_set<Ino> held;
    std::map<uint64_t, OpenCall> recalls;
    uint64_t last_recall = 0;
  };
  struct Asked {
    Ino ino = kNoIno;
    Who who = 0;
    std::vector<std::string> names;
  };
  struct Ticket {
    uint32_t waits = 0;
    bool took_over = false;
    absl::InlinedVector<Ino, 4> reserved;
    absl::InlinedVector<Asked, 2> asked;
    std::vector<Glimpsed> glimpsed;
  };

  Who Find(SessionId session) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  Client& ClientOf(SessionId session, Who& who) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static bool IsCovered(const Ticket& ticket, const LeaseChange& change, Who who);
  bool IsInTheWay(const LeaseChange& change, Who self, const Ticket* ticket) const
      ABSL_SHARED_LOCKS_REQUIRED(mu_);
  void Reserve(Ticket& ticket, Ino ino) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Recalls the change from one holder, unless an open recall covers it already.
  void RecallFrom(Holder& holder, const LeaseChange& change, bool all, int64_t now_nanos,
                  TicketId id, std::vector<SessionId>& recalled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // True: a recall is open whose answer will do; `id` waits for it.
  bool JoinRecall(Who who, const Recall& recall, TicketId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void MakeRecall(Who who, Recall recall, int64_t now_nanos, TicketId id,
                  std::vector<SessionId>& recalled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Nobody else holds anything on the inode.
  bool IsAlone(Ino ino, Who self) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  // The exclusive holder of the inode, if that is another one.
  const Holder* ExclusiveHolder(Ino ino, Who self) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  void SetExclusive(Holder& holder, bool exclusive) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What `who` gets of what it wants of an inode that may be hot; notes that it wants it.
  Want Temper(Ino ino, Who who, Want want, int64_t now_nanos) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Takes an answered recall off the inode and counts it at its tickets.
  void Close(Who who, uint64_t number, const OpenCall& call, Outcome& out)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RemoveHolder(Who who, Ino ino, Outcome& out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // After each change of what keeps an inode busy: wakes who waits for it, forgets what is empty.
  void Settle(Ino ino, std::vector<TicketId>& ready) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const uint32_t leases_per_session_;
  std::atomic<uint64_t> leases_ = 0, exclusives_ = 0, last_ticket_ = 0;

  mutable Mutex mu_;
  uint64_t last_sequence_ ABSL_GUARDED_BY(mu_);
  uint64_t last_recall_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<Ino, Entry> entries_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<SessionId, Who> names_ ABSL_GUARDED_BY(mu_);
  std::vector<std::unique_ptr<Client>> clients_ ABSL_GUARDED_BY(mu_);  // by Who; null: ended
  absl::flat_hash_map<TicketId, Ticket> tickets_ ABSL_GUARDED_BY(mu_);
  Heat heat_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tarn::state
