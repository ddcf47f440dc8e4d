#include "server/state/heat.h"

#include <algorithm>

namespace tarn::state {
namespace {

// Beyond this many, inodes that have calmed down are looked for and forgotten.
constexpr size_t kKept = 4096;

}  // namespace

bool Heat::IsHot(Ino ino, int64_t now_nanos) const {
  if (entries_.empty()) return false;
  const auto it = entries_.find(ino);
  return it != entries_.end() && it->second.turns >= kHotTurns &&
         now_nanos - it->second.since_nanos <= kHotNanos;
}

Heat::Entry& Heat::EntryOf(Ino ino, SessionId by, int64_t now_nanos) {
  if (entries_.size() >= kKept && !entries_.contains(ino)) {
    absl::erase_if(entries_, [now_nanos](const auto& entry) {
      return now_nanos - entry.second.since_nanos > kHotNanos;
    });
  }
  return entries_.try_emplace(ino, Entry{.last = by, .since_nanos = now_nanos}).first->second;
}

void Heat::NoteChange(Ino ino, SessionId by, bool recalls, int64_t now_nanos) {
  if (!recalls && !entries_.contains(ino)) return;
  Entry& entry = EntryOf(ino, by, now_nanos);
  if (now_nanos - entry.since_nanos > kHotNanos) entry = {.last = by, .since_nanos = now_nanos};
  if (entry.last == by) return;
  entry.last = by;
  entry.turns = std::min<uint8_t>(entry.turns + 1, kHotTurns);
  entry.since_nanos = now_nanos;
}

bool Heat::NoteWrite(Ino ino, SessionId by, int64_t now_nanos) {
  Entry& entry = EntryOf(ino, by, now_nanos);
  if (entry.writer != by) entry.writes = 0;
  entry.writer = by;
  entry.writes = std::min<uint8_t>(entry.writes + 1, kWritesOnEnd);
  return entry.writes >= kWritesOnEnd;
}

void Heat::NoteLook(Ino ino, SessionId by) {
  const auto it = entries_.find(ino);
  if (it != entries_.end() && it->second.writer != by) it->second.writes = 0;
}

}  // namespace tarn::state
