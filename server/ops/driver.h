// Runs a verb's rule on the store: once, for all verbs.
//
// An attempt takes the latches of the inodes that the arguments name, runs the rule on a fresh
// transaction, registers the open, keeps the reply and commits. The first attempt is made on the
// calling thread with what is in memory; if that does not suffice (or a latch is held by somebody
// who waits for the disk) the operation goes to the pool. An attempt that met an inode whose latch
// it could not take in order is dropped and run again with all latches that it met.
//
// What it adds to the rules (common/posix/rules.h): checks and makes handle tags; pins what is
// opened; keeps replies of mutations with their change and answers replays from them; records
// access times (at once where memory allows, else on the pool; never failing the read).
//
// A session's end: no request of it commits once Caller::session_ended is true. What was asked in
// it and not answered may be asked again by the session that follows it (Caller::formerly), and is
// done once, wherever. For be A an attempt in the former session's name, and L the look for its
// kept reply in the new one's name. The former session has ended before the new one was opened
// (SessionTable::Resume; or with an earlier run of the server, of which nothing runs any more): so
// before L. Both have the same arguments, and hold the latches of the inodes that these name,
// exclusively: A from before it asks whether its session has ended until its batch is written, L
// while it looks. So either A is over when L begins, which then finds what A has written; or A
// begins when L is over, sees that its session has ended, and writes nothing. Hence what L does not
// find was not applied, and never will be. The same holds for several former sessions, which have
// all ended before L.
//
// Leases (ops/leases.h): before a commit it asks whether others hold what the transaction changes.
// If so nothing is committed, and the call is parked and run again from the start once they have
// given it back. What a verb grants is read off its traits, under the latches of the attempt. So no
// rule knows of leases, and no latch is held while anybody is waited for.
// Thread safety: safe. Errors: a rule's own; ESTALE for a tag that does not fit.
// Lifetime: the pool is drained before this goes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/function_ref.h"
#include "common/verbs.h"
#include "common/wire/kept.h"
#include "server/ops/latches.h"
#include "server/ops/leases.h"
#include "server/ops/pool.h"
#include "server/ops/verb_shows.h"
#include "server/ops/verb_traits.h"
#include "server/state/open_table.h"
#include "server/store/store.h"

namespace tarn::ops {

// What a rule is run with.
struct Attempt {
  store::Txn& txn;
  LatchSet& latches;
  store::Tier tier;
};

class Driver {
 public:
  // `changed` runs after each commit that may have left an orphan or unused contents behind.
  Driver(store::Store& store, state::OpenTable& opens, Latches& latches, Leases& leases,
         Pool& pool, std::function<void()> changed)
      : store_(store), opens_(opens), latches_(latches), leases_(leases), pool_(pool),
        changed_(std::move(changed)) {}

  Handle MakeHandle(Ino ino, uint64_t access_point) const;
  // Errors: ESTALE.
  Status CheckTag(const Caller& caller, Handle handle) const;

  // Runs V: `rule` is Result<V::Reply>(Attempt&, const Caller&, const V::Args&), called any number
  // of times on one thread after the other.
  template <class V, class Rule>
  void Run(const Caller& caller, typename V::Args args, Done<typename V::Reply> done, Rule rule);

  // Whether the inode exists, asked under its latch, where the caller may wait for the disk; `then`
  // runs under the latch. Errors: ESTALE, EIO.
  Status WithInode(Ino ino, absl::FunctionRef<Status()> then);
  // Records an access that is due, soon. Not in the grace period.
  void NoteAccess(Ino ino);
  // For one who has waited for somebody's lock: grants as after a write that had to wait, if the
  // latch can be had without waiting for the disk. REQUIRES: caller.leases; no latch is held.
  void GrantTurn(const Caller& caller, Ino ino);

 private:
  using Want = state::LeaseTable::Want;
  // A call that goes on elsewhere than where it came from.
  template <class V, class Rule>
  struct Call {
    Caller caller;
    typename V::Args args;
    Done<typename V::Reply> done;
    LatchSet::Ranks wanted;
    Rule rule;
    Turn turn;
    bool replay = false;  // there may be a kept reply
  };

