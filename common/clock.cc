#include "common/clock.h"

#include <ctime>

namespace tarn {
namespace {

int64_t Read(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return static_cast<int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

class RealClock final : public Clock {
 public:
  Timestamp Now() override { return {Read(CLOCK_REALTIME)}; }
  int64_t BootNanos() override { return Read(CLOCK_BOOTTIME); }
};

}  // namespace

Clock& SystemClock() {
  static RealClock clock;
  return clock;
}

}  // namespace tarn
