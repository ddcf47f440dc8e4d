// What a client knows under its leases: attributes, names, listings, and how old a reply may be
// for its contents to be believed.
//
// Time here is a counter. A request notes it when it is sent (Start). A recall of an inode, and the
// beginning and the end of a change of our own, bar the inode: they advance the counter and note it
// with the inode. What a reply says of an inode may be learnt if the reply grants it, the inode was
// not barred since the request was sent, and no change of our own is under way. So a reply that was
// overtaken on its way teaches nothing, whatever it says, and no sequence of the server is needed.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "client/cache/node.h"
#include "client/cache/prefetched.h"
#include "common/filesystem.h"
#include "common/limits.h"
#include "common/posix/meta_txn.h"
#include "common/siphash.h"

namespace tarn::cache {

// Thread safety: none; its owner's lock guards it.
// Invariants: a node exists only for inodes on whose lease something was learnt and not recalled;
// contents are known only with the attributes that they came with; `ages_` lists exactly the nodes,
// the longest unused first.
// Bounded: what is known takes about `max_bytes`, and contents `max_contents_bytes` more; beyond
// that the nodes that were not used for the longest go, but not the one that grows.
class Table {
 public:
  static constexpr size_t kNodeBytes = 640;  // what an inode takes, about, without its names

  // Inodes that a reply may teach something about.
  using Learnable = absl::InlinedVector<Ino, 4>;

  Table(const SipKey& hash_key, size_t max_bytes, size_t max_contents_bytes)
      : hash_key_(hash_key), max_bytes_(max_bytes), prefetched_(max_contents_bytes) {}

  // ---- requests ----
  uint64_t Start();
  void End(uint64_t start);
  // Instead of Start, for a request that may wait for long: nothing is kept for its sake, so its
  // reply may teach nothing. It has no End.
  uint64_t Now() const { return clock_; }
  // What a reply to a request begun at `start` may teach; notes the leases it grants. `own`: the
  // inodes that the request itself changes (BeginChange was called for each). Sorted.
  Learnable Admit(const LeaseNews& news, uint64_t start, const std::vector<Ino>& own = {});
  // A recall of `ino` has come since: data read then may be older than the lease.
  bool RecalledSince(Ino ino, uint64_t start) const;
  bool Changing(Ino ino) const { return changing_.contains(ino); }
  bool IsHeld(Ino ino) const { return leases_.contains(ino); }
  // The exclusive lease of the file is held.
  bool MayWrite(Ino ino) const;
  // The file is read, written or locked: counted while its lease is exclusive.
  void NoteUse(Ino ino, int64_t now_nanos);
  uint64_t Uses(Ino ino) const;
  // A holder's slice: so long it may go on with a file that another host waits for. It begins when
  // the lease is first used, or asked about here, since it became exclusive. REQUIRES: MayWrite.
  static constexpr int64_t kSliceNanos = kSecondNanos / 100;
  bool IsSliceOver(Ino ino, int64_t now_nanos);
  void EndSlice(Ino ino);

  // ---- what ends knowledge ----
  void Bar(Ino ino);
  void Apply(const Recall& recall);
  void BeginChange(Ino ino);
  void EndChange(Ino ino);
  // The name is about to change.
  void Doubt(Ino dir, const std::string& name);
  void DropAttr(Ino ino);
  // A directory may have moved.
  void ForgetParent(Ino ino);
  void Clear();
  // Drops the node and takes the lease for a return; nullopt: none is held.
  std::optional<LeaseReturn> TakeLease(Ino ino);

  // ---- learning; only of learnable inodes ----
  void Learn(Handle handle, const Attr& attr);
  // Of an inode whose tag is known already; else nothing is learnt.
  void Learn(const Attr& attr);
  // Of a file under its exclusive lease: what a local write makes of it, or what the server makes
  // of what it has been told, whatever their versions. Nothing if it is not known.
  void Replace(const Attr& attr);
  // Of an inode whose attributes are known; else nothing is learnt. nullopt: there is none.
  void LearnXattr(Ino ino, const std::string& name, const std::optional<std::string>& value);
  void LearnXattrNames(Ino ino, const std::vector<std::string>& names);
  void LearnTarget(Ino ino, const std::string& target);
  void LearnName(Ino dir, const std::string& name, const Dentry& dentry);
  // A directory that was just made: nothing is in it.
  void LearnEmpty(Ino dir, Ino parent);
  void LearnListing(const ReadDirArgs& args, const ReadDirReply& reply);
  // They are kept as long as the attributes that they came with. Nothing if those are not known.
  void LearnContents(const Contents& contents);

