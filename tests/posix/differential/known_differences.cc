#include "tests/posix/differential/known_differences.h"

namespace tarn::differential {
namespace {

constexpr uint64_t kSlackSectors = 24;  // a block of xattrs, and one of extents
constexpr uint64_t kBlockSectors = 32;  // one block here

}  // namespace

bool BlocksAgree(uint64_t tested, uint64_t reference, bool holes_kept) {
  // Where a file ends in a hole of ext4, that page may share its block here with data cut off.
  if (reference == 0) return tested <= kBlockSectors;
  // A page of ext4 lies in one block here; a block here that is written in part may count as less.
  return tested <= 4 * reference && (holes_kept || reference <= 8 * tested + kSlackSectors);
}

bool DetailsAgree(const Op& op, std::string_view tested, std::string_view reference) {
  if (tested == reference) return true;
  const auto without_holder = [](std::string_view text) {
    return text.substr(0, text.rfind(" of "));
  };
  if (op.verb == Verb::kGetLock && !reference.ends_with(" of description")) return false;
  if (op.verb != Verb::kGetLock && op.verb != Verb::kGetOfdLock) return false;
  return without_holder(tested) == without_holder(reference);
}

bool MayChangeCtime(const Op& op) {
  switch (op.verb) {
    case Verb::kSetXattr:
    case Verb::kSetXattrLink:
    case Verb::kSetXattrDescriptor:
    case Verb::kRemoveXattr:
      return true;
    default:
      return false;
  }
}

}  // namespace tarn::differential
