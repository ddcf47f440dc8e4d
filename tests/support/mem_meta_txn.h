// MetaTxn on maps in memory: the rules of POSIX without a store.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "common/posix/meta_txn.h"
#include "common/siphash.h"

namespace tarn::testing {

// A file system's records. Starts with a root directory, owned by root, mode 0755.
// Thread safety: none. Invariants: at most one transaction at a time.
struct MemMeta {
  explicit MemMeta(uint64_t block_bytes = 4096);
  bool operator==(const MemMeta&) const = default;

  // Directory, NameHash of the name, name.
  using Place = std::tuple<Ino, uint64_t, std::string>;

  SipKey hash_key{1, 2};
  uint64_t block_bytes;
  Limits limits;
  uint64_t next_ino = 2;
  std::map<Ino, Inode> inodes;
  std::map<Place, Dentry> dentries;
  std::map<std::pair<Ino, std::string>, std::string> xattrs;
  std::set<Ino> orphans;

  // What breaks the invariants of the whole (links, parents, subdirectory counts, orphans), a line
  // for each fault; empty when all is well.
  std::vector<std::string> Check() const;
};

// One transaction. Writes go to the store at once and are taken back if it ends without Commit.
// Contents do not exist: SetSize and DropRange only do their sums, taking a file for without holes.
// Thread safety: none. Lifetime: within that of its MemMeta.
class MemMetaTxn : public MetaTxn {
 public:
  MemMetaTxn(MemMeta& meta, Timestamp now) : meta_(meta), now_(now) {}
  ~MemMetaTxn() override;
  MemMetaTxn(const MemMetaTxn&) = delete;
  MemMetaTxn& operator=(const MemMetaTxn&) = delete;

  void Commit() { undo_.clear(); }

  // The next read of anything of `ino` yields kBlocked, once.
  void BlockOnce(Ino ino) { blocked_.insert(ino); }
  // The read number `n` from now (0: the next) yields kBlocked, whatever it reads.
  void BlockReadNumber(int n) { reads_until_block_ = n; }
  // True until that read has come.
  bool BlockPending() const { return reads_until_block_ >= 0; }

  Result<std::optional<Inode>> GetInode(Ino ino) override;
  Result<std::optional<Dentry>> GetDentry(Ino dir, std::string_view name) override;
  Result<std::vector<NamedDentry>> ListDentries(Ino dir, uint64_t after, size_t max_bytes) override;
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
  const Limits& limits() const override { return meta_.limits; }

 private:
  // kBlocked if this read is to fail.
  Status Read(Ino ino);
  MemMeta::Place PlaceOf(Ino dir, std::string_view name) const;
  // Sets or, with nullopt, erases `key` of `map`, and notes how to take that back.
  template <class Map>
  void Assign(Map& map, const typename Map::key_type& key,
              std::optional<typename Map::mapped_type> value);

  MemMeta& meta_;
  const Timestamp now_;
  std::vector<std::function<void()>> undo_;
  std::set<Ino> blocked_;
  int reads_until_block_ = -1;
};

}  // namespace tarn::testing
