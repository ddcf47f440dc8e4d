#include "server/ops/latches.h"

#include <algorithm>

namespace tarn::ops {

// The set of stripes held is data, which thread-safety analysis cannot follow.

bool LatchSet::Acquire() {
  missed_ = false;
  std::sort(wanted_.begin(), wanted_.end());
  wanted_.erase(std::unique(wanted_.begin(), wanted_.end()), wanted_.end());
  for (Latches::Rank rank : wanted_) {
    if (!Lock(latches_.stripes_[rank])) {
      Release();
      return false;
    }
    NoteHeld(rank);
  }
  return true;
}

bool LatchSet::Reach(Latches::Rank rank) {
  if (is_held_[rank]) return true;
  Latches::Stripe& stripe = latches_.stripes_[rank];
  const bool in_order = held_.empty() || rank > highest_;
  const bool got = in_order ? Lock(stripe) : TryLock(stripe);
  wanted_.push_back(rank);
  if (got) {
    NoteHeld(rank);
  } else {
    missed_ = true;
  }
  return got;
}

void LatchSet::Release() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (Latches::Rank rank : held_) {
    Latches::Stripe& stripe = latches_.stripes_[rank];
    if (mode_ == Mode::kShared) {
      stripe.mu.ReaderUnlock();
    } else {
      stripe.mu.Unlock();
    }
    if (patience_ == Patience::kLong) stripe.slow.fetch_sub(1, std::memory_order_relaxed);
    is_held_.reset(rank);
  }
  held_.clear();
  highest_ = 0;
}

bool LatchSet::TryLock(Latches::Stripe& stripe) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const bool got = mode_ == Mode::kShared ? stripe.mu.ReaderTryLock() : stripe.mu.TryLock();
  if (got && patience_ == Patience::kLong) stripe.slow.fetch_add(1, std::memory_order_relaxed);
  return got;
}

bool LatchSet::Lock(Latches::Stripe& stripe) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (TryLock(stripe)) return true;
  if (patience_ == Patience::kLong) {
    stripe.slow.fetch_add(1, std::memory_order_relaxed);
  } else if (stripe.slow.load(std::memory_order_relaxed) != 0) {
    return false;
  }
  if (mode_ == Mode::kShared) {
    stripe.mu.ReaderLock();
  } else {
    stripe.mu.Lock();
  }
  return true;
}

void LatchSet::NoteHeld(Latches::Rank rank) {
  held_.push_back(rank);
  is_held_.set(rank);
  highest_ = std::max(highest_, rank);
}

}  // namespace tarn::ops
