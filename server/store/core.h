// What a store and its transactions share: the engine, the identity, and what of `super` is kept in
// memory.
//
// Thread safety: safe; identity does not change. Lifetime: owned by the store.
// Invariants: `bytes` and `inodes` are the counters of `super` after every batch that was written.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "common/clock.h"
#include "common/limits.h"
#include "server/store/freed.h"
#include "server/store/ids.h"
#include "server/store/kv.h"
#include "server/store/store.h"
#include "server/store/sync.h"

namespace tarn::store {

// What is in `super` when the store opens.
struct SuperState {
  Identity identity;
  uint64_t next_ino = 0, ino_bound = 0;
  uint64_t next_data = 0, data_bound = 0;
  int64_t bytes = 0;
  int64_t inodes = 0;
};

struct StoreCore {
  StoreCore(std::unique_ptr<Kv> engine, Clock& the_clock, const SuperState& state);

  // Writes a batch, and notes that there is something to sync. Errors: as Kv::Write.
  Status Write(const Batch& batch, Tier tier);

  const std::unique_ptr<Kv> kv;
  Clock& clock;
  const Identity identity;
  Limits limits;  // set before the first transaction
  IdAllocator inos;
  IdAllocator data_ids;
  std::atomic<int64_t> bytes;
  std::atomic<int64_t> inodes;
  FreedSpace freed;
  WalSync sync;  // last: its thread uses the engine
};

}  // namespace tarn::store
