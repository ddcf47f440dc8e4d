// How much memory a mount may keep things in, in MiB.
#pragma once

#include <cstdint>

namespace tarn::cache {

inline constexpr uint32_t kCacheMibDefault = 256;
inline constexpr uint32_t kCacheMibMin = 16;
inline constexpr uint32_t kCacheMibMax = 1 << 20;

}  // namespace tarn::cache
