// Encoding between the coordinator and its workers: one program, so values travel as they are.
#pragma once

#include <string.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace tarn::differential {

template <class T>
void Put(const T& value, std::string* out) {
  static_assert(std::is_trivially_copyable_v<T>);
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

inline void PutText(std::string_view text, std::string* out) {
  Put(static_cast<uint32_t>(text.size()), out);
  out->append(text);
}

// REQUIRES: `in` holds what Put wrote.
template <class T>
T Take(std::string_view* in) {
  T value{};
  memcpy(&value, in->data(), sizeof(value));
  in->remove_prefix(sizeof(value));
  return value;
}

inline std::string TakeText(std::string_view* in) {
  const auto size = Take<uint32_t>(in);
  std::string text(in->substr(0, size));
  in->remove_prefix(size);
  return text;
}

}  // namespace tarn::differential
