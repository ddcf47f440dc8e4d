// A transaction on the store: reads of the engine under an overlay of what the transaction wrote,
// and one batch of it all at Commit.
//
// Thread safety: one thread at a time. Lifetime: not beyond the store.
// Invariants: nothing of an inode is read from the engine before the guard has allowed it. Usage
// counts the inodes with a name (nlink above 0), and what they occupy.
// Errors: see MetaTxn and Txn. A write that the guard forbids makes Commit fail with kBlocked.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "server/store/blocks.h"
#include "server/store/core.h"
#include "server/store/store.h"

namespace tarn::store {

class StoreTxn : public Txn {
 public:
  StoreTxn(StoreCore& core, Tier tier, RecordGuard guard);

  Result<std::optional<Inode>> GetInode(Ino ino) override;
  Result<std::optional<Dentry>> GetDentry(Ino dir, std::string_view name) override;
  Result<std::vector<NamedDentry>> ListDentries(Ino dir, uint64_t after,
                                                size_t max_bytes) override;
  Result<bool> HasDentries(Ino dir) override;
  Result<std::optional<std::string>> GetXattr(Ino ino, std::string_view name) override;
  Result<std::vector<std::string>> ListXattrs(Ino ino) override;

  void PutInode(const Inode& inode) override;
  void PutDentry(Ino dir, std::string_view name, const Dentry& dentry) override;
  void DeleteDentry(Ino dir, std::string_view name) override;
  void PutXattr(Ino ino, std::string_view name, std::string_view value) override;
  void DeleteXattr(Ino ino, std::string_view name) override;
  void PutOrphan(Ino ino) override;
  void DeleteOrphan(Ino ino) override;

  Status SetSize(Inode& inode, uint64_t size) override;
  Status DropRange(Inode& inode, uint64_t offset, uint64_t length) override;
  Result<Ino> NewIno() override;
  Timestamp Now() override;
  const Limits& limits() const override { return core_.limits; }

  Result<Bytes> ReadData(const Inode& inode, uint64_t offset, size_t n) override;
  Status WriteData(Inode& inode, uint64_t offset, const Bytes& data) override;
  Result<std::optional<uint64_t>> FindData(const Inode& inode, uint64_t offset) override;
  Result<uint64_t> FindHole(const Inode& inode, uint64_t offset) override;

  void ForEachChange(ChangeVisitor visit) const override;
  bool ChangesUsage() const override;
  void KeepReply(SessionId session, uint32_t slot, const KeptReply& reply) override;
  Status Commit() override;

 private:
  // Changes of one family: key to value, nullopt to delete.
  using Overlay = std::map<std::string, std::optional<std::string>, std::less<>>;
  class Merged;  // walks a range of a family under its overlay

  struct InodeState {
    bool base_known = false;     // `base` is what the engine has
    bool written = false;
    std::optional<Inode> base;
    std::optional<Inode> value;  // as the transaction sees it
  };
  struct Usage {
    int64_t bytes = 0;
    int64_t inodes = 0;
  };

  // False: the inode came with this transaction, so nobody knows it.
  bool WasThere(Ino ino) const;
  bool Allows(Ino ino) { return !guard_ || guard_(ino); }
  // For writes: what is not allowed now fails at Commit.
  void Touch(Ino ino) { forbidden_ = forbidden_ || !Allows(ino); }
  Result<std::optional<std::string>> Read(Family f, const Overlay& overlay, std::string_view key);
  Result<std::optional<Inode>> LoadInode(Ino ino);
  std::string KeyOf(Ino dir, std::string_view name) const;
  // What the transaction changes of each quota id's usage.
  Result<std::map<QuotaId, Usage>> UsageChanges();
  Status AppendInodes(Batch& batch, Usage& total);

  StoreCore& core_;
  const Tier tier_;
  const RecordGuard guard_;
  Blocks blocks_;
  absl::flat_hash_map<Ino, InodeState> inodes_;
  Overlay dentries_, xattrs_, orphans_, replies_;
  std::optional<Timestamp> now_;
  bool forbidden_ = false;
};

}  // namespace tarn::store
