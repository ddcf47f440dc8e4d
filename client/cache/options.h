// What a mount may choose of its cache.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "client/cache/kernel.h"
#include "client/cache/write_behind.h"
#include "common/limits.h"

namespace tarn::cache {

struct CacheOptions {
  static constexpr size_t kBytes = size_t{kCacheMibDefault} << 20;

  size_t max_table_bytes = kBytes / 2;
  size_t max_contents_bytes = kBytes / 16;
  size_t return_batch = 256;   // leases on forgotten ones go back so many at a time
  WriteBehindOptions write_behind;
  FlushOnClose flush_on_close = FlushOnClose::kClose;
  bool ignore_recalls = false;  // answers without doing: for tests, which must notice

  // Names and attributes get half of it, data that is not told yet a quarter, contents of small
  // files a sixteenth; the rest is for what goes with them.
  void SetMemory(uint32_t mib) {
    const size_t bytes = size_t{mib} << 20;
    max_table_bytes = bytes / 2;
    max_contents_bytes = bytes / 16;
    write_behind.max_bytes = bytes / 4;
    write_behind.max_file_bytes = std::min(write_behind.max_file_bytes, bytes / 4);
  }
};

}  // namespace tarn::cache
