// One step of the differential test: a system call with its arguments, and its form in a script.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tarn::differential {

inline constexpr int kProcesses = 2;  // on each side
inline constexpr int kSlots = 8;      // descriptors that a process can name

// What is looked at after a step, besides the attributes of the touched objects. Bits.
enum Observed : uint8_t { kNothing = 0, kNames = 1, kContent = 2, kXattrs = 4 };

enum class Verb : uint8_t {
#define V(id, name, arguments, observed) k##id,
#include "tests/posix/differential/verbs.inc"
#undef V
};

struct VerbInfo {
  std::string_view name;
  std::string_view arguments;
  uint8_t observed;
};
const VerbInfo& Info(Verb verb);

// Times as utimensat takes them: nanoseconds, or one of these.
inline constexpr int64_t kOmitTime = INT64_MIN;
inline constexpr int64_t kTimeNow = INT64_MIN + 1;

// Who acts. The order is part of scripts.
struct User {
  uint32_t uid;
  uint32_t gid;
  std::vector<uint32_t> groups;
};
const std::vector<User>& Users();

struct Op {
  uint8_t process = 0;
  uint8_t user = 0;  // index into Users()
  Verb verb = Verb::kClose;
  std::array<std::string, 3> text;
  std::array<int64_t, 5> number{};

  // Descriptor slots and paths among the arguments.
  std::vector<int> SlotsUsed() const;
  std::vector<std::string> Paths() const;
};

// "p0 u1000 rename "d0/a" "pub/b" RENAME_EXCHANGE"; ParseOp reads it back.
std::string FormatOp(const Op& op);
std::optional<Op> ParseOp(std::string_view line);

// A string in double quotes with everything unprintable escaped as in C.
std::string Quote(std::string_view text);

// For the socket between the coordinator and its workers.
void EncodeOp(const Op& op, std::string* out);
Op DecodeOp(std::string_view* in);

}  // namespace tarn::differential
