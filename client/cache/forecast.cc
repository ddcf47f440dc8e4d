#include "client/cache/forecast.h"

#include <bit>
#include <utility>

#include "common/limits.h"

namespace tarn::cache {

Prefetch Forecast::Of(const LookupArgs& /*args*/) const {
  const bool likely = static_cast<size_t>(std::popcount(were_read_)) * 2 >= kLookedAt;
  return {.offset = 0, .size = likely ? kPrefetchMaxBytes : 0};
}

Prefetch Forecast::Of(const GetAttrArgs& args) const {
  const auto it = known_.find(args.inode.ino);
  if (it == known_.end() || it->second.asked) return {};
  return {.offset = it->second.offset, .size = kPrefetchMaxBytes};
}

void Forecast::NoteLookup(const Attr& attr) {
  if (attr.type != FileType::kRegular || attr.size == 0 || attr.size > kPrefetchMaxBytes) return;
  const Looked oldest = std::exchange(pending_[next_], {attr.ino, false});
  next_ = (next_ + 1) % kPending;
  if (oldest.ino == kNoIno) return;
  were_read_ = static_cast<uint16_t>(were_read_ << 1 | (oldest.read ? 1 : 0));
}

void Forecast::NoteAttr(Ino ino) {
  const auto it = known_.find(ino);
  if (it != known_.end()) it->second.asked = true;
}

void Forecast::NoteRead(Ino ino, uint64_t offset, uint64_t size) {
  if (size > kPrefetchMaxBytes) return;
  for (Looked& looked : pending_) looked.read |= looked.ino == ino;
  const auto [it, is_new] = known_.try_emplace(ino);
  if (is_new || std::exchange(it->second.asked, false)) it->second.offset = offset;
  if (!is_new) return ages_.splice(ages_.end(), ages_, it->second.age);
  it->second.age = ages_.insert(ages_.end(), ino);
  if (known_.size() <= kRemembered) return;
  known_.erase(ages_.front());
  ages_.pop_front();
}

}  // namespace tarn::cache
