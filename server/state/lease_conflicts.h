// What is about to change or to be shown, as the table of leases is asked about it, and which of it
// recalls what from whom.
//
// Which change recalls what from whom (tests/unit/state/lease_table_test.cc enumerates it):
//
//   changed inode  | from the session itself | from every other holder
//   ---------------+-------------------------+---------------------------------------------------
//   not a directory| nothing                 | everything (kNone)
//   directory      | nothing                 | attributes, listing, the changed names (kShared), or
//                  |                         | everything: if it is hot, or the holder was granted
//                  |                         | nothing of it over the last kIdleRecalls recalls
//
// Who is shown a file (AdmitRead) asks too, of an exclusive holder only:
//
//   shown            | from the session itself | from an exclusive holder
//   -----------------+-------------------------+--------------------------------------------------
//   attributes       | nothing                 | a glimpse (kExclusive): how long it is; the holder
//                    |                         | may rather give up the right to write (kShared)
//   data, or opened  | nothing                 | the right to write, all told (kShared)
//   about to lock it | nothing                 | everything (kNone)
//
// Exclusive is granted to a session that writes, or locks, for at least the second time since
// anybody else held anything, while nobody else does, nor has a lock, and the inode is not hot.
//
// An inode that several sessions change, or write and read, in turns is hot: it is granted for
// reading data only, until it has calmed down. But where they only write or lock it, each is to do
// much in its turn: whoever has waited for an exclusive holder or for the lock of another, or has
// written four times on end, has it exclusively; and a holder that is at work gives it back at the
// end of its slice (client/cache/recalls.cc).
//
// Lifetime: names in LeaseChanges are looked at only during the call.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "common/lease.h"

namespace tarn::state {

enum class TicketId : uint64_t {};  // never reused; 0: none

// An inode that is about to change; of directories, the names that do.
struct LeaseChange {
  Ino ino = kNoIno;
  bool directory = false;
  absl::InlinedVector<std::string_view, 2> names;
};
using LeaseChanges = absl::InlinedVector<LeaseChange, 4>;

// An inode that is shown.
struct LeaseView {
  Ino ino = kNoIno;
  LeaseMode left = LeaseMode::kShared;  // to an exclusive holder
};
using LeaseViews = absl::InlinedVector<LeaseView, 2>;

// What an exclusive holder has said of a file, for the request that had it asked.
struct Glimpsed {
  Ino ino = kNoIno;
  uint64_t size = 0;
  Timestamp mtime;
};

struct OpenRecall {
  uint64_t number = 0;  // of its event; ascending within a session
  Recall recall;
};

}  // namespace tarn::state
