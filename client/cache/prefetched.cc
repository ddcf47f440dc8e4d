#include "client/cache/prefetched.h"

#include <algorithm>
#include <utility>

namespace tarn::cache {

void Prefetched::Put(Ino ino, uint64_t offset, Bytes data) {
  Drop(ino);
  bytes_ += data.size();
  files_[ino] = {offset, std::move(data), ages_.insert(ages_.end(), ino)};
  while (bytes_ > max_bytes_) Drop(ages_.front());
}

void Prefetched::Drop(Ino ino) {
  const auto it = files_.find(ino);
  if (it == files_.end()) return;
  bytes_ -= it->second.data.size();
  ages_.erase(it->second.age);
  files_.erase(it);
}

void Prefetched::Clear() {
  files_.clear();
  ages_.clear();
  bytes_ = 0;
}

std::optional<Bytes> Prefetched::Read(Ino ino, uint64_t offset, uint64_t size,
                                      uint64_t file_size) const {
  const auto it = files_.find(ino);
  if (it == files_.end()) return std::nullopt;
  if (offset >= file_size) return Bytes();
  const File& file = it->second;
  const uint64_t wanted = std::min(size, file_size - offset);
  const bool here = offset >= file.offset && offset - file.offset <= file.data.size() &&
                    wanted <= file.data.size() - (offset - file.offset);
  if (!here) return std::nullopt;
  return file.data.Sub(offset - file.offset, wanted);
}

}  // namespace tarn::cache
