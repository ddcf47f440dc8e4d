#include "server/store/blocks.h"

#include <algorithm>
#include <memory>

#include "server/store/keys.h"

namespace tarn::store {
namespace {

bool Contains(const std::vector<BlockRange>& ranges, uint32_t index) {
  return std::any_of(ranges.begin(), ranges.end(), [index](const BlockRange& range) {
    return range.first <= index && index < range.limit;
  });
}

uint64_t AllocationOfBlock(const std::optional<Bytes>& block) {
  return block ? Layout::Allocation(block->size()) : 0;
}

// `old` with [begin, begin + data.size()) replaced; a gap before it becomes zeros.
Bytes Splice(const std::optional<Bytes>& old, size_t begin, Bytes data) {
  const size_t old_size = old ? old->size() : 0;
  const size_t end = begin + data.size();
  Bytes out;
  if (begin > 0) {
    const size_t kept = std::min(begin, old_size);
    if (kept > 0) out = old->Sub(0, kept);
    if (kept < begin) out.Append(Bytes::Zeros(begin - kept));
  }
  out.Append(std::move(data));
  if (old_size > end) out.Append(old->Sub(end, old_size - end));
  return out;
}

}  // namespace

// The blocks that are there in a range, ascending: the Kv's under the transaction's changes.
class Blocks::Walk {
 public:
  Walk(Blocks& blocks, DataId data, BlockRange range) : changes_(blocks.ChangesOf(data)) {
    it_ = blocks.kv_.Iterate(Family::kBlock, BlockKey(data, range.first),
                             BlockKey(data, range.limit), blocks.tier_);
    it_->Seek(BlockKey(data, range.first));
    if (changes_ == nullptr) return;
    change_ = changes_->blocks.lower_bound(range.first);
    changes_end_ = changes_->blocks.lower_bound(range.limit);
  }

  struct Item {
    uint32_t index = 0;
    uint64_t length = 0;
  };
  // nullopt: no more.
  Result<std::optional<Item>> Next() {
    for (;;) {
      std::optional<uint32_t> stored;
      if (it_->Valid()) {
        stored = BlockIndexOf(it_->key());
        if (!stored) return Error(Errno::kEIO, "corrupt block key " + PrintKey(it_->key()));
      } else {
        RETURN_IF_ERROR(it_->status());
      }
      const bool changed = changes_ != nullptr && change_ != changes_end_;
      if (!stored && !changed) return std::optional<Item>();
      if (changed && (!stored || change_->first <= *stored)) {
        const auto& [index, block] = *change_++;
        if (stored == index) it_->Next();
        if (block) return std::optional<Item>({index, block->size()});
        continue;
      }
      const Item item{*stored, it_->value().size()};
      it_->Next();
      if (changes_ == nullptr || !Contains(changes_->cuts, item.index)) {
        return std::optional<Item>(item);
      }
    }
  }

