#include "server/rpc/volume.h"

namespace tarn::rpc {

Status Volume::Attach(std::shared_ptr<state::SessionTable> sessions) {
  ASSIGN_OR_RETURN(const std::vector<store::SessionRecord> records, store().LoadSessions());
  std::vector<state::SessionTable::Loaded> loaded;
  loaded.reserve(records.size());
  for (const store::SessionRecord& record : records) {
    loaded.push_back({{.id = record.id,
                       .epoch = record.epoch,
                       .volume = this,
                       .root = record.root,
                       .access_point = record.access_point,
                       .read_only = record.read_only,
                       .client_name = record.client_name,
                       .opened = record.opened},
                      record.fenced});
  }
  sessions->AddVolume(*this, std::move(loaded));
  fs_.SetExpireSilent([sessions = std::move(sessions)](SessionId holder) {
    return sessions->ExpireSilent(holder);
  });
  return Ok();
}

Status Volume::Save(const state::SessionFacts& facts, bool fenced) {
  return store().PutSession({.id = facts.id,
                             .epoch = facts.epoch,
                             .fenced = fenced,
                             .read_only = facts.read_only,
                             .access_point = facts.access_point,
                             .root = facts.root,
                             .client_name = facts.client_name,
                             .opened = facts.opened});
}

}  // namespace tarn::rpc
