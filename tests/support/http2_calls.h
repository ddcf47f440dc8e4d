// Reads what a gRPC client says on a connection: which calls it makes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

namespace tarn::testing {

// How often each method was called, by the last part of its path.
using CallCounts = std::map<std::string, int64_t>;

// The names in the HEADERS frames of one connection (RFC 7541), as far as gRPC uses them: of our
// own headers none is Huffman-coded.
class HeaderReader {
 public:
  // The :path in a block of headers; "?" if it cannot be read.
  std::string PathOf(std::string_view block);

 private:
  struct Entry {
    bool is_path = false;
    std::string value;
    size_t size = 0;
  };

  std::string ReadString();
  uint64_t ReadNumber(int prefix_bits);
  void Insert(Entry entry);
  void Shrink();

  std::string_view left_;
  bool failed_ = false;
  std::deque<Entry> table_;  // the newest first
  size_t size_ = 0, size_max_ = 4096;
};

// The client's side of a connection, from its first byte. Of anything that is no HTTP/2 it finds
// nonsense, no more.
class Http2Calls {
 public:
  // Adds the calls that begin in these bytes.
  void Take(std::string_view bytes, CallCounts& calls);

 private:
  size_t preface_left_ = 24;
  std::string frame_;  // as much of it as is there
  HeaderReader headers_;
};

}  // namespace tarn::testing
