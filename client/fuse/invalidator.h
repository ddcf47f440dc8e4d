// Empties the kernel's caches of one mount, and keeps replies and recalls apart.
//
// The kernel makes some of this hard (verified on Linux 6.18):
// - Dropping data waits for pages that are locked by a READ under way, or by the write-back of a
//   mapped page; dropping a name waits for the directory's lock, which a LOOKUP, READDIR or CREATE
//   of this mount holds until it is answered. So all of it runs on threads that serve no request,
//   and by force it goes around what is under way.
// - An inode whose first reply is still on its way cannot be dropped (ENOENT): tried again until
//   the kernel has it or has forgotten it.
// - A reply that was built before a recall may be written after it: replies that let the kernel
//   keep something are built and written between two calls of Settle (Gate).
#pragma once

#include <array>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "client/cache/kernel.h"
#include "client/cache/workers.h"
#include "client/fuse/fuse_api.h"
#include "client/fuse/inode_table.h"
#include "client/fuse/unreadable.h"
#include "common/sync.h"

namespace tarn::fuse {

// Thread safety: safe.
// Lock order: the gate comes first of all the mount's locks; the shards' are leaves.
// Lifetime: the session outlives its use (SetSession(nullptr) ends it).
class Invalidator final : public cache::KernelCache {
 public:
  explicit Invalidator(InodeTable& inodes);

  // Null: nothing reaches the kernel any more.
  void SetSession(fuse_session* session) ABSL_LOCKS_EXCLUDED(session_mu_);

  // Held while a reply that depends on cache::Freshness is built and written.
  Mutex& gate() ABSL_LOCK_RETURNED(gate_) { return gate_; }

  // A request that keeps pages locked in the kernel until it is answered: a READ fills them; the
  // write-back of pages that were stored to through a mapping leaves them as they are.
  enum class Io : uint8_t { kRead, kWriteBack };
  void BeginIo(Io io, Ino ino, uint64_t offset, uint64_t size);
  // After its answer. What a drop passed over for the sake of a write-back is dropped now.
  void EndIo(Io io, Ino ino, uint64_t offset, uint64_t size);

  static constexpr uint64_t kToEnd = UINT64_MAX;
  // Drops a range of data and runs `then`, on a worker.
  void DropRangeThen(Ino ino, uint64_t offset, uint64_t size, cache::Workers::Task then);
  // Likewise all from `offset` on; and has the kernel take the file to be at least as long as
  // `attr` says, which no reply under way can undo; unless one has told of a later version.
  void GrowThen(const Attr& attr, uint64_t offset, cache::Workers::Task then);

  void Settle() override;
  void RunGated(absl::FunctionRef<void()> hand_over) override;
  bool Knows(Ino ino) override;
  std::vector<Ino> Known() override;
  void DropAttr(Ino ino) override;
  void DropData(Ino ino) override;
  void DropName(Ino dir, const std::string& name, Manner manner) override;
  void DropAllNames() override;

 private:
  struct Range {
    Io io = Io::kRead;
    uint64_t offset = 0;
    uint64_t size = 0;
    bool passed_over = false;
  };
  using Ranges = absl::InlinedVector<Range, 2>;
  struct alignas(64) Shard {
    Mutex mu;
    absl::flat_hash_map<Ino, Ranges> ranges ABSL_GUARDED_BY(mu);
  };
  static constexpr size_t kShards = 16;
  Shard& ShardOf(Ino ino) { return shards_[Raw(ino) % kShards]; }

  // fuse_lowlevel_notify_inval_inode, until the kernel has the inode or has forgotten it.
  void Notify(Ino ino, int64_t offset, int64_t length);
  void Grow(Ino ino, uint64_t size);

  InodeTable& inodes_;
  Mutex gate_;
  Mutex session_mu_;  // held shared while the kernel is called
  fuse_session* session_ ABSL_GUARDED_BY(session_mu_) = nullptr;
  Mutex end_mu_;  // a leaf, to wait under between two tries
  bool ended_ ABSL_GUARDED_BY(end_mu_) = false;
  std::array<Shard, kShards> shards_;
  const Unreadable unreadable_;
  cache::Workers workers_;  // last
};

}  // namespace tarn::fuse
