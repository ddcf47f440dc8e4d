// Random system calls, the same on two file systems, with the answers compared.
#pragma once

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/support/subject.h"

namespace tarn::testing {

// One call with all that it needs, so that it can be run on any Subject and printed.
struct RandomOp {
  enum class Kind {
    kMakeDir,
    kMakeNode,
    kSymLink,
    kLink,
    kUnlink,
    kRemoveDir,
    kRename,
    kStat,
    kReadLink,
    kChmod,
    kChown,
    kSetTimes,
    kTruncate,
    kAccess,
    kGetXattr,
    kSetXattr,
    kListXattr,
    kRemoveXattr,
    kOpen,
    kClose,
    kRead,
    kWrite,
    kAppend,
    kFStat,
    kFTruncate,
    kAllocate,
    kCopyRange,
    kList,
    kPut,
    kCount,
  };
  Kind kind{};
  int user = 0;         // index into the players
  std::string a, b;     // paths
  int fd = 0, fd2 = 0;  // slots of open files
  int flags = 0;
  uint32_t mode = 0;
  uint64_t offset = 0, offset2 = 0;
  size_t size = 0;
  unsigned seed = 0;  // of the data
  std::string ToString() const;
};

struct RandomOptions {
  // On a mount the kernel adds rules for other people's files in sticky directories
  // (fs.protected_regular and its kin) and clears set-id bits in its own way.
  bool special_modes = true;
};

// Makes operations that collide: few names, few levels, few descriptors.
class RandomOps {
 public:
  RandomOps(unsigned seed, RandomOptions options) : engine_(seed), options_(options) {}
  RandomOp Next();

 private:
  int Below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(engine_); }
  bool OneIn(int n) { return Below(n) == 0; }
  std::string Path();
  uint32_t Mode(bool for_dir);
  uint64_t Offset();

  std::mt19937 engine_;
  const RandomOptions options_;
};

// Some users with processes and open files on one subject.
class Players {
 public:
  explicit Players(Subject& subject);
  // Does it and says what came out: an errno, or all that was answered.
  std::string Run(const RandomOp& op);
  Process& root() { return *processes_[0]; }
  // What a path is, in the eyes of open(2).
  Result<Attr> Look(const std::string& path) { return root().Stat(path); }

 private:
  struct Slot {
    int user = 0;
    Fd fd{};
  };
  std::string RunOnNames(const RandomOp& op, Process& process);
  std::string RunOnAttributes(const RandomOp& op, Process& process);
  std::string RunOnFiles(const RandomOp& op);
  std::string RunOpen(const RandomOp& op, Process& process);

  std::vector<std::unique_ptr<Process>> processes_;
  std::map<int, Slot> open_;
};

// The whole tree, each path with everything that programs can see of it but times and numbers.
std::map<std::string, std::string> DescribeTree(Process& root);
// The first difference of two trees, or "".
std::string FirstDifference(const std::map<std::string, std::string>& one,
                            const std::map<std::string, std::string>& two);

}  // namespace tarn::testing
