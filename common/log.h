// One-line logs to standard error (spdlog behind). Use fmt syntax: LogInfo("mounted {}", dir).
#pragma once

#include <spdlog/spdlog.h>

#include <string>

#include "common/result.h"

namespace tarn {

template <class... A>
void LogDebug(fmt::format_string<A...> f, A&&... a) { spdlog::debug(f, std::forward<A>(a)...); }
template <class... A>
void LogInfo(fmt::format_string<A...> f, A&&... a) { spdlog::info(f, std::forward<A>(a)...); }
template <class... A>
void LogWarning(fmt::format_string<A...> f, A&&... a) { spdlog::warn(f, std::forward<A>(a)...); }
template <class... A>
void LogError(fmt::format_string<A...> f, A&&... a) { spdlog::error(f, std::forward<A>(a)...); }

// Sets up the process's log: `program` in every line, level one of debug, info, warning, error.
// Errors: EINVAL for another level. Call once, early in main.
Status StartLog(const std::string& program, const std::string& level);

}  // namespace tarn
