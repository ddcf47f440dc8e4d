// The figures of a file system, which StatFs answers with, as something to be leased: who holds
// kFigures may answer by what it was told last, until it is recalled or kFiguresLeaseNanos are
// over.
//
// They are leased in the table of leases as if they were an inode's. But no latch orders those who
// look at them and those who change them, for that would be one latch for all changes. Instead a
// change counts as under way (Change) from before it asks the table until it is committed, and
// whoever is to be granted the figures is entered in the table before it looks whether a change is
// under way, and looks at the figures last. So of a change and a grant either the change finds the
// grant in the table and recalls it, or the grant finds the change under way and is taken back, or
// the change is committed before the figures are looked at. Each of the four steps is sequentially
// consistent. (tests/model/lease_figures.pml)
//
// They are leased for a short time, since every host may have to wait for a holder, also one that
// has nothing to do with what it changes: a holder that died is waited for no longer than that, and
// one that lives and did not answer is granted nothing for kRefusedNanos.
//
// Thread safety: safe. Lock order: mu_ comes before the table's. Lifetime: not beyond the table.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/limits.h"
#include "common/sync.h"
#include "server/state/lease_table.h"

namespace tarn::state {

class Figures {
 public:
  static constexpr int64_t kRefusedNanos = 600 * kSecondNanos;

  explicit Figures(LeaseTable& table) : table_(table) {}

  // While one lives nothing is granted. Lifetime: not beyond the Figures.
  class Change {
   public:
    explicit Change(Figures& figures) : under_way_(figures.under_way_) { under_way_.fetch_add(1); }
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;
    ~Change() { under_way_.fetch_sub(1); }

   private:
    std::atomic<uint32_t>& under_way_;
  };

  // To be called before the figures are looked at. True: they are granted, and `out` says so.
  bool Grant(SessionId to, int64_t now_nanos, std::vector<tarn::Grant>& out);
  // Ends what has lasted its time, with the recalls that are open, and adds what comes of it to
  // `outcome`. Returns when the next one ends; nullopt: there is none.
  std::optional<int64_t> Expire(int64_t now_nanos, LeaseTable::Outcome& outcome);

 private:
  struct Session {
    int64_t until_nanos = 0;
    bool refused = false;  // until then; else granted
  };

  // Ends a grant. True: a recall of it was not answered.
  bool TakeBack(SessionId from, LeaseTable::Outcome& outcome) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  LeaseTable& table_;
  std::atomic<uint32_t> under_way_ = 0;
  Mutex mu_;
  absl::flat_hash_map<SessionId, Session> sessions_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tarn::state
