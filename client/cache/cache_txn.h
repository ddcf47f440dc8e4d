// The posix rules' view of a Table: what is not known is blocked, and nothing is ever written.
#pragma once

#include "client/cache/table.h"
#include "common/posix/meta_txn.h"

namespace tarn::cache {

// Only for rules that read: a write ends the program, for it could be lost silently.
// Thread safety: as the table. Lifetime: not beyond the table, nor its owner's lock.
class CacheTxn final : public MetaTxn {
 public:
  CacheTxn(Table& table, Timestamp now) : table_(table), now_(now) {}

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
  Timestamp Now() override { return now_; }

 private:
  Table& table_;
  const Timestamp now_;
};

}  // namespace tarn::cache
