// Waiting for what another process brings about. A condition that somebody can signal needs no
// such thing; this is for states that can only be looked at (a mount, a counter, a process).
#pragma once

#include <poll.h>

#include <chrono>

namespace tarn::testing {

inline constexpr std::chrono::seconds kPatience{60};  // far beyond anything that should take time

// Looks at `condition` until it is true; false when it never was within `limit`.
template <class Condition>
bool Eventually(Condition condition, std::chrono::milliseconds limit = kPatience) {
  constexpr int kTickMillis = 5;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return condition();
    poll(nullptr, 0, kTickMillis);
  }
  return true;
}

}  // namespace tarn::testing
