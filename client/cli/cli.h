// The command line: `tarn COMMAND …`, and mount.tarn as mount(8) calls it.
#pragma once

#include "client/cli/environment.h"

namespace tarn::cli {

// Parses, runs, prints; returns the exit code. The program's name decides: under the name
// mount.tarn it is mount(8)'s helper.
int Main(int argc, char** argv, const Environment& environment);

}  // namespace tarn::cli
