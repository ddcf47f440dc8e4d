#include "server/ops/orphans.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "common/log.h"

namespace tarn::ops {
namespace {
constexpr size_t kPage = 256;
constexpr int64_t kRoundPauseNanos = kSecondNanos;       // at least, between two rounds
constexpr int64_t kRetryNanos = 30 * kSecondNanos;       // after a failure of the store
}  // namespace

Reclaimer::Reclaimer(store::Store& store, Clock& clock, Latches& latches,
                     const state::OpenTable& opens, const state::LeaseTable& leases, bool grace,
                     std::function<void()> wake)
    : store_(store), clock_(clock), latches_(latches), opens_(opens), leases_(leases),
      wake_(std::move(wake)), grace_(grace), next_(clock.Now().ns) {}

void Reclaimer::NoteChange() {
  if (scheduled_.load(std::memory_order_acquire)) return;
  Schedule(clock_.Now().ns + kOrphanMinAgeNanos);
}

void Reclaimer::NoteReleased(Ino ino) {
  {
    MutexLock lock(&mu_);
    if (pinned_.erase(ino) == 0) return;
  }
  Schedule(clock_.Now().ns);
}

void Reclaimer::EndGrace() {
  grace_.store(false);
  Schedule(clock_.Now().ns);
}

void Reclaimer::Schedule(int64_t wall_ns) {
  {
    MutexLock lock(&mu_);
    next_ = std::min(next_.value_or(wall_ns), wall_ns);
    scheduled_.store(true, std::memory_order_release);
  }
  wake_();
}

std::optional<int64_t> Reclaimer::Round() {
  MutexLock round(&round_mu_);
  {
    MutexLock lock(&mu_);
    if (!next_.has_value()) return std::nullopt;
    const int64_t wait = *next_ - clock_.Now().ns;
    // The wall clock may have been set back: what is due is never put off for longer than it was.
    if (wait > 0 && wait <= kRetryNanos) return wait;
    // Whatever is noted from here on may be missed by this round and schedules the next.
    next_.reset();
    scheduled_.store(false, std::memory_order_release);
  }
  const std::optional<int64_t> due = FreeDue();
  const int64_t now = clock_.Now().ns;
  MutexLock lock(&mu_);
  if (due.has_value()) next_ = std::min(next_.value_or(*due), *due);
  if (!next_.has_value()) return std::nullopt;
  next_ = std::clamp(*next_, now + kRoundPauseNanos, now + kRetryNanos);
  scheduled_.store(true, std::memory_order_release);
  return *next_ - now;
}

void Reclaimer::ReclaimNow() {
  MutexLock round(&round_mu_);
  if (auto due = FreeDue(); due.has_value()) Schedule(*due);
}

std::optional<int64_t> Reclaimer::FreeDue() {
  std::optional<int64_t> due;
  const auto come_back = [&](int64_t at) { due = std::min(due.value_or(at), at); };
  Ino after = kNoIno;
  while (!grace_.load() && !stopping_.load()) {
    auto page = store_.ListOrphans(after, kPage);
    if (!page.ok()) {
      LogWarning("cannot list orphans: {}", page.error().message);
      come_back(clock_.Now().ns + kRetryNanos);
      break;
    }
    for (const store::Orphan& orphan : *page) {
      after = orphan.ino;
      const int64_t free_at = orphan.since.ns + kOrphanMinAgeNanos;
      if (stopping_.load() || IsPinned(orphan.ino)) continue;
      if (free_at > clock_.Now().ns) {
        come_back(free_at);
      } else if (!Free(orphan.ino)) {
        come_back(clock_.Now().ns + kRetryNanos);
      }
    }
    if (page->size() < kPage) break;
  }
  while (!stopping_.load()) {
    auto more = store_.FreeGarbage();
    if (!more.ok()) {
      LogWarning("cannot free garbage: {}", more.error().message);
      come_back(clock_.Now().ns + kRetryNanos);
    }
    if (!more.ok() || !*more) break;
  }
  return due;
}

bool Reclaimer::IsPinned(Ino ino) {
  const auto in_use = [&] { return opens_.IsOpen(ino) || leases_.IsHeld(ino); };
  if (!in_use()) return false;
  MutexLock lock(&mu_);
  // Noted first, then looked at again: a release in between is seen here or sees the note.
  pinned_.insert(ino);
  if (in_use()) return true;
  pinned_.erase(ino);
  return false;
}

bool Reclaimer::Free(Ino ino) {
  LatchSet latches(latches_, LatchSet::Mode::kExclusive, LatchSet::Patience::kLong,
                   {Latches::RankOf(ino)});
  latches.Acquire();
  if (IsPinned(ino)) return true;  // opened meanwhile
  auto txn = store_.Begin(store::Tier::kMayBlock,
                          [&](Ino i) { return latches.Reach(Latches::RankOf(i)); });
  auto inode = txn->GetInode(ino);
  if (!inode.ok()) return false;
  if (inode->has_value() && (*inode)->attr.nlink > 0) return true;  // has a name again
  while (!stopping_.load()) {
    auto all = store_.FreeOrphan(ino);
    if (!all.ok()) {
      LogWarning("cannot free inode {}: {}", Raw(ino), all.error().message);
      return false;
    }
    if (*all) return true;
  }
  return true;
}

}  // namespace tarn::ops
