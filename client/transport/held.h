// What this client holds at the server, as far as the server must be told again after its restart:
// opens and granted locks. And what it has been told is done, as far as that may be lost again.
#pragma once

#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "client/transport/unsynced.h"
#include "common/filesystem.h"
#include "common/lock_ledger.h"
#include "common/sync.h"

namespace tarn::transport {

// Thread safety: safe.
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
  // A verb that lets go of locks is about to be sent. From here on it may have been done, and
  // others may have them: so they are not told again. Other verbs take the template.
  template <class Args>
  void NoteLetsGo(const Args& args) {}
  void NoteLetsGo(const ReleaseArgs& args);
  void NoteLetsGo(const FlushArgs& args);
  void NoteLetsGo(const SetLockArgs& args);
  // Inodes that a verb has changed.
  template <class Args, class Reply>
  void NoteChanges(const Args& args, const Reply& reply);
  Unsynced& unsynced() { return unsynced_; }
  // An open has ended, through which nothing is locked: the server is still to be told. Returns how
  // many there are.
  size_t End(const ReleaseArgs& release);
  // Takes up to `most` of them, the last first.
  std::vector<ReleaseArgs> TakeEnded(size_t most);
  // An open, or a lock, that the server does not know of yet.
  void Add(OpenId id, Handle inode, OpenAccess access);
  void Add(const SetLockArgs& lock) { Note(lock, Unit{}); }

  // All opens but those lost; all locks, as the requests that would set them.
  std::vector<Open> opens() const;
  std::vector<SetLockArgs> locks() const;

  // The server no longer has it: every use of it but its end fails with EIO.
  void Lose(OpenId open);
  // The session is gone, and its locks with it: forgets them and loses the opens that held any.
  void LoseLocks();
  bool IsLost(OpenId open) const;
  // What it permits; nullopt: lost, or not known.
  std::optional<OpenAccess> AccessOf(OpenId open) const;
  bool HoldsLocks(Ino ino) const;

 private:
  mutable Mutex mu_;
  absl::flat_hash_map<uint64_t, Open> opens_ ABSL_GUARDED_BY(mu_);
  std::vector<ReleaseArgs> ended_ ABSL_GUARDED_BY(mu_);
  LockLedger locks_ ABSL_GUARDED_BY(mu_);
  Unsynced unsynced_;
};

template <class Args, class Reply>
void Held::NoteChanges(const Args& args, const Reply& reply) {
  if constexpr (requires { args.inode; }) unsynced_.Note(args.inode.ino);
  if constexpr (requires { args.dir; }) unsynced_.Note(args.dir.ino);
  if constexpr (requires { args.new_dir; }) unsynced_.Note(args.new_dir.ino);
  if constexpr (requires { args.target.ino; }) unsynced_.Note(args.target.ino);
  if constexpr (requires { reply.handle; }) unsynced_.Note(reply.handle.ino);
  if constexpr (requires { reply.entry.handle; }) unsynced_.Note(reply.entry.handle.ino);
}

}  // namespace tarn::transport
