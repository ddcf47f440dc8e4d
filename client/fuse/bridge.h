// FuseBridge: the kernel's requests on one side, the verbs of a FileSystem on the other.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

#include "client/cache/kernel.h"
#include "client/fuse/fuse_api.h"
#include "client/fuse/inode_table.h"
#include "client/fuse/interrupts.h"
#include "client/fuse/invalidator.h"
#include "client/fuse/lock_book.h"
#include "common/filesystem.h"
#include "common/limits.h"
#include "common/sync.h"

namespace tarn::fuse {

// How far the kernel reads ahead of a sequential reader, if it lets us say so (mount.cc).
inline constexpr size_t kReadAheadBytes = 2 * kRecordMaxBytes;

// The state behind the handlers in ops_*.cc, which libfuse calls. A handler never waits: it builds
// the arguments, calls the verb, and the verb's Done answers the kernel from whatever thread it
// runs on.
// Thread safety: safe.
// Lifetime: outlives the libfuse session. Destroy after the FileSystem was closed or answers every
// call by itself: the destructor waits for the calls under way.
class FuseBridge {
 public:
  // `freshness`: says what the kernel may keep; null: nothing. `patience_nanos`: as in Caller.
  FuseBridge(FileSystem& fs, Handle root, cache::Freshness* freshness, int64_t patience_nanos);
  ~FuseBridge();
  FuseBridge(const FuseBridge&) = delete;
  FuseBridge& operator=(const FuseBridge&) = delete;

  // The handlers; their userdata is a FuseBridge.
  static const fuse_lowlevel_ops& Ops();
  // Chooses what to use of what the kernel offers.
  void Negotiate(fuse_conn_info& conn);
  // Waits until no call is under way. No new one may begin.
  void WaitUntilIdle();

  FileSystem& fs() const { return fs_; }
  InodeTable& inodes() { return inodes_; }
  Invalidator& invalidator() { return invalidator_; }

  // For how long the kernel may keep these attributes, or that `name` leads to `child` (kNoIno: to
  // nothing). REQUIRES: the gate is held shared, until the reply is written.
  double AttrSeconds(const Attr& attr) const;
  double EntrySeconds(Ino dir, std::string_view name, Ino child) const;
  int64_t patience_nanos() const { return patience_nanos_; }
  bool caches() const { return freshness_ != nullptr; }
  // The file has not changed for a while. REQUIRES: caches().
  bool HasSettled(const Attr& attr) const;
  void Forget(NodeId node, uint64_t lookups);
  LockBook& locks() { return locks_; }
  Interrupter& interrupter() { return interrupter_; }

  Handle HandleOf(fuse_ino_t node) const { return inodes_.HandleOf(NodeId{node}); }
  OpenId NewOpenId() { return OpenId{next_open_.fetch_add(1, std::memory_order_relaxed)}; }
  // True if a write must drop suid and sgid.
  bool KillsPrivileges(const fuse_file_info& fi, Uid uid) const {
    return fi.kill_suidgid != 0 || (!kernel_says_kill_ && uid != 0);
  }

  // Whether the groups of `uid` have mattered lately. Only a hint: they are read for each request.
  bool GroupsMatter(Uid uid) const { return groups_matter_[uid % kHints].load(kRelaxed); }
  void NoteGroupsMatter(Uid uid) { groups_matter_[uid % kHints].store(true, kRelaxed); }

  void BeginCall() { calls_.fetch_add(1, kRelaxed); }
  void EndCall();

 private:
  static constexpr auto kRelaxed = std::memory_order_relaxed;
  static constexpr size_t kHints = 256;

  FileSystem& fs_;
  cache::Freshness* const freshness_;
  const int64_t patience_nanos_;
  InodeTable inodes_;
  Invalidator invalidator_;
  LockBook locks_;
  Interrupter interrupter_;
  std::atomic<uint64_t> next_open_ = 1;
  bool kernel_says_kill_ = false;  // set by Negotiate, before any request
  std::array<std::atomic<bool>, kHints> groups_matter_ = {};

  // Calls under way, and one for the bridge itself until it ends.
  std::atomic<int64_t> calls_ = 1;
  Mutex idle_mu_;
  bool idle_ ABSL_GUARDED_BY(idle_mu_) = false;
};

}  // namespace tarn::fuse
