// A clock that moves only when told to.
#pragma once

#include <atomic>

#include "common/clock.h"

namespace tarn::testing {

// Thread safety: safe. Both clocks start at fixed values and advance together.
class FakeClock : public Clock {
 public:
  Timestamp Now() override { return {kStartNanos + passed_.load()}; }
  int64_t BootNanos() override { return kBootNanos + passed_.load(); }
  void Advance(int64_t nanos) { passed_.fetch_add(nanos); }

 private:
  static constexpr int64_t kStartNanos = 1'700'000'000'000'000'000;
  static constexpr int64_t kBootNanos = 1'000'000'000'000;
  std::atomic<int64_t> passed_{0};
};

}  // namespace tarn::testing
