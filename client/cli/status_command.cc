#include "client/cli/status_command.h"

#include <algorithm>
#include <array>
#include <iomanip>
#include <iostream>
#include <sstream>

namespace tarn::cli {

std::string HumanBytes(uint64_t bytes) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  std::ostringstream out;
  out << std::fixed << std::setprecision(unit == 0 ? 0 : 1) << value << " " << kUnits[unit];
  return out.str();
}

void PrintFileSystems(const std::vector<FileSystemRow>& rows, std::ostream& out) {
  using Line = std::array<std::string, 5>;
  std::vector<Line> lines = {{"NAME", "ID", "USED", "INODES", "MOUNTS"}};
  for (const FileSystemRow& row : rows) {
    lines.push_back({row.name, row.id, HumanBytes(row.bytes_used), std::to_string(row.inodes_used),
                     std::to_string(row.sessions)});
  }
  std::array<size_t, 5> widths{};
  for (const Line& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  for (const Line& line : lines) {
    // Names to the left, numbers to the right.
    for (size_t i = 0; i < line.size(); ++i) {
      out << (i == 0 ? "" : "  ") << (i < 2 ? std::left : std::right)
          << std::setw(static_cast<int>(widths[i])) << line[i];
    }
    out << "\n";
  }
}

int RunStatus(const std::string& server, const Environment& environment) {
  auto address = ParseServerAddress(server);
  if (!address.ok()) {
    std::cerr << "tarn status: " << address.error().message << "\n";
    return kExitUsage;
  }
  auto rows = environment.describe(*address);
  if (!rows.ok()) {
    std::cerr << "tarn status: " << rows.error().message << "\n";
    return kExitFailure;
  }
  PrintFileSystems(*rows, std::cout);
  return kExitOk;
}

}  // namespace tarn::cli
