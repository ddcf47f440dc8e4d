#include "server/store/scrub.h"

#include <optional>
#include <utility>

#include "server/store/damage.h"
#include "server/store/walk.h"

namespace tarn::store {
namespace {

constexpr size_t kPaceBytes = size_t{1} << 20;
// One look at the engine keeps what it sees alive; a new one each time that so much was read.
constexpr size_t kLookBytes = size_t{64} << 20;
constexpr size_t kFindingsMax = 1'000;

class Scrubbing {
 public:
  Scrubbing(Kv& kv, const ScrubPace& pace) : kv_(kv), pace_(pace) {}

  // False: stopped.
  bool Family(store::Family f) {
    for (std::optional<std::string> from = ""; from;) {
      ToughWalk walk(kv_, f, *std::exchange(from, std::nullopt), "", Probe::kEachKey);
      for (size_t looked = 0; walk.Next();) {
        if (walk.damage() != nullptr) {
          damages_.push_back(*walk.damage());
          continue;
        }
        const size_t size = walk.key().size() + walk.value().size();
        looked += size;
        if (!Count(size)) return false;
        if (looked < kLookBytes) continue;
        from = std::string(walk.key()) + '\0';  // the next key that can be
        break;
      }
    }
    return true;
  }

  uint64_t bytes() const { return bytes_; }
  const std::vector<Damage>& damages() const { return damages_; }

 private:
  bool Count(size_t size) {
    bytes_ += size;
    unpaced_ += size;
    return unpaced_ < kPaceBytes || pace_(std::exchange(unpaced_, 0));
  }

  Kv& kv_;
  const ScrubPace& pace_;
  uint64_t bytes_ = 0;
  size_t unpaced_ = 0;
  std::vector<Damage> damages_;
};

}  // namespace

ScrubReport Scrub(Kv& kv, uint32_t block_bytes, const ScrubPace& pace) {
  Scrubbing scrubbing(kv, pace);
  ScrubReport report;
  report.whole = true;
  for (int f = 0; report.whole && f < kFamilies; ++f) {
    report.whole = scrubbing.Family(static_cast<Family>(f));
  }
  report.bytes = scrubbing.bytes();
  report.findings = DescribeDamages(kv, block_bytes, scrubbing.damages(), kFindingsMax);
  return report;
}

}  // namespace tarn::store
