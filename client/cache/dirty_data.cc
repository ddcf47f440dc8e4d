#include "client/cache/dirty_data.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace tarn::cache {

DirtyData::Ranges::const_iterator DirtyData::FirstBeyond(uint64_t offset) const {
  auto it = ranges_.upper_bound(offset);
  if (it == ranges_.begin()) return it;
  const auto before = std::prev(it);
  return before->first + before->second.size() > offset ? before : it;
}

void DirtyData::Put(uint64_t offset, Bytes data) {
  if (data.empty()) return;
  const uint64_t end = offset + data.size();
  // Cuts what lies under it.
  for (auto it = FirstBeyond(offset); it != ranges_.end() && it->first < end;) {
    const uint64_t start = it->first;
    Bytes old = it->second;
    bytes_ -= old.size();
    it = ranges_.erase(it);
    const uint64_t old_end = start + old.size();
    if (start < offset) {
      bytes_ += offset - start;
      ranges_.emplace(start, old.Sub(0, offset - start));
    }
    if (old_end > end) {
      bytes_ += old_end - end;
      it = ranges_.emplace(end, old.Sub(end - start, old_end - end)).first;
    }
  }
  bytes_ += data.size();
  const auto after = ranges_.lower_bound(offset);
  if (after != ranges_.begin()) {
    const auto before = std::prev(after);
    if (before->first + before->second.size() == offset) {
      before->second.Append(std::move(data));
      return;
    }
  }
  ranges_.emplace_hint(after, offset, std::move(data));
}

bool DirtyData::Touches(uint64_t offset, uint64_t n) const {
  const auto it = FirstBeyond(offset);
  return n > 0 && it != ranges_.end() && it->first < offset + n;
}

bool DirtyData::Covers(uint64_t offset, uint64_t n) const {
  uint64_t at = offset;
  for (auto it = FirstBeyond(offset); at < offset + n; ++it) {
    if (it == ranges_.end() || it->first > at) return false;
    at = it->first + it->second.size();
  }
  return true;
}

Bytes DirtyData::Copy(uint64_t offset, uint64_t n) const {
  Bytes out;
  uint64_t at = offset;
  for (auto it = FirstBeyond(offset); at < offset + n; ++it) {
    const uint64_t skip = at - it->first;
    const uint64_t some = std::min<uint64_t>(it->second.size() - skip, offset + n - at);
    out.Append(it->second.Sub(skip, some));
    at += some;
  }
  return out;
}

std::vector<DirtyData::Piece> DirtyData::Pieces(uint64_t max) const {
  std::vector<Piece> pieces;
  for (const auto& [start, data] : ranges_) {
    for (uint64_t at = 0; at < data.size();) {
      const uint64_t to_border = max - (start + at) % max;
      const uint64_t some = std::min<uint64_t>(to_border, data.size() - at);
      pieces.push_back({start + at, data.Sub(at, some)});
      at += some;
    }
  }
  return pieces;
}

}  // namespace tarn::cache
