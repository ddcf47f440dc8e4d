// Errors of writes that were acknowledged before they failed: whom to tell.
#pragma once

#include <atomic>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/errno.h"
#include "common/sync.h"
#include "common/types.h"

namespace tarn::cache {

// Every descriptor that was open when a write failed is told once, by its next fsync or close;
// those opened since know nothing of it.
// Thread safety: safe. Lock order: a leaf.
class LateErrors {
 public:
  // An open that exists; ids grow.
  void NoteOpen(OpenId open);
  void NoteFailure(Ino ino, Errno code);
  // What to tell `open`, at most once. Nothing has failed: one load.
  std::optional<Errno> Take(Ino ino, OpenId open);
  // Nobody knows the inode any more.
  void Forget(Ino ino);

 private:
  struct Failure {
    Errno code{};
    uint64_t last_open = 0;  // opened before it failed
    absl::flat_hash_set<uint64_t> told;
  };

  mutable Mutex mu_;
  std::atomic<uint64_t> last_open_ = 0;
  std::atomic<size_t> failures_count_ = 0;
  absl::flat_hash_map<Ino, Failure> failures_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tarn::cache
