// Faults that a tested side can be made to have, to prove that the comparison notices them.
#pragma once

#include <string_view>
#include <vector>

#include "tests/posix/differential/op.h"
#include "tests/posix/differential/reply.h"

namespace tarn::differential {

// Names for --inject.
std::vector<std::string_view> InjectionKinds();
bool IsInjection(std::string_view kind);

// Falsifies a step's reply, or a tree's where `op` is null, where the fault would show.
void Inject(std::string_view kind, const Op* op, Reply* reply);

}  // namespace tarn::differential
