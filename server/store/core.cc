#include "server/store/core.h"

#include <string>
#include <utility>

#include "server/store/keys.h"

namespace tarn::store {

StoreCore::StoreCore(std::unique_ptr<Kv> engine, Clock& the_clock, const SuperState& state)
    : kv(std::move(engine)),
      clock(the_clock),
      identity(state.identity),
      inos(*kv, std::string(kNextInoKey), state.next_ino, state.ino_bound),
      data_ids(*kv, std::string(kNextDataKey), state.next_data, state.data_bound),
      bytes(state.bytes),
      inodes(state.inodes),
      sync(*kv) {}

Status StoreCore::Write(const Batch& batch, Tier tier) {
  RETURN_IF_ERROR(kv->Write(batch, tier));
  sync.NoteWrite();
  return Ok();
}

}  // namespace tarn::store