  // The figures of the file system, to be used until then. Nothing if that is over.
  void LearnFigures(const StatFsReply& figures, int64_t until_nanos);

  // ---- asking ----
  // Marks it as used. Null: nothing is known.
  Node* Find(Ino ino);
  const Node* Peek(Ino ino) const;
  // What is known of a name; kNoIno in it: absent; nullopt: not known.
  std::optional<Dentry> FindName(const Node& node, std::string_view name) const;
  bool CanList(const Node& node) const;
  // The name is about to be looked up. From where on to list the directory with attributes, if it
  // was listed without them, nothing was asked of it since, and others were looked up before.
  std::optional<uint64_t> NoteLookup(Ino dir, const std::string& name);
  bool HasContents(Ino ino) const { return prefetched_.Has(ino); }
  // nullopt: not known. Time is that of LearnFigures.
  std::optional<StatFsReply> Figures(int64_t now_nanos) const;
  // What a read of the file gets; nullopt: not all of it is known.
  std::optional<Bytes> ReadContents(Ino ino, uint64_t offset, uint64_t size) const;

  size_t nodes() const { return nodes_.size(); }
  size_t bytes() const { return bytes_; }
  size_t leases() const { return leases_.size(); }
  // Inodes that were forgotten for want of room and not learnt again: their leases are still held.
  struct Evicted {
    Ino ino = kNoIno;
    bool directory = false;
  };
  std::vector<Evicted> TakeEvicted();
  size_t evicted() const { return evicted_.size(); }

 private:
  struct Lease {
    uint64_t sequence = 0;  // the last one seen
    bool exclusive = false;
    uint64_t exclusive_at = 0;  // since then, if it is
    uint64_t uses = 0;         // while it is exclusive, as the next
    std::optional<int64_t> slice_end_nanos;  // if the slice has begun
  };
  struct Barrier {
    uint64_t any = 0;
    uint64_t recall = 0;
  };

  bool BarredSince(Ino ino, uint64_t start) const;
  void SetExclusive(Lease& lease, bool exclusive);
  static void BeginSlice(Lease& lease, int64_t now_nanos);
  bool HasAttr(Ino ino) const;
  Node* NodeOf(Ino ino);
  Node* MakeNode(Handle handle);
  void Erase(Ino ino);
  Directory* DirectoryOf(Ino ino);
  void DropXattrs(Node& node);
  // Replaces what is known of a directory's names.
  void SetDirectory(Node& node, Directory dir);
  // It takes so much more, as long as it is known; others may go for it.
  void Charge(Node& node, size_t bytes);
  void Discharge(Node& node, size_t bytes);
  static void ForgetListing(Directory& dir);
  std::pair<uint64_t, std::string> KeyOf(std::string_view name) const {
    return {NameHash(hash_key_, name), std::string(name)};
  }
  void PruneBarriers();

  const SipKey hash_key_;
  const size_t max_bytes_;
  uint64_t clock_ = 1;
  uint64_t all_barred_ = 0;  // replies to requests begun before teach nothing
  uint64_t pruned_ = 0;      // likewise: bars until then may be forgotten
  absl::btree_map<uint64_t, uint32_t> in_flight_;  // starts
  absl::flat_hash_map<Ino, Barrier> barriers_;
  size_t prune_at_ = 1024;
  absl::flat_hash_map<Ino, uint32_t> changing_;
  absl::flat_hash_map<Ino, Lease> leases_;
  absl::flat_hash_map<Ino, std::unique_ptr<Node>> nodes_;
  std::list<Ino> ages_;
  size_t bytes_ = 0;  // of all nodes
  std::vector<Evicted> evicted_;
  Prefetched prefetched_;
  std::optional<StatFsReply> figures_;
  int64_t figures_until_nanos_ = 0;
};

}  // namespace tarn::cache
