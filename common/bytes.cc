#include "common/bytes.h"

#include <algorithm>
#include <cstring>

namespace tarn {
namespace {

constexpr size_t kZeroPage = 64 * 1024;

std::string_view ZeroPage() {
  static const char page[kZeroPage] = {};
  return {page, kZeroPage};
}

}  // namespace

Bytes Bytes::FromString(std::string s) {
  auto owner = std::make_shared<const std::string>(std::move(s));
  Bytes out;
  out.Append(ByteSlice{*owner, owner});
  return out;
}

Bytes Bytes::Copy(std::string_view view) { return FromString(std::string(view)); }

Bytes Bytes::Zeros(size_t n) {
  Bytes out;
  for (; n > 0; n -= std::min(n, kZeroPage)) {
    out.Append(ByteSlice{ZeroPage().substr(0, std::min(n, kZeroPage)), nullptr});
  }
  return out;
}

void Bytes::Append(ByteSlice slice) {
  if (slice.view.empty()) return;
  size_ += slice.view.size();
  slices_.push_back(std::move(slice));
}

void Bytes::Append(Bytes other) {
  for (ByteSlice& slice : other.slices_) Append(std::move(slice));
}

Bytes Bytes::Sub(size_t offset, size_t n) const {
  Bytes out;
  for (const ByteSlice& slice : slices_) {
    if (n == 0) break;
    if (offset >= slice.view.size()) {
      offset -= slice.view.size();
      continue;
    }
    std::string_view part = slice.view.substr(offset, n);
    out.Append(ByteSlice{part, slice.owner});
    n -= part.size();
    offset = 0;
  }
  return out;
}

void Bytes::CopyTo(size_t offset, size_t n, char* out) const {
  for (const ByteSlice& slice : slices_) {
    if (n == 0) return;
    if (offset >= slice.view.size()) {
      offset -= slice.view.size();
      continue;
    }
    size_t take = std::min(n, slice.view.size() - offset);
    std::memcpy(out, slice.view.data() + offset, take);
    out += take;
    n -= take;
    offset = 0;
  }
}

std::string Bytes::ToString() const {
  std::string out(size_, '\0');
  CopyTo(0, size_, out.data());
  return out;
}

}  // namespace tarn
