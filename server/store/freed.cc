#include "server/store/freed.h"

#include <algorithm>
#include <iterator>

namespace tarn::store {

void FreedSpace::Note(DataId data, uint64_t bytes) {
  if (bytes == 0) return;
  MutexLock lock(&mu_);
  Run run{data, data, bytes};
  auto after = runs_.upper_bound(Raw(data));
  if (after != runs_.end() && Raw(after->second.first) - Raw(data) <= kGap) {
    run.last = after->second.last;
    run.bytes += after->second.bytes;
    after = runs_.erase(after);
  }
  if (after != runs_.begin()) {
    Run& before = std::prev(after)->second;
    if (Raw(data) <= Raw(before.last) + kGap) {
      before.last = std::max(before.last, run.last);
      before.bytes += run.bytes;
      return;
    }
  }
  if (runs_.size() >= kRunsMax) runs_.erase(runs_.begin());
  runs_[Raw(run.first)] = run;
}

std::optional<FreedSpace::Run> FreedSpace::Take() {
  MutexLock lock(&mu_);
  for (auto it = runs_.begin(); it != runs_.end(); ++it) {
    if (it->second.bytes < kWorthBytes) continue;
    Run run = it->second;
    runs_.erase(it);
    return run;
  }
  return std::nullopt;
}

}  // namespace tarn::store
