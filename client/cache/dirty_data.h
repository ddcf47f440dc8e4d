// Bytes of one file that the server has not been told of.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "common/bytes.h"

namespace tarn::cache {

// Ranges that do not overlap or touch; what is put later lies over what was put before.
// Thread safety: none; its owner's lock guards it.
class DirtyData {
 public:
  struct Piece {
    uint64_t offset = 0;
    Bytes data;
  };

  // REQUIRES: offset + size fits 64 bits.
  void Put(uint64_t offset, Bytes data);

  bool empty() const { return ranges_.empty(); }
  size_t bytes() const { return bytes_; }
  // Any byte, or every byte, of [offset, offset + n) is here.
  bool Touches(uint64_t offset, uint64_t n) const;
  bool Covers(uint64_t offset, uint64_t n) const;
  // REQUIRES: Covers.
  Bytes Copy(uint64_t offset, uint64_t n) const;
  // All of it, ascending, none longer than `max` nor across a multiple of it.
  std::vector<Piece> Pieces(uint64_t max) const;

 private:
  using Ranges = std::map<uint64_t, Bytes>;
  // The first range that ends beyond `offset`.
  Ranges::const_iterator FirstBeyond(uint64_t offset) const;

  Ranges ranges_;  // by offset
  size_t bytes_ = 0;
};

}  // namespace tarn::cache
