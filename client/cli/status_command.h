// `tarn status`.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "client/cli/environment.h"

namespace tarn::cli {

// "999 B", "1.5 MiB".
std::string HumanBytes(uint64_t bytes);
void PrintFileSystems(const std::vector<FileSystemRow>& rows, std::ostream& out);

// Prints the file systems of a server. Returns an exit code.
int RunStatus(const std::string& server, const Environment& environment);

}  // namespace tarn::cli
