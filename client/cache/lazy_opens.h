// Opens that the server has not been told of.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/functional/any_invocable.h"
#include "common/filesystem.h"
#include "common/sync.h"

namespace tarn::cache {

// Thread safety: safe. Lock order: mu_ is a leaf; the file system and continuations run outside it.
// Lifetime: the file system outlives it and answers what it was asked before this goes.
class LazyOpens {
 public:
  using Then = absl::AnyInvocable<void(Status) &&>;

  // Registers with `fs`.
  explicit LazyOpens(FileSystem& fs) : fs_(fs) {}

  // `caller`: who was given the right to it.
  void Add(const Caller& caller, const OpenArgs& args);
  // True: it was lazy, and nobody else will hear of it. False: the server may know it.
  bool Drop(OpenId open);
  bool IsOpen(Ino ino) const;
  // What a lazy one permits; nullopt: it is none.
  std::optional<OpenAccess> AccessOf(OpenId open) const;
  // Who made a lazy one that permits `access`, that nobody registers right now, and that could be
  // made again by who has the rights of the mode; nullopt: it is none.
  std::optional<Caller> OpenerOf(OpenId open, OpenAccess access) const;

  // Runs `then` once the server knows the open; at once if it is not lazy. Errors: those of Open.
  void Register(OpenId open, Then then);
  // All of an inode. Errors are left to whoever uses the open.
  void RegisterAll(Ino ino, absl::AnyInvocable<void() &&> then);
  // Takes all that no request registers right now.
  std::vector<OpenArgs> TakeAll();

 private:
  struct Lazy {
    Caller caller;
    OpenArgs args;
    bool registering = false;
    absl::InlinedVector<Then, 1> waiting;
  };

  void OnRegistered(OpenId open, const Status& status);
  void Unlink(Ino ino, OpenId open) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  FileSystem& fs_;
  mutable Mutex mu_;
  absl::flat_hash_map<OpenId, Lazy> opens_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<Ino, absl::InlinedVector<OpenId, 2>> by_ino_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tarn::cache
