#include "client/fuse/dir_stream.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"

namespace tarn::fuse {

std::optional<std::span<const DirEntry>> DirStream::Continue(uint64_t offset, bool plus) const {
  if (offset == 0 || at_ != offset || plus_ != plus) return std::nullopt;
  std::span<const DirEntry> rest = std::span(entries_).subspan(next_);
  if (rest.empty() && !end_) return std::nullopt;
  return rest;
}

std::span<const DirEntry> DirStream::Fill(uint64_t offset, bool plus, ReadDirReply reply) {
  entries_ = std::move(reply.entries);
  next_ = 0;
  at_ = offset;
  plus_ = plus;
  // A reply without entries ends the directory whatever it says: there is no cookie to go on from.
  end_ = reply.end || entries_.empty();
  fetch_bytes_ = std::min<uint32_t>(fetch_bytes_ * 4, kReadDirMaxBytes);
  return entries_;
}

void DirStream::Advance(size_t count) {
  if (count == 0) return;
  next_ += count;
  at_ = entries_[next_ - 1].cookie;
  if (next_ == entries_.size()) {
    entries_.clear();
    next_ = 0;
  }
}

}  // namespace tarn::fuse
