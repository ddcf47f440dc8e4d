// Arithmetic of file contents: which bytes lie in which block, and what they occupy. Pure.
//
// A block's value may be shorter than the block; the rest reads as zeros and occupies nothing. No
// value reaches beyond the file's size, and no block exists beyond the one that holds its end.
#pragma once

#include <cstdint>
#include <vector>

#include "common/limits.h"

namespace tarn::store {

// What `allocated` counts in.
inline constexpr uint64_t kAllocationUnit = 4096;

// Bytes [begin, end) of one block; never empty.
struct BlockPart {
  uint32_t index = 0;
  uint32_t begin = 0;
  uint32_t end = 0;
  bool operator==(const BlockPart&) const = default;
  uint32_t size() const { return end - begin; }
};

// Blocks [first, limit).
struct BlockRange {
  uint32_t first = 0;
  uint32_t limit = 0;
  bool operator==(const BlockRange&) const = default;
  bool empty() const { return first >= limit; }
  uint32_t size() const { return empty() ? 0 : limit - first; }
};

class Layout {
 public:
  // REQUIRES: a power of two, at least kAllocationUnit and enough for kFileMaxBytes in 2^32 blocks.
  explicit Layout(uint32_t block_bytes) : block_bytes_(block_bytes) {}

  uint32_t block_bytes() const { return block_bytes_; }
  uint64_t StartOf(uint32_t index) const { return uint64_t{index} * block_bytes_; }
  uint32_t IndexOf(uint64_t offset) const { return static_cast<uint32_t>(offset / block_bytes_); }
  // How many blocks a file of `size` bytes has, holes counted.
  uint32_t BlockCount(uint64_t size) const;
  // What a block with a value of `length` bytes, or a dense file of that size, occupies.
  static uint64_t Allocation(uint64_t length);
  // Every byte of the file is data: each block is there, with all units that it can have.
  static bool IsDense(uint64_t size, uint64_t allocated) { return allocated == Allocation(size); }
  // How many bytes of a file of `size` lie in the block; 0 beyond the end.
  uint32_t BytesIn(uint32_t index, uint64_t size) const;
  // The parts of [offset, offset + length), ascending.
  std::vector<BlockPart> Split(uint64_t offset, uint64_t length) const;

 private:
  uint32_t block_bytes_;
};

static_assert(kFileMaxBytes / kBlockBytes < UINT32_MAX, "block indexes have 32 bits");
static_assert((kBlockBytes & (kBlockBytes - 1)) == 0 && kBlockBytes >= kAllocationUnit);

}  // namespace tarn::store
