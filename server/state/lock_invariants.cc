// LockTable::CheckInvariants, for tests.
#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "common/log.h"
#include "server/state/lock_table.h"

namespace tarn::state {
namespace {
void Require(bool holds, std::string_view invariant) {
  if (holds) return;
  LogError("LockTable: broken invariant: {}", invariant);
  std::abort();
}
}  // namespace

void LockTable::CheckInvariants() const {
  ReaderMutexLock lock(&mu_);
  absl::flat_hash_map<SessionId, uint32_t> held, waiting;
  size_t waits = 0;
  for (const auto& [ino, locks] : inodes_) {
    Require(!locks->waiters.empty() || !locks->held[0].empty() || !locks->held[1].empty(),
            "an inode without locks is forgotten");
    for (LockKind kind : {LockKind::kRange, LockKind::kFlock}) {
      for (const auto& [owner, ranges] : locks->of(kind)) {
        Require(!ranges.empty(), "a holder holds something");
        std::optional<uint64_t> last;
        for (const auto& [start, r] : ranges.by_start()) {
          Require(start == r.start && r.start <= r.end && (!last || *last < r.start), "disjoint");
          last = r.end;
          ++held[owner.session];
          LockRequest as_request{.session = owner.session, .owner = owner.owner, .kind = kind};
          as_request.lock = {.type = r.type, .start = r.start, .end = r.end};
          Require(!IsBlocked(*locks, as_request), "held locks do not conflict");
        }
      }
    }
    for (auto it = locks->waiters.begin(); it != locks->waiters.end(); ++it) {
      const bool queued = std::any_of(locks->waiters.begin(), it, [&](const Waiter& earlier) {
        return ConflictsInQueue(earlier.request, it->request);
      });
      Require(queued || IsBlocked(*locks, it->request), "a waiter has something to wait for");
      ++waiting[it->request.session];
      ++waits;
    }
  }
  Require(waits == waits_.size(), "waits_ names every waiter");
  Require(held.size() <= sessions_.size(), "sessions are counted");
  for (const auto& [session, counts] : sessions_) {
    Require(counts.held == held[session] && counts.waiting == waiting[session], "counts");
    Require(counts.held != 0 || counts.waiting != 0, "an idle session is forgotten");
  }
}

}  // namespace tarn::state
