// Inodes and their names, a window of inodes at a time.
#include <fmt/format.h>

#include <algorithm>

#include "server/store/fsck_impl.h"
#include "server/store/keys.h"

namespace tarn::store {
namespace {

constexpr size_t kConnectedMax = 1'000'000;
constexpr int kLevelsMax = 1'000'000;

uint64_t NumberAt(std::string_view key) { return ReadBe64(key.substr(0, 8)).value_or(0); }

}  // namespace

void Checker::CheckNames() {
  ToughWalk walk(kv_, Family::kInode, "", "", Probe::kEachKey);
  while (NextWindow(walk)) {
    CheckXattrs();
    CheckOrphans();
    CountNames();
    CheckNotes();
    first_window_ = false;
  }
  if (first_window_ || largest_ino_ == 0) Find("there is no inode at all");
}

bool Checker::NextWindow(ToughWalk& walk) {
  if (!first_window_ && last_ == UINT64_MAX) return false;
  first_ = first_window_ ? 0 : last_ + 1;
  notes_.clear();
  while (notes_.size() < options_.window) {
    if (!walk.Next()) {
      last_ = UINT64_MAX;
      return true;
    }
    if (IsDamage(walk)) {
      const Damage& damage = *walk.damage();
      lost_inodes_.emplace_back(
          NumberAt(damage.from), damage.to.empty() ? UINT64_MAX : NumberAt(damage.to) - 1);
      continue;
    }
    if (walk.key().size() != 8) {
      Find(fmt::format("an inode has the key {}", PrintKey(walk.key())));
      continue;
    }
    const uint64_t ino = NumberAt(walk.key());
    last_ = ino;
    largest_ino_ = std::max(largest_ino_, ino);
    const auto inode = DecodeInode(Ino{ino}, walk.value());
    if (!inode.ok()) {
      FindOf(ino, inode.error().message);
      lost_inodes_.emplace_back(ino, ino);
      continue;
    }
    CheckInode(*inode);
    notes_.push_back({.ino = ino, .nlink = inode->attr.nlink, .type = inode->attr.type,
                      .no_xattrs = inode->attr.no_xattrs});
  }
  return true;
}

void Checker::CheckInode(const Inode& inode) {
  ++report_.inodes;
  const uint64_t ino = Raw(inode.attr.ino);
  largest_data_ = std::max(largest_data_, Raw(inode.data));
  if (inode.attr.nlink > 0) {
    Usage& usage = usage_[inode.quota];
    usage.bytes += static_cast<int64_t>(inode.attr.allocated);
    ++usage.inodes;
  }
  const FileType type = inode.attr.type;
  if (type != FileType::kRegular && inode.data != DataId{}) {
    FindOf(ino, "is no regular file, but has contents");
  }
  if (type == FileType::kSymlink && inode.attr.size != inode.target.size()) {
    FindOf(ino, fmt::format("is a symbolic link of size {}, but its target has {} bytes",
                            inode.attr.size, inode.target.size()));
  }
  if (type != FileType::kSymlink && !inode.target.empty()) {
    FindOf(ino, "is no symbolic link, but has a target");
  }
}

Checker::Note* Checker::NoteOf(uint64_t ino) {
  const auto it = std::lower_bound(notes_.begin(), notes_.end(), ino,
                                   [](const Note& note, uint64_t n) { return note.ino < n; });
  return it != notes_.end() && it->ino == ino ? &*it : nullptr;
}

void Checker::CheckXattrs() {
  uint64_t told = 0;
  ToughWalk walk(kv_, Family::kXattr, Be64(first_), last_ == UINT64_MAX ? "" : Be64(last_ + 1),
                 Probe::kEachKey);
  while (walk.Next()) {
    if (IsDamage(walk)) continue;
    if (walk.key().size() <= 8) {
      Find(fmt::format("an extended attribute has the key {}", PrintKey(walk.key())));
      continue;
    }
    const uint64_t ino = NumberAt(walk.key());
    if (ino == told || Within(lost_inodes_, ino)) continue;
    const Note* const note = NoteOf(ino);
    if (note != nullptr && !note->no_xattrs) continue;
    told = ino;
    if (note != nullptr) {
      FindOf(ino, "is said to have no extended attributes, but has some");
      continue;
    }
    Find(fmt::format("there are extended attributes of inode {}, which does not exist", ino));
  }
}

void Checker::CheckOrphans() {
  ToughWalk walk(kv_, Family::kOrphan, OrphanKey(Ino{first_}),
                 last_ == UINT64_MAX ? PrefixEnd(OrphanKey(Ino{}).substr(0, 1))
                                     : OrphanKey(Ino{last_ + 1}),
                 Probe::kEachKey);
  while (walk.Next()) {
    if (IsDamage(walk)) continue;
    const auto ino = ParseOrphanKey(walk.key());
    if (!ino) {
      Find(fmt::format("an orphan has the key {}", PrintKey(walk.key())));
      continue;
    }
    if (const auto since = DecodeOrphan(walk.key(), walk.value()); !since.ok()) {
      FindOf(Raw(*ino), since.error().message);
    }
    if (Note* note = NoteOf(Raw(*ino)); note != nullptr) {
      note->orphan = true;
    } else if (!Within(lost_inodes_, Raw(*ino))) {
      Find(fmt::format("inode {} is to be freed, but does not exist", Raw(*ino)));
    }
  }
}

void Checker::CountNames() {
  ToughWalk walk(kv_, Family::kDentry, "", "", Probe::kEachKey);
  while (walk.Next()) {
    if (IsDamage(walk)) continue;
    const auto parts = ParseDentryKey(walk.key());
    const auto dentry = DecodeDentry(walk.key(), walk.value());
    if (first_window_) ++report_.names;
    if (!parts || !dentry.ok()) {
      if (first_window_) {
        Find(parts ? dentry.error().message
                   : fmt::format("an entry has the key {}", PrintKey(walk.key())));
      }
      continue;
    }
    const uint64_t dir = NumberAt(walk.key()), ino = Raw(dentry->ino);
    const std::string name(parts->name);
    if (first_ <= dir && dir <= last_) CheckEntryInDirectory(walk.key(), *dentry, name);
    if (first_ <= ino && ino <= last_) CheckEntryOfInode(walk.key(), *dentry, name);
  }
}

void Checker::CheckEntryInDirectory(std::string_view key, const Dentry& dentry,
                                    const std::string& name) {
  const uint64_t dir = NumberAt(key);
  Note* const note = NoteOf(dir);
  if (note == nullptr) {
    if (Within(lost_inodes_, dir)) return;
    return Find(fmt::format("the entry '{}' is in directory {}, which does not exist", name, dir));
  }
  if (note->type != FileType::kDirectory) {
    return FindOf(dir, fmt::format("is no directory, but has an entry '{}'", name));
  }
  if (note->nlink == 0) {
    return FindOf(dir, fmt::format("is a removed directory, but has an entry '{}'", name));
  }
  if (ParseDentryKey(key)->hash != NameHash(identity_.hash_key, name)) {
    FindOf(dir, fmt::format("its entry '{}' is at a place where no lookup finds it", name));
  }
  if (dentry.type == FileType::kDirectory) ++note->subdirs;
}

void Checker::CheckEntryOfInode(std::string_view key, const Dentry& dentry,
                                const std::string& name) {
  const Ino dir{NumberAt(key)};
  Note* const note = NoteOf(Raw(dentry.ino));
  auto where = [&] { return JoinPath(DirectoryPath(kv_, dir), name); };
  if (note == nullptr) {
    if (Within(lost_inodes_, Raw(dentry.ino))) return;  // described with the damage
    return Find(fmt::format("{}: leads to inode {}, which does not exist", where(),
                            Raw(dentry.ino)));
  }
  ++note->names;
  if (note->type != dentry.type) {
    Find(fmt::format("{}: is said to have type {}, but inode {} has type {}", where(),
                     Raw(dentry.type), Raw(dentry.ino), Raw(note->type)));
  }
  if (note->type != FileType::kDirectory) return;
  const auto value = kv_.Get(Family::kInode, InodeKey(dentry.ino), Tier::kScan);
  if (!value.ok() || !*value) return;
  const auto inode = DecodeInode(dentry.ino, (*value)->view);
  if (inode.ok() && (inode->parent != dir || inode->name != name)) {
    Find(fmt::format("{}: the directory (inode {}) says that it is '{}' in inode {}", where(),
                     Raw(dentry.ino), inode->name, Raw(inode->parent)));
  }
}

void Checker::CheckNotes() {
  for (const Note& note : notes_) {
    const bool directory = note.type == FileType::kDirectory;
    if (note.ino == Raw(kRootIno)) {
      if (!directory) FindOf(note.ino, "is the root, but no directory");
      if (note.names != 0) FindOf(note.ino, "is the root, but has a name");
    } else if (directory && note.names > 1) {
      FindOf(note.ino, fmt::format("is a directory with {} names", note.names));
    } else if (note.nlink > 0 && note.names == 0) {
      FindOf(note.ino, fmt::format("should have {} names", directory ? 1 : note.nlink));
    }
    if (note.nlink == 0) {
      if (note.names != 0) {
        FindOf(note.ino, fmt::format("has {} names, but says that it has none", note.names));
      } else if (!note.orphan) {
        FindOf(note.ino, "nobody will free it");
      }
      continue;
    }
    if (note.orphan) FindOf(note.ino, "has a name, but is to be freed");
    const uint64_t expected = directory ? uint64_t{2} + note.subdirs : note.names;
    if (note.nlink != expected && (directory || note.names > 0)) {
      FindOf(note.ino, fmt::format("has link count {}, but should have {}", note.nlink, expected));
    }
    if (directory) CheckWayUp(note.ino);
  }
  if (first_ <= Raw(kRootIno) && Raw(kRootIno) <= last_ && NoteOf(Raw(kRootIno)) == nullptr &&
      !Within(lost_inodes_, Raw(kRootIno))) {
    Find("there is no root directory");
  }
}

// Every way up ends at the root: no ring of directories floats beside the tree.
void Checker::CheckWayUp(uint64_t dir) {
  if (connected_.size() > kConnectedMax) connected_.clear();
  std::vector<uint64_t> way;
  absl::flat_hash_set<uint64_t> seen;
  for (uint64_t at = dir; at != Raw(kRootIno) && !connected_.contains(at);) {
    if (!seen.insert(at).second || way.size() > kLevelsMax) {
      return FindOf(dir, "is a directory that cannot be reached from the root");
    }
    way.push_back(at);
    const auto value = kv_.Get(Family::kInode, InodeKey(Ino{at}), Tier::kScan);
    if (!value.ok()) return;  // described with the damage
    const auto inode = *value ? DecodeInode(Ino{at}, (*value)->view) : Result<Inode>(Errno::kEIO);
    if (!inode.ok() || inode->attr.type != FileType::kDirectory) {
      return FindOf(dir, fmt::format("is below inode {}, which is no directory", at));
    }
    at = Raw(inode->parent);
  }
  connected_.insert(way.begin(), way.end());
}

}  // namespace tarn::store
