// Random steps: the same ones for the same seed on the same kind of reference file system.
#pragma once

#include <array>
#include <random>
#include <string>
#include <vector>

#include "tests/posix/differential/op.h"

namespace tarn::differential {

// Names are few, and those that exist and descriptors that are open are preferred, so that steps
// meet and mostly succeed.
// Thread safety: none.
class Generator {
 public:
  explicit Generator(uint64_t seed);

  // The first calls make the directories that all later steps work in.
  Op Next();

  // How a step went (0: success). Steps may be asked for before all earlier ones are told about.
  void Learn(const Op& op, int error);

 private:
  using Fill = void (Generator::*)(Op* op);
  struct Choice {
    Verb verb;
    int weight;
    Fill fill;
  };
  static const std::vector<Choice>& Choices();

  uint64_t Below(uint64_t bound);
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  template <class T, size_t N>
  const T& Pick(const T (&values)[N]) {
    return values[Below(N)];
  }

  std::string Name();
  std::string Directory();
  std::string Path();     // often one used lately
  std::string File();     // the same, seldom a directory
  std::string NewPath();  // to be made
  int64_t Slot();
  int64_t Mode();
  int64_t Offset();
  int64_t Length();
  int64_t Time();
  std::string Acl();
  void Xattr(std::string* name, std::string* value);

  void FillOpen(Op* op);
  void FillTmpFile(Op* op);
  void FillDescriptor(Op* op);  // slots, lengths, offsets, seeds: whatever the arguments ask for
  void FillSeek(Op* op);
  void FillAllocate(Op* op);
  void FillPath(Op* op);  // one path, and a mode or size if asked for
  void FillNewPath(Op* op);
  void FillTwoPaths(Op* op);
  void FillSymLink(Op* op);
  void FillMakeNode(Op* op);
  void FillOwner(Op* op);
  void FillTimes(Op* op);
  void FillAccess(Op* op);
  void FillXattr(Op* op);
  void FillLock(Op* op);

  void Forget(const std::string& path);

  std::mt19937_64 random_;
  std::vector<Op> prelude_;  // reversed: taken from the back
  size_t steps_ = 0;
  std::vector<std::string> recent_;
  std::vector<std::string> existing_;     // paths believed to exist
  std::vector<std::string> directories_;  // and that are directories, with a slash at the end
  std::array<std::array<bool, kSlots>, kProcesses> open_{};
  uint8_t process_ = 0;
  uint8_t user_ = 0;
};

}  // namespace tarn::differential
