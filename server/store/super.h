// The life of a store's `super`: made with a new file system, checked and taken over at each start,
// marked at each clean end.
//
// Thread safety: one caller at a time.
#pragma once

#include <string>

#include "common/clock.h"
#include "common/result.h"
#include "server/store/core.h"
#include "server/store/kv.h"

namespace tarn::store {

// Makes a file system in an empty engine if `create`, then takes it over for this process: moves
// the bounds of numbers, and changes the incarnation if power was lost since the last clean end
// (opened uncleanly under another boot of the machine). Durable when it returns. Errors: as
// Store::Open.
Result<SuperState> OpenSuper(Kv& kv, Clock& clock, bool create, const std::string& name,
                             const std::string& id);

// The clean end: everything is durable, and counting goes on exactly from these numbers.
Status MarkClosed(Kv& kv, uint64_t next_ino, uint64_t next_data);

// EINVAL, with what to do, unless `stored` is the value of a format key of this version.
Status CheckFormat(std::string_view stored);

// "fs-" and 17 random hexadecimal digits.
std::string NewFileSystemId();

// Of the machine's running boot.
std::string BootId();

}  // namespace tarn::store
