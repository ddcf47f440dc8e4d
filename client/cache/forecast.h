// Which contents will be read soon of a file whose attributes are asked for: so that they can come
// with them, and a small file costs one message.
#pragma once

#include <array>
#include <cstdint>
#include <list>

#include "absl/container/flat_hash_map.h"
#include "common/filesystem.h"

namespace tarn::cache {

// Two guesses. A file that is looked up will be read from its start if such files mostly were of
// late: of the kLookedAt looked up last but kPending, at least half. A file that is known will be
// read from where it was read first since it was asked about last, if it was.
// Thread safety: none; its owner's lock guards it. Bounded.
class Forecast {
 public:
  static constexpr size_t kLookedAt = 16;
  static constexpr size_t kPending = 16;
  static constexpr size_t kRemembered = 1024;

  Prefetch Of(const LookupArgs& args) const;
  Prefetch Of(const GetAttrArgs& args) const;

  // The server was asked for it by name, or about it.
  void NoteLookup(const Attr& attr);
  void NoteAttr(Ino ino);
  // `size`: as far as the file reaches. What is more than comes with attributes tells nothing.
  void NoteRead(Ino ino, uint64_t offset, uint64_t size);

 private:
  struct Looked {
    Ino ino = kNoIno;
    bool read = false;
  };
  struct Known {
    uint64_t offset = 0;  // of the first read since it was asked about
    bool asked = false;   // and it was not read since
    std::list<Ino>::iterator age;
  };

  std::array<Looked, kPending> pending_;  // a ring
  size_t next_ = 0;
  uint16_t were_read_ = 0;  // a bit for each of the kLookedAt, the latest lowest
  absl::flat_hash_map<Ino, Known> known_;
  std::list<Ino> ages_;
};

}  // namespace tarn::cache
