// Numbers that are given out once: inode numbers and data ids.
//
// Thread safety: safe. Lifetime: not beyond its Kv.
// Invariants: `super` holds, durably, a bound above every number given out; after a crash counting
// goes on from the bound, so that a number lost with the power is not given out again either.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "common/sync.h"
#include "common/result.h"
#include "server/store/kv.h"

namespace tarn::store {

class IdAllocator {
 public:
  // How far the stored bound is moved at a time: one sync for so many numbers.
  static constexpr uint64_t kStride = 65'536;

  // Gives out numbers from `next` on; `bound` is what is stored durably under `key` of `super`.
  IdAllocator(Kv& kv, std::string key, uint64_t next, uint64_t bound)
      : kv_(kv), key_(std::move(key)), next_(next), bound_(bound) {}

  // Errors: kBlocked (kMemoryOnly, and the bound must be moved first), ENOSPC, EIO.
  Result<uint64_t> Next(Tier tier);
  // The number that would come next; exact when nobody else allocates.
  uint64_t next() const { return next_.load(); }

 private:
  Status MoveBound();

  Kv& kv_;
  const std::string key_;
  Mutex mu_;  // held by whoever moves the bound
  std::atomic<uint64_t> next_;
  std::atomic<uint64_t> bound_;
};

}  // namespace tarn::store
