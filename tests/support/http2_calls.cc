#include "tests/support/http2_calls.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace tarn::testing {
namespace {

// Lengths of the names in HPACK's static table, from index 1 (RFC 7541, appendix A).
constexpr uint8_t kStaticNames[] = {
    10, 7,  7,  5,  5, 7,  7,  7,  7,  7,  7,  7,  7,  7,  14, 15, 15, 13, 6,  27, 3,
    5,  13, 13, 19, 16, 16, 14, 16, 13, 12, 6,  4,  4,  6,  7,  4,  4,  8,  17, 13, 8,
    19, 13, 4,  8,  12, 18, 19, 5,  7,  7,  11, 6,  10, 25, 17, 10, 4,  3,  16};
constexpr uint64_t kStaticCount = std::size(kStaticNames);
static_assert(kStaticCount == 61);
constexpr uint64_t kPath = 4, kPathIndex = 5;  // ":path: /" and ":path: /index.html"
constexpr size_t kEntryBytes = 32;             // beside name and value

constexpr size_t kFrameHead = 9;  // length (3), type, flags, stream (4)
constexpr char kHeaders = 1;

}  // namespace

std::string HeaderReader::PathOf(std::string_view block) {
  left_ = block;
  failed_ = false;
  std::string path = "?";
  while (!left_.empty() && !failed_) {
    const auto first = static_cast<uint8_t>(left_.front());
    if ((first & 0xe0) == 0x20) {
      size_max_ = ReadNumber(5);
      Shrink();
      continue;
    }
    const bool indexed = (first & 0x80) != 0, kept = (first & 0xc0) == 0x40;
    const uint64_t index = ReadNumber(indexed ? 7 : kept ? 6 : 4);
    Entry entry;
    if (index > kStaticCount) {
      if (index - kStaticCount > table_.size()) return "?";
      entry = table_[index - kStaticCount - 1];
    } else if (index != 0) {
      // Only the length of its name is needed.
      entry = {index == kPath || index == kPathIndex, "/", kStaticNames[index - 1]};
    }
    if (!indexed) {
      size_t name = entry.size;
      if (index > kStaticCount) name -= kEntryBytes + entry.value.size();
      if (index == 0) {
        const std::string text = ReadString();
        name = text.size();
        entry.is_path = text == ":path";
      }
      entry.value = ReadString();
      entry.size = kEntryBytes + name + entry.value.size();
    }
    if (entry.is_path) path = entry.value;
    if (kept && !indexed) Insert(std::move(entry));
  }
  return failed_ ? "?" : path;
}

uint64_t HeaderReader::ReadNumber(int prefix_bits) {
  const uint64_t most = (1U << prefix_bits) - 1;
  uint64_t number = static_cast<uint8_t>(left_.front()) & most;
  left_.remove_prefix(1);
  if (number < most) return number;
  for (int shift = 0; shift < 32; shift += 7) {
    if (left_.empty()) break;
    const auto byte = static_cast<uint8_t>(left_.front());
    left_.remove_prefix(1);
    number += uint64_t{byte & 0x7fU} << shift;
    if ((byte & 0x80) == 0) return number;
  }
  failed_ = true;
  return 0;
}

std::string HeaderReader::ReadString() {
  const bool huffman = !left_.empty() && (left_.front() & 0x80) != 0;
  const uint64_t size = left_.empty() ? 0 : ReadNumber(7);
  failed_ = failed_ || huffman || size > left_.size();
  if (failed_) return "";
  std::string text(left_.substr(0, size));
  left_.remove_prefix(size);
  return text;
}

void HeaderReader::Insert(Entry entry) {
  size_ += entry.size;
  table_.push_front(std::move(entry));
  Shrink();
}

void HeaderReader::Shrink() {
  while (size_ > size_max_) {
    size_ -= table_.back().size;
    table_.pop_back();
  }
}

void Http2Calls::Take(std::string_view bytes, CallCounts& calls) {
  const size_t preface = std::min(preface_left_, bytes.size());
  preface_left_ -= preface;
  frame_.append(bytes.substr(preface));
  std::string_view left = frame_;
  const auto byte = [&](size_t at) { return size_t{static_cast<uint8_t>(left[at])}; };
  while (left.size() >= kFrameHead) {
    const size_t size = kFrameHead + (byte(0) << 16 | byte(1) << 8 | byte(2));
    if (left.size() < size) break;
    if (left[3] == kHeaders) {
      const std::string path = headers_.PathOf(left.substr(kFrameHead, size - kFrameHead));
      ++calls[path.substr(path.rfind('/') + 1)];
    }
    left.remove_prefix(size);
  }
  frame_.erase(0, frame_.size() - left.size());
}

}  // namespace tarn::testing
