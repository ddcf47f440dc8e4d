// Where the locks of each file are. All of one file's are here, or all at the server; from here to
// there they are handed over, and while that lasts whoever asks about them waits.
#pragma once

#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "common/lock_ledger.h"

namespace tarn::cache {

// Thread safety: none; its owner's lock guards it.
class LocalLocks {
 public:
  using Then = absl::AnyInvocable<void() &&>;

  // Those that are here. Whether one may be granted is for the owner to say.
  LockLedger& ledger() { return ledger_; }
  const LockLedger& ledger() const { return ledger_; }
  bool Holds(Ino ino) const { return ledger_.Holds(ino); }
  // Something of the file's is here or on its way.
  bool InUse(Ino ino) const { return Holds(ino) || IsHandingOver(ino); }

  // ---- at the server ----
  bool IsAsked(Ino ino) const { return asked_.contains(ino); }  // for one of the file's, right now
  void BeginAsking(Ino ino) { ++asked_[ino]; }
  void EndAsking(Ino ino);

  // ---- on their way there ----
  bool IsHandingOver(Ino ino) const { return handing_.contains(ino); }
  // True: they are; `then` is taken, and run at the end.
  bool Await(Ino ino, Then& then);
  // Takes all of the file's, and `then` to be run at the end. Empty: there are none, and nothing is
  // taken. REQUIRES: it is not being handed over.
  std::vector<SetLockArgs> BeginHandOver(Ino ino, Then& then);
  // What is to be run now, without the lock.
  std::vector<Then> EndHandOver(Ino ino);

  // All that the server may not know. What is here is here no more.
  std::vector<SetLockArgs> TakeAll();

 private:
  struct HandOver {
    std::vector<SetLockArgs> locks;
    std::vector<Then> waiting;
  };

  LockLedger ledger_;
  absl::flat_hash_map<Ino, HandOver> handing_;
  absl::flat_hash_map<Ino, uint32_t> asked_;  // how often at once
};

}  // namespace tarn::cache
