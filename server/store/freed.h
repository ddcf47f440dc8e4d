// Where contents were deleted from, so that their space can be given back together: a tree of small
// files removed is a run of neighbouring data ids, worth one compaction.
//
// Thread safety: safe. Lifetime: volatile; what is forgotten here comes back with the engine's own
// compactions, only later.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "common/sync.h"
#include "common/types.h"

namespace tarn::store {

class FreedSpace {
 public:
  // Runs that are no farther apart than this become one.
  static constexpr uint64_t kGap = 16;
  // A run with fewer bytes is not worth a compaction.
  static constexpr uint64_t kWorthBytes = uint64_t{4} << 20;
  static constexpr size_t kRunsMax = 4'096;

  struct Run {
    DataId first{};
    DataId last{};
    uint64_t bytes = 0;
    bool operator==(const Run&) const = default;
  };

  void Note(DataId data, uint64_t bytes);
  // A run worth the trouble, forgotten here; nullopt: none.
  std::optional<Run> Take();

 private:
  Mutex mu_;
  std::map<uint64_t, Run> runs_ ABSL_GUARDED_BY(mu_);  // by first; disjoint, kGap apart
};

}  // namespace tarn::store
