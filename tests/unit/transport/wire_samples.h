// Fills any message of ours with values that are valid and tell its fields apart, so that a
// conversion can be tried for all verbs at once: Take, Fill, compare.
#pragma once

#include <google/protobuf/message.h>

namespace tarn::testing {

// Every field but `header` (and `head`) is set, recursively; repeated ones hold two.
void FillSample(google::protobuf::Message& message);

}  // namespace tarn::testing
