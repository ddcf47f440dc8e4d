// Keeps a part of the disk free of file contents: an engine on a full disk can write nothing at
// all, not even the deletions that would free it.
//
// Thread safety: safe. The check is rough, by some megabytes for each thread that writes.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "common/result.h"

namespace tarn::store {

class DiskReserve {
 public:
  // How much may be written between two looks at the disk.
  static constexpr int64_t kStrideBytes = int64_t{16} << 20;

  DiskReserve(std::string dir, uint64_t reserve_bytes)
      : dir_(std::move(dir)), reserve_bytes_(reserve_bytes) {}

  // Before contents of so many bytes are written. Errors: ENOSPC (only the reserve is left).
  Status Take(uint64_t bytes);

 private:
  const std::string dir_;
  const uint64_t reserve_bytes_;
  std::atomic<int64_t> allowance_{0};  // may be written without another look
};

}  // namespace tarn::store
