// Contents of small files, or of where a file was read last, that came with their attributes.
#pragma once

#include <cstdint>
#include <list>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "common/bytes.h"
#include "common/types.h"

namespace tarn::cache {

// Thread safety: none; its owner's lock guards it.
// Bounded: beyond `max_bytes` the longest kept go.
class Prefetched {
 public:
  explicit Prefetched(size_t max_bytes) : max_bytes_(max_bytes) {}

  // In place of what there is of the file.
  void Put(Ino ino, uint64_t offset, Bytes data);
  void Drop(Ino ino);
  void Clear();
  bool Has(Ino ino) const { return files_.contains(ino); }
  // What a read of a file that is `file_size` bytes long gets; nullopt: not all of it is here.
  std::optional<Bytes> Read(Ino ino, uint64_t offset, uint64_t size, uint64_t file_size) const;

 private:
  struct File {
    uint64_t offset = 0;
    Bytes data;
    std::list<Ino>::iterator age;
  };

  const size_t max_bytes_;
  size_t bytes_ = 0;
  absl::flat_hash_map<Ino, File> files_;
  std::list<Ino> ages_;  // the longest kept first
};

}  // namespace tarn::cache
