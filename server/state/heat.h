// Inodes that several sessions change, or write and read, in turns. They are hot: what is granted
// of them would be recalled at once.
#pragma once

#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "common/limits.h"
#include "common/types.h"

namespace tarn::state {

// Thread safety: none; its owner's lock guards it. Times: nanoseconds of one clock, ascending.
// Bounded: what has calmed down is forgotten when there is too much.
class Heat {
 public:
  static constexpr uint8_t kHotTurns = 2;  // changes of hands within...
  static constexpr int64_t kHotNanos = kSecondNanos;
  static constexpr uint8_t kWritesOnEnd = 4;

  bool IsHot(Ino ino, int64_t now_nanos) const;
  // `recalls`: it takes something from somebody. What never does is not remembered.
  void NoteChange(Ino ino, SessionId by, bool recalls, int64_t now_nanos);
  // True: it is at least the session's kWritesOnEnd-th with no other session's write or look
  // between.
  bool NoteWrite(Ino ino, SessionId by, int64_t now_nanos);
  void NoteLook(Ino ino, SessionId by);

 private:
  struct Entry {
    SessionId last;
    uint8_t turns = 0;
    int64_t since_nanos = 0;
    SessionId writer;
    uint8_t writes = 0;  // on end, by `writer`
  };

  Entry& EntryOf(Ino ino, SessionId by, int64_t now_nanos);

  absl::flat_hash_map<Ino, Entry> entries_;
};

}  // namespace tarn::state
