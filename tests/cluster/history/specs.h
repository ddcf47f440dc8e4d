// What the recorded histories are histories of: registers, small directories, logs, locks.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/cluster/history/linearize.h"

namespace tarn::testing {

// One value that is set and read: a file's content, its size, a time of it.
struct RegisterSpec {
  using State = uint64_t;
  struct Op : Interval {
    bool is_write = false;
    uint64_t value = 0;
  };
  static bool Apply(const Op& op, State& state);
  static std::string Describe(const Op& op);
};

inline constexpr size_t kNames = 3;

// A directory of few names. Only what the kernel does by one request is one operation: unlink,
// create and rename (never over another name: the kernel itself compares the two inodes, which it
// looked up one after the other) name their entries; kLink, kChmod and kAttr act on an inode that
// the caller has open. A listing is taken apart into one kLook of each name, in lanes of their own:
// POSIX lets each entry be looked at by itself.
struct DirectorySpec {
  struct Entry {
    uint64_t ino = 0;  // 0: absent
    uint32_t mode = 0;
    auto operator<=>(const Entry&) const = default;
  };
  using State = std::array<Entry, kNames>;
  enum class Kind { kCreate, kUnlink, kRename, kLink, kChmod, kAttr, kLook };
  struct Op : Interval {
    Kind kind = Kind::kLook;
    size_t name = 0;     // of all but kChmod and kAttr; kLink: the new name
    size_t to = 0;       // of kRename
    uint64_t ino = 0;    // made, acted on or seen; kLook: 0 absent
    uint32_t mode = 0;   // set or seen
    uint32_t links = 0;  // seen by kAttr
    int error = 0;
  };
  static bool Apply(const Op& op, State& state);
  static std::string Describe(const Op& op);
};

// Records, each appended once.
struct AppendOp : Interval {
  uint64_t record = 0;
};
// A read of the whole log.
struct LogRead : Interval {
  std::vector<uint64_t> records;
};
// Each acknowledged record is in `log` once and nothing else is; their order is that of real time;
// reads show a beginning of it with all that was there before, nothing that came later, and never
// less than an earlier read. "" or what is wrong.
std::string CheckLog(const std::vector<AppendOp>& appends, const std::vector<LogRead>& reads,
                     const std::vector<uint64_t>& log);

// No two of them overlap. "" or what is wrong.
std::string CheckExclusion(std::vector<Interval> held);

}  // namespace tarn::testing
