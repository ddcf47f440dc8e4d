// A Kv that checks what it reads: each value carries a checksum of itself, its key and its family,
// made when it was written and taken off when it is read.
//
// The engine has checksums of its own, of what it has on disk. This one also covers what the engine
// does with a value in memory on the way there and back, and a value that is handed out under
// another's key. `super` is left alone: its counters are summed by the engine, and its format
// version must be readable to every version.
// Thread safety, lifetime: as the Kv below. Errors: as the Kv below; EIO where a checksum is wrong.
#pragma once

#include <memory>

#include "server/store/kv.h"

namespace tarn::store {

inline constexpr size_t kSealBytes = 8;

bool IsSealed(Family f);
// `value` with its checksum behind it. REQUIRES: IsSealed(f).
Bytes Seal(Family f, std::string_view key, Bytes value);
// The value within, or EIO.
Result<std::string_view> Unseal(Family f, std::string_view key, std::string_view sealed);

std::unique_ptr<Kv> MakeSealedKv(std::unique_ptr<Kv> below);

}  // namespace tarn::store
