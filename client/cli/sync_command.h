// `tarn sync`.
#pragma once

#include <string>

namespace tarn::cli {

// Waits until everything that the mount with `directory` in it has acknowledged would survive power
// loss of the server. Prints what went wrong; returns an exit code.
int RunSync(const std::string& directory);

}  // namespace tarn::cli
