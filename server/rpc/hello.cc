#include "server/rpc/hello.h"

#include <spdlog/fmt/fmt.h>

#include "absl/strings/str_split.h"
#include "common/limits.h"
#include "common/wait.h"
#include "common/wire/convert.h"

namespace tarn::rpc {
namespace {

Caller RootCaller() {
  Caller caller;
  caller.groups.emplace();
  return caller;
}

}  // namespace

Result<Volume*> FindVolume(const VolumeMap& volumes, const std::string& name) {
  std::string known;
  for (const auto& [key, volume] : volumes) {
    if (key == name || volume->store().identity().id == name) return volume;
    known += (known.empty() ? "" : ", ") + key;
  }
  return Error(Errno::kENOENT, fmt::format("the server has no file system '{}'; it has: {}", name,
                                           known.empty() ? "none" : known));
}

Result<EntryReply> ResolveDirectory(ops::LocalFs& fs, const std::string& path) {
  const Caller caller = RootCaller();
  EntryReply at{fs.MakeHandle(kRootIno, caller.access_point), {}};
  ASSIGN_OR_RETURN(const AttrReply root, Wait<verbs::GetAttr>(fs, caller, {at.handle}));
  at.attr = root.attr;
  for (const absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (part == "." || part == "..") {
      return Error(Errno::kENOENT,
                   fmt::format("'{}': name the directory without '.' and '..'", path));
    }
    const Result<EntryReply> next =
        Wait<verbs::Lookup>(fs, caller, {at.handle, std::string(part)});
    if (next.code() == Errno::kENOENT) {
      return Error(Errno::kENOENT, fmt::format("no directory '{}' in the file system", path));
    }
    if (!next.ok()) {
      return Error(next.code(), fmt::format("'{}': {}", path, ErrnoName(next.code())));
    }
    at = *next;
    if (at.attr.type != FileType::kDirectory) {
      return Error(Errno::kENOTDIR, fmt::format("'{}' is no directory in the file system", path));
    }
  }
  return at;
}

void FillHello(const state::Session& session, Clock& clock, v1::HelloReply& reply) {
  const state::SessionFacts& facts = session.facts();
  const Volume& volume = *static_cast<const Volume*>(facts.volume);
  const store::Identity& identity = volume.store().identity();
  reply.set_version(kProtocolVersion);
  reply.set_features(session.caches() ? v1::FEATURE_LEASES : v1::FEATURE_NONE);
  wire::Fill(facts.id, *reply.mutable_session());
  reply.set_epoch(facts.epoch);
  reply.set_reclaim(session.phase() == state::Session::Phase::kReclaiming);
  reply.set_incarnation(identity.incarnation);
  reply.set_identity_rule(v1::IDENTITY_RULE_PASS_THROUGH);
  reply.set_read_only(facts.read_only);
  const Handle root = volume.fs().MakeHandle(facts.root, facts.access_point);
  wire::Fill(root, *reply.mutable_root());
  Caller caller = RootCaller();
  caller.access_point = facts.access_point;
  const Result<AttrReply> attr = Wait<verbs::GetAttr>(volume.fs(), caller, {root});
  if (attr.ok()) wire::Fill(attr->attr, *reply.mutable_root_attr());
  reply.set_slots(kSlotsPerSession + kWaitSlotsPerSession);
  reply.set_hash_key0(identity.hash_key.k0);
  reply.set_hash_key1(identity.hash_key.k1);
  reply.set_block_bytes(identity.block_bytes);
  reply.set_file_system_id(identity.id);
  reply.set_server_time(clock.Now().ns);
}

}  // namespace tarn::rpc
