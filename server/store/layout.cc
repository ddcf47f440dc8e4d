#include "server/store/layout.h"

#include <algorithm>

namespace tarn::store {

uint32_t Layout::BlockCount(uint64_t size) const {
  return static_cast<uint32_t>(size / block_bytes_ + (size % block_bytes_ != 0 ? 1 : 0));
}

uint64_t Layout::Allocation(uint64_t length) {
  return (length + kAllocationUnit - 1) / kAllocationUnit * kAllocationUnit;
}

uint32_t Layout::BytesIn(uint32_t index, uint64_t size) const {
  const uint64_t start = StartOf(index);
  return start >= size ? 0 : static_cast<uint32_t>(std::min<uint64_t>(block_bytes_, size - start));
}

std::vector<BlockPart> Layout::Split(uint64_t offset, uint64_t length) const {
  std::vector<BlockPart> parts;
  parts.reserve(length / block_bytes_ + 2);
  for (const uint64_t end = offset + length; offset < end;) {
    const uint32_t index = IndexOf(offset);
    const uint64_t part_end = std::min(end, StartOf(index) + block_bytes_);
    const uint64_t start = StartOf(index);
    parts.push_back({index, static_cast<uint32_t>(offset - start),
                     static_cast<uint32_t>(part_end - start)});
    offset = part_end;
  }
  return parts;
}

}  // namespace tarn::store
