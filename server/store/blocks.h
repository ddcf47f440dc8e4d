// The contents of files, within one transaction: reads, writes and holes in terms of blocks, seen
// with the transaction's own changes, which AppendTo turns into one batch.
//
// A partial overwrite reads the one block; a whole one reads nothing where the file is dense. What
// a file occupies (`allocated`) is always exact: see layout.h.
// Thread safety: one thread at a time. Lifetime: not beyond the Kv and the allocator.
// Invariants: contents that a batch cuts off or frees are never read again under their data id.
// Errors of everything: kBlocked, EIO; EFBIG beyond kFileMaxBytes.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "common/bytes.h"
#include "common/posix/meta_txn.h"
#include "server/store/ids.h"
#include "server/store/kv.h"
#include "server/store/layout.h"
#include "server/store/records.h"

namespace tarn::store {

// Contents up to so many blocks are deleted key by key in the transaction that drops them; more
// takes one range, or is left to the reclaimer.
inline constexpr uint32_t kPointDeletesMax = 64;

class Blocks {
 public:
  Blocks(Kv& kv, Tier tier, uint32_t block_bytes, IdAllocator& data_ids)
      : kv_(kv), tier_(tier), layout_(block_bytes), data_ids_(data_ids) {}

  // Bytes [offset, offset + n) as far as the file goes: values pinned, holes shared zeros.
  Result<Bytes> Read(const Inode& inode, uint64_t offset, uint64_t n);

  // These change size, allocated and data of `inode`; nothing of it when they fail.
  Status Write(Inode& inode, uint64_t offset, const Bytes& data);
  Status SetSize(Inode& inode, uint64_t size);
  Status DropRange(Inode& inode, uint64_t offset, uint64_t length);
  // Drops all contents: small ones with the batch, others as garbage for the reclaimer.
  void Free(Inode& inode);

  // See Txn in store.h. REQUIRES: offset is below the size.
  Result<std::optional<uint64_t>> FindData(const Inode& inode, uint64_t offset);
  Result<uint64_t> FindHole(const Inode& inode, uint64_t offset);

  void AppendTo(Batch& batch) const;
  // What the batch deletes: data ids and bytes, for FreedSpace.
  const std::vector<std::pair<DataId, uint64_t>>& freed() const { return freed_; }

 private:
  using Block = std::optional<Bytes>;  // nullopt: a hole
  struct Changes {
    std::map<uint32_t, Block> blocks;  // as they will be; wins over `cuts`
    std::vector<BlockRange> cuts;      // deleted in the Kv
  };
  class Walk;

  const Changes* ChangesOf(DataId data) const;
  // The blocks of `indexes` (ascending).
  Result<std::vector<Block>> Fetch(DataId data, const std::vector<uint32_t>& indexes);
  Result<Block> FetchOne(DataId data, uint32_t index);
  // What the blocks of `range` occupy.
  Result<uint64_t> AllocationOf(const Inode& inode, BlockRange range);
  Result<uint64_t> SumAllocation(DataId data, BlockRange range);
  void Put(DataId data, uint32_t index, Block block) {
    changes_[data].blocks.insert_or_assign(index, std::move(block));
  }
  void Remove(DataId data, BlockRange range);
  // Zeroes a part of one block; the change in `allocated`.
  Result<int64_t> DropPart(DataId data, const BlockPart& part);

  Kv& kv_;
  const Tier tier_;
  const Layout layout_;
  IdAllocator& data_ids_;
  std::map<DataId, Changes> changes_;
  std::vector<std::pair<DataId, Garbage>> garbage_;
  std::vector<std::pair<DataId, uint64_t>> freed_;
};

}  // namespace tarn::store
