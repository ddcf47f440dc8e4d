// Frees what nothing refers to any more: orphans (inodes without a name) that nobody has open or
// holds a lease on, and contents that truncations left behind.
//
// An orphan is freed no sooner than kOrphanMinAgeNanos after its last name went, so that an open
// which found the name just before still succeeds. After a restart nothing is freed until the grace
// period ends: clients may have it open. The store's list of orphans is looked through when one may
// be due, at most once a second while there are any, and not at all while there are none.
//
// Thread safety: safe; rounds exclude each other. NoteChange is cheap enough for every operation.
// Lock order: round_mu_, latches, mu_ (a leaf).
#pragma once

#include <atomic>
#include <functional>
#include <optional>

#include "absl/container/flat_hash_set.h"
#include "common/clock.h"
#include "common/sync.h"
#include "server/ops/latches.h"
#include "server/state/lease_table.h"
#include "server/state/open_table.h"
#include "server/store/store.h"

namespace tarn::ops {

class Reclaimer {
 public:
  // `wake` asks for a Round soon; it is called with no lock held.
  Reclaimer(store::Store& store, Clock& clock, Latches& latches, const state::OpenTable& opens,
            const state::LeaseTable& leases, bool grace, std::function<void()> wake);

  // An operation has committed that may have left an orphan or contents behind.
  void NoteChange();
  // The last open or lease of an inode went.
  void NoteReleased(Ino ino);
  void EndGrace();
  // Makes rounds end early from now on.
  void Stop() { stopping_.store(true); }

  // Frees what is due if anything may be; returns nanoseconds until the next time, or nullopt if
  // nothing is known to come. May be slow.
  std::optional<int64_t> Round();
  // Frees all that is due now, whatever the schedule says.
  void ReclaimNow();

 private:
  // Looks through all orphans; the due time (by the wall clock) of the next one.
  std::optional<int64_t> FreeDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(round_mu_);
  // Remembers that it is to be freed when its last open and lease go; false: there are none.
  bool IsPinned(Ino ino);
  // False: it could not be freed now.
  bool Free(Ino ino);
  void Schedule(int64_t wall_ns);

  store::Store& store_;
  Clock& clock_;
  Latches& latches_;
  const state::OpenTable& opens_;
  const state::LeaseTable& leases_;
  const std::function<void()> wake_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> grace_;
  std::atomic<bool> scheduled_{true};  // next_ has a value; lets NoteChange return at once

  Mutex round_mu_;
  Mutex mu_;
  std::optional<int64_t> next_ ABSL_GUARDED_BY(mu_);  // wall clock, ns
  // Orphans that a round met and somebody has open or a lease on.
  absl::flat_hash_set<Ino> pinned_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tarn::ops
