// Brings a store from an older format to this one, step by step.
//
//   1  the first
//   2  each value carries a checksum (sealed_kv.h), but in `super`
//
// A step first writes the new format version with a mark of how far it has come (`super`
// "upgrading": byte(family) key), so that no older tarnd opens what is half changed; each batch
// moves the mark, so that a crash at any moment leaves a store with which the next start goes on.
// There is no way back: who may want one keeps a copy.
// Thread safety: one caller at a time.
#pragma once

#include "common/result.h"
#include "server/store/kv.h"

namespace tarn::store {

// What an upgrade puts into one batch, at least one value.
inline constexpr size_t kUpgradeBatchBytes = size_t{1} << 20;

// `kv` is the engine itself, not sealed. Nothing happens to a store of this version, or to an empty
// engine. Durable when it returns. Errors: EINVAL (a version that this tarnd does not know: the
// message says what to do), ENOSPC, EIO.
Status Upgrade(Kv& kv, size_t batch_bytes = kUpgradeBatchBytes);

}  // namespace tarn::store
