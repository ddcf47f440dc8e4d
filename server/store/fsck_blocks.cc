// Contents, a window of data ids at a time.
#include <fmt/format.h>

#include <algorithm>

#include "server/store/fsck_impl.h"
#include "server/store/keys.h"

namespace tarn::store {
namespace {

uint64_t NumberAt(std::string_view key) { return ReadBe64(key.substr(0, 8)).value_or(0); }

}  // namespace

void Checker::CheckBlocks() {
  for (uint64_t from = 0;;) {
    CollectContents(from);
    WalkBlocks(from);
    CheckContents();
    if (data_last_ == UINT64_MAX) return;
    from = data_last_ + 1;
  }
}

// The `window` files with the smallest data ids from `from` on; data_last_ is the last id of all
// that were looked for.
void Checker::CollectContents(uint64_t from) {
  contents_.clear();
  data_last_ = UINT64_MAX;
  auto less = [](const Contents& a, const Contents& b) { return a.data < b.data; };
  auto shrink = [&] {
    if (contents_.size() <= options_.window) return;
    const auto last = contents_.begin() + static_cast<ptrdiff_t>(options_.window) - 1;
    std::nth_element(contents_.begin(), last, contents_.end(), less);
    data_last_ = last->data;
    std::erase_if(contents_, [&](const Contents& c) { return c.data > data_last_; });
  };
  ToughWalk walk(kv_, Family::kInode, "", "");
  while (walk.Next()) {
    if (walk.damage() != nullptr || walk.key().size() != 8) continue;
    const Ino ino{NumberAt(walk.key())};
    const auto inode = DecodeInode(ino, walk.value());
    if (!inode.ok() || inode->attr.type != FileType::kRegular) continue;
    const uint64_t data = Raw(inode->data);
    if (data == 0 && from == 0 && inode->attr.allocated != 0) {
      FindOf(Raw(ino), fmt::format("should occupy {} bytes, but has no contents",
                                   inode->attr.allocated));
    }
    if (data == 0 || data < from || data > data_last_) continue;
    contents_.push_back({data, Raw(ino), inode->attr.size, inode->attr.allocated, 0, false});
    if (contents_.size() >= 2 * options_.window) shrink();
  }
  shrink();
  std::sort(contents_.begin(), contents_.end(), less);
}

Checker::Contents* Checker::ContentsOf(uint64_t data) {
  const auto it = std::lower_bound(contents_.begin(), contents_.end(), data,
                                   [](const Contents& c, uint64_t n) { return c.data < n; });
  return it != contents_.end() && it->data == data ? &*it : nullptr;
}

void Checker::WalkBlocks(uint64_t from) {
  ToughWalk walk(kv_, Family::kBlock, Be64(from),
                 data_last_ == UINT64_MAX ? "" : Be64(data_last_ + 1), Probe::kEachKey);
  uint64_t ownerless = 0, blocks = 0, bytes = 0;  // a run of blocks that nobody has
  auto end_run = [&] {
    if (blocks > 0) CheckOwnerless(ownerless, blocks, bytes);
    blocks = bytes = 0;
  };
  while (walk.Next()) {
    if (IsDamage(walk)) {
      const Damage& damage = *walk.damage();
      const uint64_t first = NumberAt(damage.from);
      const uint64_t last = damage.to.empty() ? UINT64_MAX : NumberAt(damage.to);
      for (Contents& contents : contents_) {
        if (first <= contents.data && contents.data <= last) contents.doubtful = true;
      }
      continue;
    }
    const auto index = BlockIndexOf(walk.key());
    if (!index) {
      Find(fmt::format("a block has the key {}", PrintKey(walk.key())));
      continue;
    }
    ++report_.blocks;
    const uint64_t data = NumberAt(walk.key());
    const uint64_t length = walk.value().size();
    if (Contents* contents = ContentsOf(data); contents != nullptr) {
      CheckBlock(*contents, *index, length);
      continue;
    }
    if (data != ownerless) end_run();
    ownerless = data;
    ++blocks;
    bytes += length;
  }
  end_run();
}

void Checker::CheckBlock(Contents& contents, uint32_t index, uint64_t length) {
  contents.found += Layout::Allocation(length);
  const uint64_t most = layout_.BytesIn(index, contents.size);
  if (length <= most) return;
  FindOf(contents.ino, fmt::format("its block {} has {} bytes, but only {} lie within its size {}",
                                   index, length, most, contents.size));
}

// Blocks without a file are right where a record says that they are to be freed.
void Checker::CheckOwnerless(uint64_t data, uint64_t blocks, uint64_t bytes) {
  largest_data_ = std::max(largest_data_, data);
  const auto garbage = kv_.Get(Family::kOrphan, GarbageKey(DataId{data}), Tier::kScan);
  if (!garbage.ok() || *garbage || !lost_inodes_.empty()) return;
  Find(fmt::format("{} bytes in {} blocks of contents {} belong to no file, and nobody will free "
                   "them", bytes, blocks, data));
}

void Checker::CheckContents() {
  for (size_t i = 0; i < contents_.size(); ++i) {
    const Contents& contents = contents_[i];
    if (i > 0 && contents_[i - 1].data == contents.data) {
      FindOf(contents.ino, fmt::format("has the same contents as inode {}", contents_[i - 1].ino));
      continue;
    }
    if (contents.doubtful || contents.found == contents.allocated) continue;
    FindOf(contents.ino, fmt::format("is said to occupy {} bytes, but its blocks occupy {}",
                                     contents.allocated, contents.found));
  }
}

}  // namespace tarn::store
