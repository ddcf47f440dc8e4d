// Scrubs a file system now and then, slowly, and says in the log which files suffered.
//
// Thread safety: safe. Lifetime: the destructor stops a scrub that runs; not beyond the store.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "absl/time/time.h"
#include "common/sync.h"
#include "server/store/store.h"

namespace tarn::ops {

struct ScrubberOptions {
  absl::Duration interval = absl::Hours(24 * 7);  // from end to beginning, and before the first
  uint64_t bytes_per_second = uint64_t{16} << 20;
};

class Scrubber {
 public:
  Scrubber(store::Store& store, const ScrubberOptions& options);
  ~Scrubber();
  Scrubber(const Scrubber&) = delete;
  Scrubber& operator=(const Scrubber&) = delete;

  // Since the start: scrubs that came to their end, and sentences that they said.
  uint64_t scrubs() const { return scrubs_.load(); }
  uint64_t findings() const { return findings_.load(); }

 private:
  void Work();
  void Scrub();
  // False: it is time to stop.
  bool Pause(absl::Duration duration);

  store::Store& store_;
  const ScrubberOptions options_;
  std::atomic<uint64_t> scrubs_{0};
  std::atomic<uint64_t> findings_{0};
  Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace tarn::ops
