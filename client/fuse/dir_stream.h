// One open directory: what of its listing has been fetched and not yet handed to the kernel.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/filesystem.h"

namespace tarn::fuse {

// The kernel reads a directory in pieces of a few kilobytes and names each piece by the cookie of
// the last entry that it took. A piece that goes on where the last one ended comes out of the
// buffer; any other (rewinddir, seekdir, a piece that the kernel could not place in full) is
// fetched anew, so that a rewound directory shows what has changed. Thread safety: one thread at a
// time.
class DirStream {
 public:
  // Entries that follow `offset`, possibly none at the end of the directory; nullopt: fetch from
  // there and Fill. Offset 0 (opendir, rewinddir) is always fetched. Valid until the next call.
  std::optional<std::span<const DirEntry>> Continue(uint64_t offset, bool plus) const;
  // Takes what the server said about `offset`, and returns what Continue would.
  std::span<const DirEntry> Fill(uint64_t offset, bool plus, ReadDirReply reply);
  // The kernel was sent the first `count` of what Continue or Fill returned.
  void Advance(size_t count);

  // How much to fetch next: little at first, for most directories are small and some readers stop
  // early.
  uint32_t FetchBytes() const { return fetch_bytes_; }

 private:
  std::vector<DirEntry> entries_;
  size_t next_ = 0;  // first entry not yet sent
  uint64_t at_ = 0;  // the offset that `next_` follows; 0: nothing was sent yet
  bool plus_ = false;
  bool end_ = false;  // nothing follows `entries_`
  uint32_t fetch_bytes_ = kFirstFetchBytes;

  static constexpr uint32_t kFirstFetchBytes = 32 * 1024;
};

}  // namespace tarn::fuse
