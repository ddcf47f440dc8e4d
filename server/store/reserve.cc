#include "server/store/reserve.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

namespace tarn::store {

Status DiskReserve::Take(uint64_t bytes) {
  const auto wanted = static_cast<int64_t>(bytes);
  if (wanted == 0 || allowance_.fetch_sub(wanted) >= wanted) return Ok();
  struct statvfs disk = {};
  if (statvfs(dir_.c_str(), &disk) != 0) return Ok();  // the write itself will tell
  const uint64_t free = uint64_t{disk.f_bavail} * disk.f_frsize;
  if (free < reserve_bytes_ + bytes) {
    return Error(Errno::kENOSPC, fmt::format("the disk of {} has {} MiB left, which are kept for "
                                             "deletions", dir_, free >> 20));
  }
  allowance_.store(kStrideBytes);
  return Ok();
}

}  // namespace tarn::store
