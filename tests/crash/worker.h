// A program that works in a directory of its own and knows all that it was told is done.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "tests/crash/crash.h"

namespace tarn::testing {

using Random = std::mt19937_64;

// What all workers of a test do together, in the directory "shared".
struct Shared {
  static constexpr size_t kClaims = 4096;
  std::atomic<uint64_t> changes{0};  // that were acknowledged, of all workers
  std::atomic<bool> held{false};     // somebody has the lock
  std::atomic<uint64_t> rounds{0};   // increments of "counter", each under the lock
  std::array<std::atomic<int>, kClaims>
      winners{};  // exclusive creations of one name that succeeded
};

// Thread safety: Step by one thread; LookFrom and CheckAll by any.
// Invariants: what `names_` says is what every mount must show while mu_ is held: no change is
// under way then, and each of the past was acknowledged.
class Worker {
 public:
  // Works through the mounts at `roots`, mostly the first. REQUIRES: there is a directory "shared".
  Worker(std::vector<std::string> roots, int id, Shared& shared);

  // One random change, or use of what is open, on one mount. "" or what went wrong.
  std::string Step(Random& random);
  // Looks at something of this worker through the mount at `root`.
  std::string LookFrom(const std::string& root, Random& random);
  // Everything is there exactly once, seen through `root`.
  std::string CheckAll(const std::string& root);
  // Records of this worker in "shared/log".
  int logged() const { return logged_; }
  int claimed() const { return next_claim_; }
  void CloseAll() { opens_.clear(); }
  static std::string Record(int worker, int number);

 private:
  struct Inode {
    std::string content;  // of a symbolic link: its target
    size_t links = 0;
    bool symlink = false;
  };
  using InodeRef = std::shared_ptr<Inode>;
  using Names = std::map<std::string, InodeRef>;
  struct OpenFile {
    Fd fd;
    InodeRef inode;
  };
  using Action = std::string (Worker::*)(Random&);

  std::string Dir(const std::string& root) const { return root + "/w" + std::to_string(id_) + "/"; }
  std::string PathOf(const std::string& name) const { return Dir(root_) + name; }
  Names::iterator Some(Random& random);
  Names::iterator SomeFile(Random& random);  // no symbolic link; end: there is none
  std::string NewName() { return "n" + std::to_string(next_name_++); }
  void Drop(const InodeRef& inode) { --inode->links; }
  std::string Done();  // counts an acknowledged change
  std::string CheckOne(const std::string& root, const std::string& name, const Inode& inode) const;

  std::string Create(Random& random);
  std::string MakeSymLink(Random& random);
  std::string RenameOne(Random& random);
  std::string LinkOne(Random& random);
  std::string UnlinkOne(Random& random);
  std::string AppendToOne(Random& random);
  std::string Overwrite(Random& random);
  std::string Truncate(Random& random);
  std::string MakeAndRemoveDir(Random& random);
  std::string OpenOne(Random& random);  // and looks at nothing yet
  std::string UseOpen(Random& random);
  std::string Log(Random& random);
  std::string Claim(Random& random);
  std::string CountUnderLock(Random& random);

  const std::vector<std::string> roots_;
  const int id_;
  Shared& shared_;

  std::mutex mu_;
  // Guarded by mu_.
  Names names_;
  std::vector<std::string> gone_;  // some names that were removed or renamed, never used again
  std::vector<OpenFile> opens_;
  int next_name_ = 0;
  // Used by Step alone.
  std::string root_;  // where the present step works
  int logged_ = 0;
  int next_claim_ = 0;
};

}  // namespace tarn::testing
