// Says which files suffer from what cannot be read.
//
// Thread safety: one thread at a time.
#pragma once

#include <string>
#include <vector>

#include "server/store/walk.h"

namespace tarn::store {

// A sentence for each file, directory or record that the damages touch, with its path; what turns
// out to be readable is left out. `block_bytes` is the file system's. Walks over the store once or
// twice. At most `limit` sentences.
std::vector<std::string> DescribeDamages(Kv& kv, uint32_t block_bytes,
                                         const std::vector<Damage>& damages, size_t limit);

}  // namespace tarn::store
