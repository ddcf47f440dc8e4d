// Looks at the objects that a step touched, and at whole trees, as root and without changing them.
#pragma once

#include <vector>

#include "tests/posix/differential/calls.h"

namespace tarn::differential {

// What `op` named: its paths, their parents, what symbolic links among them lead to, descriptors.
std::vector<Object> ObserveStep(const Op& op, const Answer& answer, const Process& process);

// Everything below the current directory, itself included, with content, xattrs and listings.
std::vector<Object> ObserveTree(const Process& process);

}  // namespace tarn::differential
