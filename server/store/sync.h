// The thread that waits for the disk, so that no other does: group commit.
//
// Thread safety: safe. Lifetime: the destructor answers everybody who waits, then ends the thread;
// not beyond its Kv.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "common/sync.h"
#include "common/filesystem.h"
#include "server/store/kv.h"

namespace tarn::store {

class WalSync {
 public:
  explicit WalSync(Kv& kv);
  ~WalSync();
  WalSync(const WalSync&) = delete;
  WalSync& operator=(const WalSync&) = delete;

  // After each write of the Kv that somebody may want durable. Without one since the last sync,
  // there is nothing to wait for.
  void NoteWrite() { writes_.fetch_add(1); }

  // `done` runs on the sync thread when everything written before this call is durable. One sync of
  // the log answers all that asked before it began. Errors: EIO, ENOSPC.
  void Sync(Done<Unit> done);
  // The same for a caller that may wait.
  Status SyncAndWait();

 private:
  void Run();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return stop_ || !waiting_.empty(); }

  Kv& kv_;
  std::atomic<uint64_t> writes_{1};  // the first sync is never skipped

  Mutex mu_;
  std::vector<Done<Unit>> waiting_ ABSL_GUARDED_BY(mu_);
  bool stop_ ABSL_GUARDED_BY(mu_) = false;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace tarn::store
