#include "tests/posix/differential/known_differences.h"

namespace tarn::differential {
namespace {

constexpr uint64_t kSlackSectors = 24;  // a block of xattrs, and one of extents

}  // namespace

bool BlocksAgree(uint64_t tested, uint64_t reference) {
  if (reference == 0) return tested == 0;
  // A page of ext4 lies in one block here; a block here that is written in part may count as less.
  return tested <= 4 * reference && reference <= 8 * tested + kSlackSectors;
}

bool DetailsAgree(const Op& op, std::string_view tested, std::string_view reference) {
  if (tested == reference) return true;
  if (op.verb != Verb::kGetLock && op.verb != Verb::kGetOfdLock) return false;
  constexpr std::string_view kDescription = " of description";
  if (!reference.ends_with(kDescription)) return false;
  reference.remove_suffix(kDescription.size());
  return tested.substr(0, tested.rfind(" of ")) == reference;
}

}  // namespace tarn::differential
