#include "server/rpc/volume.h"

#include "server/rpc/event_stream.h"

namespace tarn::rpc {

namespace {

state::Standing StandingOf(const store::SessionRecord& record) {
  if (record.fenced) return state::Standing::kFenced;
  return record.silent ? state::Standing::kSilent : state::Standing::kLive;
}

}  // namespace

Status Volume::Attach(std::shared_ptr<state::SessionTable> sessions,
                      std::shared_ptr<EventStreams> streams) {
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
                       .opened = record.opened,
                       .previous = record.previous},
                      StandingOf(record),
                      record.fenced_at});
  }
  sessions->AddVolume(*this, std::move(loaded));
  fs_.SetRecallSink([streams = std::move(streams)](SessionId id) { streams->Wake(id); });
  fs_.SetFenceOverdue([sessions](SessionId holder) { sessions->Fence(holder); });
  fs_.SetExpireSilent([sessions = std::move(sessions)](SessionId holder) {
    return sessions->ExpireSilent(holder);
  });
  return Ok();
}

void Volume::Detach() {
  fs_.SetExpireSilent(nullptr);
  fs_.SetFenceOverdue(nullptr);
  fs_.SetRecallSink(nullptr);
}

void Volume::TellFenced(SessionId id) {
  streams_.End(id, {grpc::StatusCode::UNAUTHENTICATED, "the session was fenced: say Hello"});
}

bool Volume::KeepsRepliesOf(SessionId previous, const state::SessionFacts& facts) const {
  const auto record = store().FindSession(previous);
  return record.ok() && record->has_value() && (*record)->fenced &&
         (*record)->access_point == facts.access_point &&
         (*record)->read_only == facts.read_only;
}

Status Volume::Save(const state::SessionFacts& facts, state::Standing standing, Timestamp now) {
  const bool fenced = standing == state::Standing::kFenced;
  return store().PutSession({.id = facts.id,
                             .epoch = facts.epoch,
                             .fenced = fenced,
                             .read_only = facts.read_only,
                             .access_point = facts.access_point,
                             .root = facts.root,
                             .client_name = facts.client_name,
                             .opened = facts.opened,
                             .silent = standing == state::Standing::kSilent,
                             .fenced_at = fenced ? now : Timestamp{},
                             .previous = facts.previous});
}

}  // namespace tarn::rpc
