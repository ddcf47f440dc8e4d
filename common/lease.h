// Leases: what a client may keep in its caches, and how it hears that it may not any longer.
//
// A lease is per inode and session. A shared one lets its holder cache the inode's attributes,
// extended attributes and data and, of a directory, the names in it, present and absent, and its
// listing. Every change of a record is told to the holders and acknowledged by them before it takes
// effect, except to the session that makes it, which learns what changed from the reply.
//
// An exclusive one, on regular files only, also lets its holder write data and tell the server
// later, and grant locks on the file by itself. Nobody else holds anything on the inode, and
// whoever wants to see it waits until the holder has told, or is told how long the file is (a
// glimpse).
//
// What the client may take from a reply: only what concerns inodes that this very reply grants, and
// only if since the request was sent neither a recall nor a change of its own has concerned them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/bytes.h"
#include "common/types.h"

namespace tarn {

// Ascending in power. Sent: never renumber (LeaseMode of types.proto).
enum class LeaseMode : uint8_t { kNone = 0, kPinned = 1, kShared = 2, kExclusive = 3 };

// Stands among the inodes of leases for the figures of the file system, which StatFs answers with:
// shared only, for kFiguresLeaseNanos from when they were asked for. No inode has this number.
inline constexpr Ino kFigures{~uint64_t{0}};

struct Grant {
  Ino ino = kNoIno;
  LeaseMode mode = LeaseMode::kNone;
  uint64_t sequence = 0;  // grows with each grant of the inode; a return names the last one known
  bool operator==(const Grant&) const = default;
};

// Contents of a file that came with its attributes.
struct Contents {
  Ino ino = kNoIno;
  uint64_t offset = 0;
  Bytes data;
};

// What a reply says of leases, besides its answer; also a reply that is an error.
struct LeaseNews {
  std::vector<Grant> grants;
  std::vector<Ino> changed;  // inodes whose records the call has changed
  // Directories in which the call has changed names and which it grants, as it has left them.
  std::vector<Attr> directories;
  std::optional<Contents> contents;  // wished for, of an inode that is granted
  Timestamp server_time;     // when the reply was made; at the client only
};

// The server wants something back. `to` kNone: everything about the inode. `to` kShared, for
// directories: the attributes, the listing, and what is known of `names`; the rest may stay. `to`
// kShared, for files: what was changed locally must be told, the rest may stay. `to` kExclusive: a
// glimpse: nothing, if the answer says how long the file is by now.
struct Recall {
  Ino ino = kNoIno;
  LeaseMode to = LeaseMode::kNone;
  std::vector<std::string> names;
  bool directory = false;  // the inode is one
  bool operator==(const Recall&) const = default;
};

// A lease given back unasked. Without effect if the inode was granted again after `sequence`.
struct LeaseReturn {
  Ino ino = kNoIno;
  uint64_t sequence = 0;
  bool operator==(const LeaseReturn&) const = default;
};

// The answer to a glimpse, of a holder that has changes to tell and goes on.
struct Glimpse {
  uint64_t event = 0;  // the recall's number
  uint64_t size = 0;
  Timestamp mtime;  // the ctime too
  bool operator==(const Glimpse&) const = default;
};

// What a session says of its leases.
struct LeaseAnswers {
  std::vector<uint64_t> recalls;  // events: done as they say
  std::vector<LeaseReturn> returns;
  std::vector<Glimpse> glimpses;
};

}  // namespace tarn
