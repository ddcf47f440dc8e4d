// Symbolic names of the flag arguments, for scripts that people read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tarn::differential {

// `kind` is an argument letter of verbs.inc. Unknown bits come out as a number; both forms parse.
std::string FormatFlags(char kind, int64_t value);
std::optional<int64_t> ParseFlags(char kind, std::string_view text);

// "ENOENT"; numbers without a name as they are.
std::string ErrorName(int error);

}  // namespace tarn::differential
