// What may be the name of a directory entry.
#pragma once

#include <string_view>

#include "common/result.h"

namespace tarn::posix {

// "." or "..", which are never stored. What a verb answers to them differs: each asks this first.
bool IsDots(std::string_view name);

// Errors: ENOENT (empty), ENAMETOOLONG, EINVAL ('/' or NUL inside, or "." or "..").
Status CheckName(std::string_view name);

}  // namespace tarn::posix
