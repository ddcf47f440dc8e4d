// What a mount may choose of its cache.
#pragma once

#include <cstddef>

#include "client/cache/kernel.h"
#include "client/cache/write_behind.h"

namespace tarn::cache {

struct CacheOptions {
  size_t max_nodes = 131'072;  // inodes about which something is remembered under a lease
  size_t return_batch = 256;   // leases on forgotten ones go back so many at a time
  WriteBehindOptions write_behind;
  FlushOnClose flush_on_close = FlushOnClose::kClose;
  bool ignore_recalls = false;  // answers without doing: for tests, which must notice
};

}  // namespace tarn::cache
