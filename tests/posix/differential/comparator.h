// Decides whether the two sides did the same.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "tests/posix/differential/op.h"
#include "tests/posix/differential/reply.h"

namespace tarn::differential {

struct Mismatch {
  std::string label;    // what differs, without values: failures with the same one are the same
  std::string message;  // with values
};

// Remembers which object of one side is which of the other, and the times last seen of each: that a
// step changed a time is comparable, the time itself only if somebody set it.
// Thread safety: none.
class Comparator {
 public:
  // "tested" is the mount, "reference" the local directory.
  std::optional<Mismatch> CompareStep(const Op& op, const Reply& tested, const Reply& reference);
  std::optional<Mismatch> CompareTree(const Reply& tested, const Reply& reference);

 private:
  struct Times {
    int64_t mtime = 0, ctime = 0;
  };
  struct Known {
    uint64_t tested_identity = 0;
    Times tested, reference;
    bool allocated = false;  // fallocate was used: sectors are not comparable
    bool copied = false;     // copy_file_range was used: holes may have stayed holes
  };

  // `op` is null for trees.
  std::optional<Mismatch> CompareObject(const Op* op, const Object& tested,
                                        const Object& reference);
  std::optional<Mismatch> CompareAttributes(const Op* op, const Object& tested,
                                            const Object& reference);
  std::optional<Mismatch> CompareTimes(const Op* op, const Object& tested, const Object& reference,
                                       Known* known);
  std::optional<Mismatch> CompareData(const Object& tested, const Object& reference);
  // The record of a pair, made if both are new. Null: they are not the same object.
  Known* Pair(const Attributes& tested, const Attributes& reference, bool* is_new);

  bool step_succeeded_ = false;  // the one whose objects are being compared
  std::unordered_map<uint64_t, Known> by_reference_;
  std::unordered_map<uint64_t, uint64_t> tested_to_reference_;
};

}  // namespace tarn::differential
