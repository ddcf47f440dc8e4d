// Bytes: file contents on their way, as a list of slices that share ownership of what they point
// to, so that a megabyte crosses the layers without being copied.
//
// Thread safety: a value type; the bytes pointed to are immutable while any slice lives.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tarn {

struct ByteSlice {
  std::string_view view;
  std::shared_ptr<const void> owner;  // keeps `view` valid
};

class Bytes {
 public:
  Bytes() = default;
  // Takes over a string. (Not implicit: contents are never text by accident.)
  static Bytes FromString(std::string s);
  // Copies `view`.
  static Bytes Copy(std::string_view view);
  // `n` zero bytes, backed by one shared static page: costs no memory.
  static Bytes Zeros(size_t n);

  // Empty slices are dropped.
  void Append(ByteSlice slice);
  void Append(Bytes other);

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const std::vector<ByteSlice>& slices() const { return slices_; }

  // The bytes [offset, offset + n), sharing ownership. REQUIRES: offset + n <= size().
  Bytes Sub(size_t offset, size_t n) const;
  // Copies [offset, offset + n) to `out`. REQUIRES: as Sub; `out` holds n bytes.
  void CopyTo(size_t offset, size_t n, char* out) const;
  // All of it in one string.
  std::string ToString() const;

 private:
  std::vector<ByteSlice> slices_;
  size_t size_ = 0;
};

}  // namespace tarn
