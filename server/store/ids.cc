#include "server/store/ids.h"

#include "server/store/keys.h"

namespace tarn::store {

Result<uint64_t> IdAllocator::Next(Tier tier) {
  for (;;) {
    uint64_t next = next_.load();
    if (next < bound_.load()) {
      if (next_.compare_exchange_weak(next, next + 1)) return next;
      continue;
    }
    if (tier == Tier::kMemoryOnly) return Errno::kBlocked;
    RETURN_IF_ERROR(MoveBound());
  }
}

Status IdAllocator::MoveBound() {
  MutexLock lock(&mu_);
  const uint64_t bound = bound_.load();
  if (next_.load() < bound) return Ok();  // somebody else was faster
  Batch batch;
  batch.Put(Family::kSuper, key_, Bytes::FromString(Be64(bound + kStride)));
  RETURN_IF_ERROR(kv_.Write(batch, Tier::kMayBlock));
  RETURN_IF_ERROR(kv_.SyncWal());
  bound_.store(bound + kStride);
  return Ok();
}

}  // namespace tarn::store
