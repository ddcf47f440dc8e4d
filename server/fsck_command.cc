#include "server/fsck_command.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <iostream>

#include "server/store/registry.h"

namespace tarn {
namespace {

enum ExitCode { kClean = 0, kFound = 1, kCannotCheck = 2 };

int Print(const store::CheckedFileSystem& checked) {
  const std::string what = fmt::format("{} ({})", checked.info.name, checked.info.id);
  if (!checked.report.ok()) {
    std::cerr << "tarnd fsck: " << what << ": " << checked.report.error().message << "\n";
    return kCannotCheck;
  }
  const store::FsckReport& report = *checked.report;
  for (const std::string& finding : report.findings) std::cout << finding << "\n";
  if (report.more) std::cout << "... and more\n";
  const std::string verdict =
      report.findings.empty()
          ? "all is well"
          : fmt::format("{}{} findings", report.more ? "more than " : "", report.findings.size());
  std::cout << fmt::format("{}: {} inodes, {} names, {} blocks, {} bytes: {}\n", what,
                           report.inodes, report.names, report.blocks, report.bytes, verdict);
  return report.findings.empty() ? kClean : kFound;
}

}  // namespace

int RunFsck(const std::string& state, const std::string& file_system,
            const store::RocksKvOptions& engine) {
  const auto checked = store::CheckStateDirectory(state, file_system, engine, {});
  if (!checked.ok()) {
    std::cerr << "tarnd fsck: " << checked.error().message << "\n";
    return kCannotCheck;
  }
  int worst = kClean;
  for (const store::CheckedFileSystem& one : *checked) worst = std::max(worst, Print(one));
  return worst;
}

}  // namespace tarn