  template <class V>
  Status CheckTags(const Caller& caller, const typename V::Args& args) const;
  // Attempts until there is an answer; nullopt: not to be had on this tier, or the turn must wait.
  template <class V, class Rule>
  std::optional<Result<typename V::Reply>> Try(const Caller& caller, const typename V::Args& args,
                                               store::Tier tier, LatchSet& latches, Rule& rule,
                                               Turn& turn);
  // One attempt under latches that are held. Errors: kBlocked (nothing took effect), the rule's.
  template <class V, class Rule>
  Result<typename V::Reply> Once(Attempt& attempt, const Caller& caller,
                                 const typename V::Args& args, Rule& rule, bool& touch,
                                 Turn& turn);
  // The end of an attempt that stores: asks for leases, opens, commits with the reply, grants.
  template <class V>
  Status Commit(Attempt& attempt, const Caller& caller, const typename V::Args& args,
                const Result<typename V::Reply>& answer, Turn& turn);
  // Whether the caller's session has ended. Asked under the latches of what is to be stored.
  static bool HasEnded(const Caller& caller) {
    return caller.session_ended != nullptr && caller.session_ended->load();
  }
  // What was parked for leases, where memory may suffice; else on the pool.
  template <class V, class Rule>
  void RunBriefly(Call<V, Rule> call);
  // On the pool: the kept reply of a replay, or an attempt that may block.
  template <class V, class Rule>
  void RunToEnd(Call<V, Rule> call);
  template <class V>
  bool AwaitsGrace(const Caller& caller, const typename V::Args& args) const;
  template <class V, class Rule>
  void Park(Call<V, Rule> call, bool for_grace);
  // What a call that changed nothing grants, and a new inode.
  template <class V>
  void GrantRead(const Caller& caller, const typename V::Args& args,
                 const Result<typename V::Reply>& answer);
  // Adds the contents that are wished for with a file's attributes to what is granted.
  void AddContents(Attempt& attempt, const Caller& caller, Ino ino, const Prefetch& wished);
  static bool IsGranted(const LeaseNews& news, Ino ino);
  // Grants what is held already of what was changed.
  void GrantChanged(const Caller& caller, const state::LeaseChanges& changes,
                    absl::Span<const Attr> directories, Ino also, Want want);
  // The kept reply, with the open that it speaks of pinned for the caller; nullopt: there is none,
  // or it made what is gone with a former session, so that it is to be made again.
  template <class V>
  std::optional<Result<typename V::Reply>> FindKept(const Caller& caller,
                                                    const typename V::Args& args,
                                                    const LatchSet::Ranks& named);
  // What was kept for the request under its slot, or under those of former sessions (then it is
  // kept under this one as well). `named`: of the inodes in its arguments. Errors: EIO (also: it is
  // not known any more what became of it).
  Result<std::optional<store::KeptReply>> LookUpKept(const Caller& caller, uint8_t verb,
                                                     const LatchSet::Ranks& named);
  // REQUIRES: the latches of `named` are held.
  Result<std::optional<store::KeptReply>> LookUpFormer(const Formerly& formerly, uint8_t verb);
  // Records an access. False: not possible on this tier.
  bool Touch(Ino ino, store::Tier tier);
  void TouchSoon(Ino ino, store::Tier tier);

  template <class V>
  static LatchSet::Mode ModeOf(const typename V::Args& args) {
    // What may grant exclusively comes before or after a read, never within.
    return Stores<V>(args) || kMayGoOn<V> ? LatchSet::Mode::kExclusive : LatchSet::Mode::kShared;
  }
  static state::LeaseChanges ChangesOf(const store::Txn& txn);
  // The attributes that the transaction gives to directories whose names it changes.
  using Attrs = absl::InlinedVector<Attr, 2>;
  static Attrs DirectoriesOf(store::Txn& txn, const state::LeaseChanges& changes);
  std::unique_ptr<store::Txn> Begin(store::Tier tier, LatchSet& latches);
  // Whether the inode's access time is due, as far as `txn` sees it without waiting.
  static bool AccessIsDue(store::Txn& txn, Ino ino);

  store::Store& store_;
  state::OpenTable& opens_;
  Latches& latches_;
  Leases& leases_;
  Pool& pool_;
  const std::function<void()> changed_;
};

}  // namespace tarn::ops

#include "server/ops/driver_inl.h"
#include "server/ops/driver_run_inl.h"
