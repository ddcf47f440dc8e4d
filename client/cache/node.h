// What a client knows of one inode under its lease.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/posix/meta_txn.h"

namespace tarn::cache {

// Names in a directory, in the order in which it is listed: present, or (ino kNoIno) absent.
using Names = absl::btree_map<std::pair<uint64_t, std::string>, Dentry>;

// What a name takes in memory, about, with its places in tables.
inline size_t BytesOfName(const std::string& name) { return 112 + name.size(); }

struct Directory {
  Names names;
  bool complete = false;  // a name that is neither in `names` nor in `unknown` is absent
  absl::flat_hash_set<std::string> unknown;
  Ino parent = kNoIno;        // kNoIno: not known
  bool filling = false;       // a listing has been read from its start without a bar
  uint64_t filled_to = 0;     // its last cookie
  // Inodes that were listed without attributes, and not asked about since; and how many names are
  // to be looked up before many such are asked about at once.
  static constexpr uint32_t kAtFirst = 2, kBetween = 24;
  absl::flat_hash_set<Ino> bare;
  uint32_t singly = kAtFirst;
};

struct Xattrs {
  absl::flat_hash_map<std::string, std::optional<std::string>> values;  // nullopt: there is none
  std::optional<std::vector<std::string>> names;  // all that there are; nullopt: not known
};

struct Node {
  Handle handle;
  bool has_attr = false;
  Attr attr;
  std::optional<std::string> target;  // of a symlink
  std::unique_ptr<Xattrs> xattrs;     // go with the attributes; null: nothing is known
  std::unique_ptr<Directory> dir;
  size_t bytes = 0;  // what it takes in memory, about
  std::list<Ino>::iterator age;
};

}  // namespace tarn::cache
