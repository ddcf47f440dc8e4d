// One file system's durable state: transactions over its records and blocks, its identity, its
// counters. Everything above sees only this; nothing above may assume a local disk.
//
// Thread safety: Store is safe; a Txn belongs to one thread at a time. The store does not order
// transactions that touch the same inode: whoever runs them holds the inodes' latches, and tells
// each Txn so through its RecordGuard.
// Lifetime: outlives its transactions.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/clock.h"
#include "common/filesystem.h"
#include "common/limits.h"
#include "common/posix/meta_txn.h"
#include "common/siphash.h"
#include "server/store/kv.h"
#include "server/store/scrub.h"

namespace tarn::store {

// Asked before a transaction reads or writes anything of an inode (its record, names in it,
// xattrs, blocks). False: not held and not to be had without waiting; the read is kBlocked.
using RecordGuard = std::function<bool(Ino)>;

// Identity of a file system, fixed at its creation (but `incarnation`).
struct Identity {
  std::string id;    // "fs-" and 17 hexadecimal digits
  std::string name;  // for people
  SipKey hash_key;   // of directory entry names
  SipKey tag_key;    // of handle tags: secret
  uint32_t block_bytes = 0;
  uint64_t incarnation = 0;  // changes when acknowledged state may have been lost
};

struct Usage {
  uint64_t bytes = 0;   // allocated
  uint64_t inodes = 0;  // the root included
};

// A session as it must survive a restart.
struct SessionRecord {
  SessionId id;
  uint32_t epoch = 0;
  bool fenced = false;
  bool read_only = false;
  uint64_t access_point = 0;
  Ino root = kRootIno;      // where the mount is rooted
  std::string client_name;
  Timestamp opened;
  bool silent = false;  // it was, when this was written
  Timestamp fenced_at;  // with `fenced`
  SessionId previous;   // the fenced session of the same client that it follows; none: {}
};

// A mutation's encoded reply, kept so that a retry after a restart is answered from it.
struct KeptReply {
  uint64_t sequence = 0;
  uint8_t verb = 0;   // Verb of common/verbs.h
  std::string reply;  // common/wire's encoding
};

class Txn : public MetaTxn {
 public:
  // Contents. REQUIRES for all: `inode` was read in this transaction and is put by the caller
  // afterwards; they change its size, allocated and data id. Errors: kBlocked, EIO.
  virtual Result<Bytes> ReadData(const Inode& inode, uint64_t offset, size_t n) = 0;
  // Extends the size where the data ends beyond it.
  virtual Status WriteData(Inode& inode, uint64_t offset, const Bytes& data) = 0;
  // The first byte at or after `offset` (below the size) that is data / in a hole; the end of the
  // file is a hole. nullopt: no data from there on.
  virtual Result<std::optional<uint64_t>> FindData(const Inode& inode, uint64_t offset) = 0;
  virtual Result<uint64_t> FindHole(const Inode& inode, uint64_t offset) = 0;

  // Calls `visit` for each change so far of an inode's record, xattrs or names: an inode that was
  // there before, whether it is a directory, and the changed name (empty: its record or an xattr).
  // Changes of one directory's names come one after the other. What is visited lives until the
  // next write.
  using ChangeVisitor = absl::FunctionRef<void(Ino, bool directory, std::string_view name)>;
  virtual void ForEachChange(ChangeVisitor visit) const = 0;

  // Whether it changes what Store::usage says, as far as is known without looking: else true.
  virtual bool ChangesUsage() const = 0;

  // Stored with this transaction's batch, over the slot's last.
  virtual void KeepReply(SessionId session, uint32_t slot, const KeptReply& reply) = 0;

  // Writes all changes, orphans and counters as one batch. Errors: kBlocked, ENOSPC, EIO: nothing
  // took effect. The transaction is used up.
  virtual Status Commit() = 0;
};

struct Orphan {
  Ino ino = kNoIno;
  Timestamp since;
};

class Store {
 public:
  // Takes over an engine, upgrades an older format (migrate.h) and reads its identity; with
  // `create` makes the root directory and a new identity named `name` in an empty one (`id` empty:
  // a new random one). Errors: ENOENT (empty and not `create`), EINVAL (a newer format version: the
  // message says which), EIO.
  static Result<std::unique_ptr<Store>> Open(std::unique_ptr<Kv> kv, Clock& clock, bool create,
                                             const std::string& name, const std::string& id = "");
  virtual ~Store() = default;

  virtual const Identity& identity() const = 0;
  // What its transactions say the limits are; kOwnLimits otherwise. Before the first transaction.
  virtual void SetLimits(const Limits& limits) = 0;
  virtual std::unique_ptr<Txn> Begin(Tier tier, RecordGuard guard) = 0;
  virtual Usage usage() const = 0;

  // Makes everything committed before this call durable, together with other callers (one sync of
  // the log for all that wait); `done` runs on the sync thread. Errors: EIO, ENOSPC.
  virtual void Sync(Done<Unit> done) = 0;

  // Orphans in order of inode, at most `limit`, from `after` on.
  virtual Result<std::vector<Orphan>> ListOrphans(Ino after, size_t limit) = 0;
  // Removes an orphan's record, xattrs and contents, in bounded steps. The caller holds its latch
  // and knows that nothing pins it. False: call again for the rest.
  virtual Result<bool> FreeOrphan(Ino ino) = 0;
  // Frees contents that FreeOrphan and truncations left behind, and gives their space back to the
  // disk; one bounded step, perhaps slow. False: nothing was left to do.
  virtual Result<bool> FreeGarbage() = 0;

  // Reads everything (scrub.h).
  virtual ScrubReport Scrub(const ScrubPace& pace) = 0;

  virtual Result<std::vector<SessionRecord>> LoadSessions() = 0;
  virtual Result<std::optional<SessionRecord>> FindSession(SessionId id) = 0;
  virtual Status PutSession(const SessionRecord& record) = 0;  // durable when it returns
  virtual Status DeleteSession(SessionId id) = 0;  // with its kept replies, in one batch
  virtual Result<std::optional<KeptReply>> FindKeptReply(SessionId session, uint32_t slot) = 0;
};

}  // namespace tarn::store
