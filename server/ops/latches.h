// Latches: short-term ordering of operations that touch the same inodes.
//
// Inodes share a fixed number of reader/writer stripes. An operation's LatchSet takes the stripes
// of the inodes it knows in ascending order, then runs; inodes that it meets on its way are taken
// in place where that cannot deadlock, else the operation is given up, and run again with all that
// it has met taken in order. A latch is never held while waiting for a client, a lock or a lease.
//
// Threads that serve requests must not wait behind the disk: stripes that an operation of the pool
// holds or waits for are marked slow, and a brief LatchSet refuses to wait for such a one.
//
// Thread safety: Latches is safe; a LatchSet belongs to one thread.
// Lock order: latches come before every other mutex of the server; within them ascending rank, the
// rename latch first.
#pragma once

#include <array>
#include <atomic>
#include <bitset>
#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "common/sync.h"
#include "common/types.h"

namespace tarn::ops {

class Latches {
 public:
  // Position in the order: 0 is the rename latch, which keeps the paths to directories as they are
  // while one moves between parents; 1.. are the stripes.
  using Rank = uint16_t;
  static constexpr Rank kRename = 0;
  static constexpr size_t kStripes = 4096;
  static constexpr size_t kRanks = kStripes + 1;
  static Rank RankOf(Ino ino) { return static_cast<Rank>(1 + Raw(ino) % kStripes); }

 private:
  friend class LatchSet;
  struct alignas(64) Stripe {
    Mutex mu;
    std::atomic<uint32_t> slow{0};  // operations of the pool that hold it or wait for it
  };
  std::array<Stripe, kRanks> stripes_;
};

class LatchSet {
 public:
  enum class Mode : uint8_t { kShared, kExclusive };
  // kBrief: waits for holders that run from memory only. kLong: waits for any.
  enum class Patience : uint8_t { kBrief, kLong };
  using Ranks = absl::InlinedVector<Latches::Rank, 12>;

  LatchSet(Latches& latches, Mode mode, Patience patience, Ranks wanted)
      : latches_(latches), mode_(mode), patience_(patience), wanted_(std::move(wanted)) {}
  ~LatchSet() { Release(); }
  LatchSet(const LatchSet&) = delete;
  LatchSet& operator=(const LatchSet&) = delete;

  // What has been wanted or met so far, for a LatchSet that goes on elsewhere.
  const Ranks& wanted() const { return wanted_; }

  // Takes all that is wanted, in order. REQUIRES: nothing is held. False (nothing is held): one is
  // slow, and this set is brief.
  bool Acquire();
  // True: held, before or now. False: not to be had without breaking the order or waiting; it is
  // now wanted: give up, Release, Acquire and begin again.
  bool Reach(Latches::Rank rank);
  // Whether Reach has failed since the last Acquire.
  bool missed() const { return missed_; }
  void Release();

 private:
  bool TryLock(Latches::Stripe& stripe);
  // False: slow.
  bool Lock(Latches::Stripe& stripe);
  void NoteHeld(Latches::Rank rank);

  Latches& latches_;
  const Mode mode_;
  const Patience patience_;
  Ranks wanted_;
  Ranks held_;
  std::bitset<Latches::kRanks> is_held_;
  Latches::Rank highest_ = 0;  // of those held
  bool missed_ = false;
};

}  // namespace tarn::ops
