// Which inodes the kernel knows, and under what handle the file system knows them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "common/filesystem.h"
#include "common/sync.h"

namespace tarn::fuse {

// What the kernel calls an inode. The same number as the Ino, but for the root of the mount: the
// kernel insists on 1 there, whatever its Ino is.
enum class NodeId : uint64_t {};
inline constexpr NodeId kNoNode{0};
inline constexpr NodeId kRootNode{1};

// Lookup counts: how often a reply has named an inode to the kernel, less what it has forgotten.
//
// An inode that is not counted has no known tag. Its handle carries tag 0, for the server to judge:
// that is what a file handle of an evicted inode (NFS export) looks like.
// Node 1 is the root of the mount. A mount of a sub directory cannot meet inode 1 below it, and its
// own inode, met again by way of "..", is node 1 again.
// Thread safety: safe; sharded by inode.
// Invariants: every counted inode has a count above 0; the root is not counted.
class InodeTable {
 public:
  explicit InodeTable(Handle root) : root_(root) {}

  // Counts one lookup of `handle`; call before the reply that names it is sent.
  NodeId Remember(Handle handle);
  // Takes back `lookups`, or all there are if that is fewer. Unknown nodes are no error. `gone`
  // runs if none is left, before anybody can count the inode again.
  void Forget(NodeId node, uint64_t lookups, absl::FunctionRef<void(Ino)> gone);

  bool Knows(Ino ino) const;
  // The root, and all that is counted.
  std::vector<Ino> Known() const;

  // The kernel may have pages of the inode that it read for a descriptor with a page cache.
  void NotePages(Ino ino);
  bool MayHavePages(Ino ino) const;

  // Descriptors of this mount that may write to it.
  void AddWriter(Ino ino);
  void RemoveWriter(Ino ino);

  // Its data changed under a reader's page cache: better not to use one for a while. (A reader that
  // the kernel has handed an old page may also be shown the new size, and zeros up to it.)
  void NoteContended(Ino ino);
  // Lately, or somebody of this mount may write to it.
  bool IsContended(Ino ino) const;

  // What the kernel takes the file's size to be is never less than its floor, once it has digested
  // what it was told: the least size told since it was last made to grow. A size in a reply may be
  // thrown away there, for the sake of anything else that happened to the inode since the request:
  // a reader who asks for the end would then be shown the one of before.
  // So a greater one is not left to the reply, if the kernel may have pages of the file, or
  // `relies_on_it`, not merely shows it: it is made to grow first (Invalidator::GrowThen).
  // Nullopt: a reply will do; else the floor.
  std::optional<uint64_t> GrowsFrom(const Attr& attr, bool relies_on_it) const;
  // In a reply: call before it is written.
  void TellSize(const Attr& attr);
  // A reply has told of a later version of the file.
  bool HasToldNewer(const Attr& attr) const;
  // A read has met the end of the file, there or before.
  void TellEnd(Ino ino, uint64_t end);
  // The kernel has been made to grow, or reckons the end of a write itself.
  void NoteGrown(Ino ino, uint64_t size);
  // 0: none yet.
  uint64_t SizeFloor(Ino ino) const;

  NodeId NodeOf(Ino ino) const { return ino == root_.ino ? kRootNode : NodeId{Raw(ino)}; }
  Ino InoOf(NodeId node) const { return node == kRootNode ? root_.ino : Ino{Raw(node)}; }
  Handle HandleOf(NodeId node) const;

  // Number of counted inodes, and of those that the memory in use would hold.
  size_t size() const;
  size_t capacity() const;

 private:
  struct Entry {
    uint64_t tag = 0;
    uint64_t lookups = 0;
    bool pages = false;
    std::optional<uint64_t> size_floor;
    uint64_t version = 0;  // the latest told
    uint32_t writers = 0;
    int64_t contended_nanos = 0;  // when last; CLOCK_BOOTTIME
  };
  struct alignas(64) Shard {
    mutable Mutex mu;
    absl::flat_hash_map<Ino, Entry> entries ABSL_GUARDED_BY(mu);
  };
  static constexpr size_t kShards = 16;

  Shard& ShardOf(Ino ino) { return shards_[Raw(ino) % kShards]; }
  const Shard& ShardOf(Ino ino) const { return shards_[Raw(ino) % kShards]; }

  const Handle root_;
  std::array<Shard, kShards> shards_;
};

}  // namespace tarn::fuse