 private:
  const Changes* const changes_;
  std::unique_ptr<KvIterator> it_;
  std::map<uint32_t, Block>::const_iterator change_, changes_end_;
};

const Blocks::Changes* Blocks::ChangesOf(DataId data) const {
  auto it = changes_.find(data);
  return it == changes_.end() ? nullptr : &it->second;
}

Result<std::vector<Blocks::Block>> Blocks::Fetch(DataId data,
                                                 const std::vector<uint32_t>& indexes) {
  const Changes* changes = ChangesOf(data);
  std::vector<Block> blocks(indexes.size());
  std::vector<std::string> keys;
  std::vector<size_t> places;
  for (size_t i = 0; i < indexes.size(); ++i) {
    if (changes != nullptr) {
      auto it = changes->blocks.find(indexes[i]);
      if (it != changes->blocks.end()) {
        blocks[i] = it->second;
        continue;
      }
      if (Contains(changes->cuts, indexes[i])) continue;
    }
    keys.push_back(BlockKey(data, indexes[i]));
    places.push_back(i);
  }
  auto place = [&](size_t i, std::optional<ByteSlice>& value) {
    if (value) blocks[places[i]].emplace().Append(*std::move(value));
  };
  if (keys.size() == 1) {
    ASSIGN_OR_RETURN(std::optional<ByteSlice> value, kv_.Get(Family::kBlock, keys[0], tier_));
    place(0, value);
  } else if (!keys.empty()) {
    ASSIGN_OR_RETURN(auto values, kv_.GetMany(Family::kBlock, keys, tier_));
    for (size_t i = 0; i < values.size(); ++i) place(i, values[i]);
  }
  return blocks;
}

Result<Blocks::Block> Blocks::FetchOne(DataId data, uint32_t index) {
  ASSIGN_OR_RETURN(std::vector<Block> blocks, Fetch(data, {index}));
  return std::move(blocks[0]);
}

Result<Bytes> Blocks::Read(const Inode& inode, uint64_t offset, uint64_t n) {
  if (offset >= inode.attr.size) return Bytes();
  n = std::min(n, inode.attr.size - offset);
  if (inode.data == DataId{}) return Bytes::Zeros(n);
  const std::vector<BlockPart> parts = layout_.Split(offset, n);
  std::vector<uint32_t> indexes(parts.size());
  std::transform(parts.begin(), parts.end(), indexes.begin(),
                 [](const BlockPart& part) { return part.index; });
  ASSIGN_OR_RETURN(std::vector<Block> blocks, Fetch(inode.data, indexes));
  Bytes out;
  for (size_t i = 0; i < parts.size(); ++i) {
    const BlockPart& part = parts[i];
    const size_t length = blocks[i] ? blocks[i]->size() : 0;
    const size_t there = std::min<size_t>(part.end, length);
    if (there > part.begin) out.Append(blocks[i]->Sub(part.begin, there - part.begin));
    out.Append(Bytes::Zeros(part.end - std::max<size_t>(part.begin, there)));
  }
  return out;
}

Status Blocks::Write(Inode& inode, uint64_t offset, const Bytes& data) {
  if (data.empty()) return Ok();
  if (offset > kFileMaxBytes || data.size() > kFileMaxBytes - offset) return Errno::kEFBIG;
  const Attr& attr = inode.attr;
  const bool dense = Layout::IsDense(attr.size, attr.allocated);
  const std::vector<BlockPart> parts = layout_.Split(offset, data.size());
  std::vector<uint32_t> needed;  // whose old value matters, if only for its length
  for (const BlockPart& part : parts) {
    const uint32_t old_bytes = layout_.BytesIn(part.index, attr.size);
    const bool covered = part.begin == 0 && part.end >= old_bytes;
    if (old_bytes > 0 && !(covered && dense)) needed.push_back(part.index);
  }
  std::vector<Block> old;
  if (inode.data == DataId{}) {
    ASSIGN_OR_RETURN(const uint64_t id, data_ids_.Next(tier_));
    inode.data = DataId{id};
    needed.clear();
  } else {
    ASSIGN_OR_RETURN(old, Fetch(inode.data, needed));
  }
  uint64_t allocated = attr.allocated;
  size_t done = 0;
  auto next = needed.begin();
  for (const BlockPart& part : parts) {
    Block before;
    uint64_t occupied = 0;
    if (next != needed.end() && *next == part.index) {
      before = std::move(old[next - needed.begin()]);
      occupied = AllocationOfBlock(before);
      ++next;
    } else if (dense) {
      occupied = Layout::Allocation(layout_.BytesIn(part.index, attr.size));
    }
    Bytes after = Splice(before, part.begin, data.Sub(done, part.size()));
    done += part.size();
    allocated = allocated - occupied + Layout::Allocation(after.size());
    Put(inode.data, part.index, std::move(after));
  }
  inode.attr.allocated = allocated;
  inode.attr.size = std::max(attr.size, offset + data.size());
  return Ok();
}

Result<uint64_t> Blocks::SumAllocation(DataId data, BlockRange range) {
  uint64_t sum = 0;
  if (range.empty()) return sum;
  Walk walk(*this, data, range);
  for (;;) {
    ASSIGN_OR_RETURN(std::optional<Walk::Item> item, walk.Next());
    if (!item) return sum;
    sum += Layout::Allocation(item->length);
  }
}

Result<uint64_t> Blocks::AllocationOf(const Inode& inode, BlockRange range) {
  const Attr& attr = inode.attr;
  if (range.empty()) return uint64_t{0};
  if (Layout::IsDense(attr.size, attr.allocated)) {
    const uint64_t end = std::min(layout_.StartOf(range.limit - 1) + layout_.block_bytes(),
                                  attr.size);
    return Layout::Allocation(end) - layout_.StartOf(range.first);
  }
  const uint32_t count = layout_.BlockCount(attr.size);
  if (range.size() <= count / 2) return SumAllocation(inode.data, range);
  // Fewer blocks outside the range than in it.
  ASSIGN_OR_RETURN(const uint64_t before, SumAllocation(inode.data, {0, range.first}));
  ASSIGN_OR_RETURN(const uint64_t after, SumAllocation(inode.data, {range.limit, count}));
  return attr.allocated - before - after;
}

void Blocks::Remove(DataId data, BlockRange range) {
  if (range.empty()) return;
  Changes& changes = changes_[data];
  if (range.size() <= kPointDeletesMax) {
    for (uint32_t i = range.first; i < range.limit; ++i) Put(data, i, Block());
    return;
  }
  changes.blocks.erase(changes.blocks.lower_bound(range.first),
                       changes.blocks.lower_bound(range.limit));
  changes.cuts.push_back(range);
}

Status Blocks::SetSize(Inode& inode, uint64_t size) {
  if (size > kFileMaxBytes) return Errno::kEFBIG;
  const uint64_t old_size = inode.attr.size;
  if (size == 0) Free(inode);
  if (size >= old_size || inode.data == DataId{}) {
    inode.attr.size = size;
    return Ok();
  }
  const BlockRange dead{layout_.BlockCount(size), layout_.BlockCount(old_size)};
  ASSIGN_OR_RETURN(uint64_t less, AllocationOf(inode, dead));
  const uint32_t last = dead.first - 1;
  const uint32_t length = layout_.BytesIn(last, size);
  if (length < layout_.block_bytes()) {
    ASSIGN_OR_RETURN(Block block, FetchOne(inode.data, last));
    if (block && block->size() > length) {
      less += AllocationOfBlock(block) - Layout::Allocation(length);
      Put(inode.data, last, block->Sub(0, length));
    }
  }
  Remove(inode.data, dead);
  if (less > 0) freed_.emplace_back(inode.data, less);
  inode.attr.allocated -= less;
  inode.attr.size = size;
  return Ok();
}

Result<int64_t> Blocks::DropPart(DataId data, const BlockPart& part) {
  ASSIGN_OR_RETURN(Block block, FetchOne(data, part.index));
  if (!block || block->size() <= part.begin) return int64_t{0};
  const auto before = static_cast<int64_t>(AllocationOfBlock(block));
  Block after;
  if (block->size() > part.end) {
    after = Splice(block, part.begin, Bytes::Zeros(part.size()));
  } else if (part.begin > 0) {
    after = block->Sub(0, part.begin);
  }
  const auto change = static_cast<int64_t>(AllocationOfBlock(after)) - before;
  Put(data, part.index, std::move(after));
  return change;
}

Status Blocks::DropRange(Inode& inode, uint64_t offset, uint64_t length) {
  const uint64_t size = inode.attr.size;
  if (offset >= size || length == 0 || inode.data == DataId{}) return Ok();
  const uint64_t end = offset + std::min(length, size - offset);
  // Whole blocks; the one with the file's end is whole when its bytes are.
  const uint64_t block_bytes = layout_.block_bytes();
  const BlockRange whole{layout_.BlockCount(offset),
                         end == size ? layout_.BlockCount(end) : layout_.IndexOf(end)};
  ASSIGN_OR_RETURN(const uint64_t less, AllocationOf(inode, whole));
  int64_t change = -static_cast<int64_t>(less);
  const uint64_t head_end = std::min(end, layout_.StartOf(layout_.IndexOf(offset)) + block_bytes);
  if (offset % block_bytes != 0) {
    const BlockPart head = layout_.Split(offset, head_end - offset)[0];
    ASSIGN_OR_RETURN(const int64_t head_change, DropPart(inode.data, head));
    change += head_change;
  }
  const uint64_t tail_start = layout_.StartOf(layout_.IndexOf(end));
  const bool tail_is_head = offset % block_bytes != 0 && tail_start < offset;
  if (end != size && end > tail_start && !tail_is_head) {
    const BlockPart tail = layout_.Split(tail_start, end - tail_start)[0];
    ASSIGN_OR_RETURN(const int64_t tail_change, DropPart(inode.data, tail));
    change += tail_change;
  }
  Remove(inode.data, whole);
  inode.attr.allocated += static_cast<uint64_t>(change);
  if (change < 0) freed_.emplace_back(inode.data, static_cast<uint64_t>(-change));
  return Ok();
}

void Blocks::Free(Inode& inode) {
  if (inode.data == DataId{}) return;
  const uint32_t count = layout_.BlockCount(inode.attr.size);
  changes_.erase(inode.data);
  if (count <= kPointDeletesMax) {
    Remove(inode.data, {0, count});
    freed_.emplace_back(inode.data, inode.attr.allocated);
  } else {
    garbage_.emplace_back(inode.data, Garbage{count, inode.attr.allocated});
  }
  inode.data = DataId{};
  inode.attr.allocated = 0;
}

Result<std::optional<uint64_t>> Blocks::FindData(const Inode& inode, uint64_t offset) {
  const Attr& attr = inode.attr;
  if (inode.data == DataId{} || attr.allocated == 0) return std::optional<uint64_t>();
  if (Layout::IsDense(attr.size, attr.allocated)) return std::optional(offset);
  Walk walk(*this, inode.data, {layout_.IndexOf(offset), layout_.BlockCount(attr.size)});
  for (;;) {
    ASSIGN_OR_RETURN(std::optional<Walk::Item> item, walk.Next());
    if (!item) return std::optional<uint64_t>();
    const uint64_t start = layout_.StartOf(item->index);
    if (start + Layout::Allocation(item->length) > offset) {
      return std::optional(std::max(start, offset));
    }
  }
}

Result<uint64_t> Blocks::FindHole(const Inode& inode, uint64_t offset) {
  const Attr& attr = inode.attr;
  if (inode.data == DataId{} || attr.allocated == 0) return offset;
  if (Layout::IsDense(attr.size, attr.allocated)) return attr.size;
  Walk walk(*this, inode.data, {layout_.IndexOf(offset), layout_.BlockCount(attr.size)});
  uint64_t hole = offset;
  for (;;) {
    ASSIGN_OR_RETURN(std::optional<Walk::Item> item, walk.Next());
    if (!item || layout_.StartOf(item->index) > hole) return std::min(hole, attr.size);
    hole = std::max(hole, layout_.StartOf(item->index) + Layout::Allocation(item->length));
  }
}

void Blocks::AppendTo(Batch& batch) const {
  for (const auto& [data, changes] : changes_) {
    for (const BlockRange& cut : changes.cuts) {
      batch.DeleteRange(Family::kBlock, BlockKey(data, cut.first), BlockKey(data, cut.limit));
    }
    for (const auto& [index, block] : changes.blocks) {
      if (block) {
        batch.Put(Family::kBlock, BlockKey(data, index), *block);
      } else {
        batch.Delete(Family::kBlock, BlockKey(data, index));
      }
    }
  }
  for (const auto& [data, garbage] : garbage_) {
    batch.Put(Family::kOrphan, GarbageKey(data), Bytes::FromString(EncodeGarbage(garbage)));
  }
}

}  // namespace tarn::store
