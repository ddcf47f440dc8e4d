#include "common/log.h"

#include <spdlog/sinks/stdout_sinks.h>

namespace tarn {

Status StartLog(const std::string& program, const std::string& level) {
  auto parsed = spdlog::level::from_str(level);
  if (parsed == spdlog::level::off && level != "off") {
    return Error(Errno::kEINVAL,
                 "log level '" + level + "' is none of debug, info, warning, error, off");
  }
  auto logger = spdlog::stderr_logger_mt(program);
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %n[%P] %l: %v");
  logger->set_level(parsed);
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(logger);
  return Ok();
}

}  // namespace tarn
