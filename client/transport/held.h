// What this client holds at the server, as far as the server must be told again after its restart:
// opens and granted locks.
#pragma once

#include <map>
#include <tuple>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "common/sync.h"
#include "common/filesystem.h"

namespace tarn::transport {

// Thread safety: safe.
// Invariants: the ranges of one owner on one inode do not overlap.
class Held {
 public:
  struct Open {
    OpenId id{};
    Handle inode;
    OpenAccess access = OpenAccess::kNone;
    bool lost = false;
  };

  // A verb succeeded. Verbs that change nothing here take the template.
  template <class Args, class Reply>
  void Note(const Args& args, const Reply& reply) {}
  void Note(const OpenArgs& args, const OpenReply& reply);
  void Note(const CreateArgs& args, const CreateReply& reply);
  void Note(const CreateTmpArgs& args, const CreateReply& reply);
  void Note(const ReleaseArgs& args, const Unit& reply);
  void Note(const FlushArgs& args, const Unit& reply);
  void Note(const SetLockArgs& args, const Unit& reply);
  // An open that the server does not know of yet.
  void Add(OpenId id, Handle inode, OpenAccess access);

  // All opens but those lost; all locks, as the requests that would set them.
  std::vector<Open> opens() const;
  std::vector<SetLockArgs> locks() const;

  // The server no longer has it: every use of it but its end fails with EIO.
  void Lose(OpenId open);
  // The session is gone, and its locks with it: forgets them and loses the opens that held any.
  void LoseLocks();
  bool IsLost(OpenId open) const;

 private:
  using OwnerKey = std::tuple<Ino, LockKind, LockOwner>;

  mutable Mutex mu_;
  absl::flat_hash_map<uint64_t, Open> opens_ ABSL_GUARDED_BY(mu_);
  std::map<OwnerKey, std::vector<SetLockArgs>> locks_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tarn::transport
