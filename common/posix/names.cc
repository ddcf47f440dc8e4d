#include "common/posix/names.h"

#include "common/limits.h"

namespace tarn::posix {

bool IsDots(std::string_view name) {
  return name == "." || name == "..";
}

Status CheckName(std::string_view name) {
  if (name.empty()) return Errno::kENOENT;
  if (name.size() > kNameMaxBytes) return Errno::kENAMETOOLONG;
  if (name.find('/') != name.npos || name.find('\0') != name.npos) return Errno::kEINVAL;
  if (IsDots(name)) return Errno::kEINVAL;
  return Ok();
}

}  // namespace tarn::posix
