// Reads everything that a store has, to find flipped bits before somebody needs the file.
//
// Thread safety: may run while others read and write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "server/store/kv.h"

namespace tarn::store {

struct ScrubReport {
  uint64_t bytes = 0;                 // read
  bool whole = false;                 // false: it was stopped
  std::vector<std::string> findings;  // a sentence each, with the path of the file
};

// Called whenever about a megabyte more was read, with how much; may wait. False: stop.
using ScrubPace = std::function<bool(size_t bytes)>;

// `kv` is sealed. What is read does not stay in memory; what lies there already is not read again
// from the disk.
ScrubReport Scrub(Kv& kv, uint32_t block_bytes, const ScrubPace& pace);

}  // namespace tarn::store
