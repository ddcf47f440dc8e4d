// The parts of fsck: one pass after the other over the families. Private to fsck_*.cc.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "server/store/fsck.h"
#include "server/store/layout.h"
#include "server/store/paths.h"
#include "server/store/records.h"
#include "server/store/walk.h"

namespace tarn::store {

class Checker {
 public:
  Checker(Kv& kv, const FsckOptions& options, const Identity& identity)
      : kv_(kv), options_(options), identity_(identity), layout_(identity.block_bytes) {}

  FsckReport Run();

 private:
  // What is remembered of an inode while its names are counted.
  struct Note {
    uint64_t ino = 0;
    uint32_t nlink = 0;
    uint32_t names = 0;
    uint32_t subdirs = 0;
    FileType type{};
    bool orphan = false;
    bool no_xattrs = false;
  };
  // What is remembered of a file while its blocks are counted.
  struct Contents {
    uint64_t data = 0;
    uint64_t ino = 0;
    uint64_t size = 0;
    uint64_t allocated = 0;
    uint64_t found = 0;
    bool doubtful = false;  // part of it could not be read
  };
  struct Usage {
    int64_t bytes = 0;
    int64_t inodes = 0;
  };
  using Stretch = std::pair<uint64_t, uint64_t>;  // first and last number of what cannot be read

  // ---- findings ----
  void Find(std::string sentence);
  void FindOf(uint64_t ino, std::string what);  // the path is put in front at the end
  // Notes the walk's damage; false: it is at an entry.
  bool IsDamage(const ToughWalk& walk);
  static bool Within(const std::vector<Stretch>& stretches, uint64_t number);
  void NameFindings();

  // ---- fsck_names.cc ----
  void CheckNames();
  // Takes the next window of inodes; false: there is none. [first_, last_] is its range.
  bool NextWindow(ToughWalk& walk);
  void CheckInode(const Inode& inode);
  Note* NoteOf(uint64_t ino);
  void CheckXattrs();
  void CheckOrphans();
  void CountNames();
  void CheckEntryInDirectory(std::string_view key, const Dentry& dentry, const std::string& name);
  void CheckEntryOfInode(std::string_view key, const Dentry& dentry, const std::string& name);
  void CheckNotes();
  void CheckWayUp(uint64_t dir);

  // ---- fsck_blocks.cc ----
  void CheckBlocks();
  void CollectContents(uint64_t from);
  void WalkBlocks(uint64_t from);
  Contents* ContentsOf(uint64_t data);
  void CheckBlock(Contents& contents, uint32_t index, uint64_t length);
  void CheckOwnerless(uint64_t data, uint64_t blocks, uint64_t bytes);
  void CheckContents();

  // ---- fsck.cc ----
  void CheckGarbage();
  void CheckSessions();
  void CheckSuper();
  void CheckCounter(const std::string& key, int64_t expected, std::string_view what);
  void CheckNumber(std::string_view key, uint64_t largest, std::string_view what);

  Kv& kv_;
  const FsckOptions& options_;
  const Identity& identity_;
  const Layout layout_;
  FsckReport report_;
  std::vector<Damage> damages_;
  std::vector<std::pair<uint64_t, std::string>> of_inodes_;  // findings that lack their path
  std::map<QuotaId, Usage> usage_;
  uint64_t largest_ino_ = 0;
  uint64_t largest_data_ = 0;
  std::vector<Stretch> lost_inodes_;

  std::vector<Note> notes_;  // of the window, ascending
  uint64_t first_ = 0, last_ = 0;
  bool first_window_ = true;
  absl::flat_hash_set<uint64_t> connected_;  // directories known to hang below the root

  std::vector<Contents> contents_;  // of the window of data ids [.., data_last_], ascending
  uint64_t data_last_ = 0;
};

}  // namespace tarn::store
