// `tarnd fsck`: checks what a state directory holds and prints what it finds.
#pragma once

#include <string>

#include "server/store/rocks_kv.h"

namespace tarn {

// Checks the file system named, or all if `file_system` is empty. Returns the exit status: 0 all is
// well, 1 something was found, 2 it could not be checked.
int RunFsck(const std::string& state, const std::string& file_system,
            const store::RocksKvOptions& engine);

}  // namespace tarn
