// Checks every invariant of a store (keys.h, layout.h), offline or while nobody changes it.
//
// What is checked: everything can be read and decoded; each name leads to an inode of its type,
// each inode has as many names as it says, or is an orphan; directories hang together from the root
// down and know their name and parent; extended attributes and contents belong to somebody; each
// file occupies what it says, with no block behind its end; counters are exact; numbers yet to be
// given out were not; sessions and kept replies are records.
// Memory is bounded: `window` inodes are looked at together, and the names walked once for each
// such window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "server/store/kv.h"

namespace tarn::store {

struct FsckOptions {
  size_t window = 4'000'000;  // some 200 bytes each
  size_t findings_max = 1'000;
};

struct FsckReport {
  uint64_t inodes = 0;
  uint64_t names = 0;
  uint64_t blocks = 0;
  uint64_t bytes = 0;                 // allocated, of what has a name
  std::vector<std::string> findings;  // a sentence each, with the path of the file
  bool more = false;                  // there were more than findings_max
};

// `kv` is the engine itself, as Store::Open takes it. REQUIRES: nothing writes meanwhile. Errors:
// EINVAL (another format version), EIO (not even the identity of the file system can be read).
Result<FsckReport> Fsck(std::unique_ptr<Kv> kv, const FsckOptions& options);

}  // namespace tarn::store
