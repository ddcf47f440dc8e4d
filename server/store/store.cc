#include "server/store/store.h"

#include <fmt/format.h>

#include <utility>

#include "common/limits.h"
#include "common/log.h"
#include "server/store/blocks.h"
#include "server/store/core.h"
#include "server/store/keys.h"
#include "server/store/migrate.h"
#include "server/store/records.h"
#include "server/store/sealed_kv.h"
#include "server/store/super.h"
#include "server/store/txn.h"

namespace tarn::store {
namespace {

// Garbage that occupies no more is deleted key by key, a batch of so many at a time; beyond, its
// whole range is destroyed.
constexpr uint64_t kPointDeleteBytes = uint64_t{64} << 20;
constexpr uint32_t kDeletesPerStep = 4'096;

class StoreImpl : public Store {
 public:
  StoreImpl(std::unique_ptr<Kv> kv, Clock& clock, const SuperState& state)
      : core_(std::move(kv), clock, state) {}

  ~StoreImpl() override {
    Status status =
        MarkClosed(*core_.kv, core_.inos.next(), core_.data_ids.next());
    if (!status.ok()) {
      LogWarning("file system {}: not closed cleanly: {}", core_.identity.id,
                 status.error().message);
    }
  }

  const Identity& identity() const override { return core_.identity; }
  void SetLimits(const Limits& limits) override { core_.limits = limits; }

  std::unique_ptr<Txn> Begin(Tier tier, RecordGuard guard) override {
    return std::make_unique<StoreTxn>(core_, tier, std::move(guard));
  }

  Usage usage() const override {
    return {static_cast<uint64_t>(core_.bytes.load()), static_cast<uint64_t>(core_.inodes.load())};
  }

  void Sync(Done<Unit> done) override { core_.sync.Sync(std::move(done)); }

  Result<std::vector<Orphan>> ListOrphans(Ino after, size_t limit) override;
  Result<bool> FreeOrphan(Ino ino) override;
  Result<bool> FreeGarbage() override;

  ScrubReport Scrub(const ScrubPace& pace) override {
    return store::Scrub(*core_.kv, core_.identity.block_bytes, pace);
  }

  Result<std::vector<SessionRecord>> LoadSessions() override;
  Result<std::optional<SessionRecord>> FindSession(SessionId id) override;
  Status PutSession(const SessionRecord& record) override;
  Status DeleteSession(SessionId id) override;
  Result<std::optional<KeptReply>> FindKeptReply(SessionId session, uint32_t slot) override;

 private:
  // Puts deletes of at most `max` keys of [lower, upper) into the batch; how many there were.
  Result<size_t> DeleteSome(Family f, const std::string& lower, const std::string& upper,
                            size_t max, Batch& batch);
  Status FreeOne(DataId data, const Garbage& garbage);

  StoreCore core_;
};

Result<size_t> StoreImpl::DeleteSome(Family f, const std::string& lower, const std::string& upper,
                                     size_t max, Batch& batch) {
  auto it = core_.kv->Iterate(f, lower, upper, Tier::kMayBlock);
  size_t n = 0;
  for (it->Seek(lower); it->Valid() && n < max; it->Next(), ++n) {
    batch.Delete(f, std::string(it->key()));
  }
  RETURN_IF_ERROR(it->status());
  return n;
}

// ---- orphans and garbage ----

Result<std::vector<Orphan>> StoreImpl::ListOrphans(Ino after, size_t limit) {
  std::vector<Orphan> orphans;
  if (Raw(after) == UINT64_MAX) return orphans;
  const std::string lower = OrphanKey(Ino{Raw(after) + 1});
  auto it = core_.kv->Iterate(Family::kOrphan, lower, PrefixEnd(OrphanKey(Ino{}).substr(0, 1)),
                              Tier::kMayBlock);
  for (it->Seek(lower); it->Valid() && orphans.size() < limit; it->Next()) {
    std::optional<Ino> ino = ParseOrphanKey(it->key());
    if (!ino) return Error(Errno::kEIO, "corrupt orphan key " + PrintKey(it->key()));
    ASSIGN_OR_RETURN(const Timestamp since, DecodeOrphan(it->key(), it->value()));
    orphans.push_back({*ino, since});
  }
  RETURN_IF_ERROR(it->status());
  return orphans;
}

Result<bool> StoreImpl::FreeOrphan(Ino ino) {
  const std::string key = OrphanKey(ino);
  ASSIGN_OR_RETURN(auto orphan, core_.kv->Get(Family::kOrphan, key, Tier::kMayBlock));
  if (!orphan) return true;  // freed before
  Batch batch;
  const std::string xattrs = Be64(Raw(ino));
  ASSIGN_OR_RETURN(const size_t deleted, DeleteSome(Family::kXattr, xattrs, PrefixEnd(xattrs),
                                                    kDeletesPerStep, batch));
  if (deleted == kDeletesPerStep) {
    RETURN_IF_ERROR(core_.Write(batch, Tier::kMayBlock));
    return false;
  }
  ASSIGN_OR_RETURN(auto value, core_.kv->Get(Family::kInode, InodeKey(ino), Tier::kMayBlock));
  Blocks blocks(*core_.kv, Tier::kMayBlock, core_.identity.block_bytes, core_.data_ids);
  if (value) {
    ASSIGN_OR_RETURN(Inode inode, DecodeInode(ino, value->view));
    if (inode.attr.nlink > 0) {
      return Error(Errno::kEINVAL, fmt::format("inode {} has a name, and is no orphan", Raw(ino)));
    }
    blocks.Free(inode);
    blocks.AppendTo(batch);
    batch.Delete(Family::kInode, InodeKey(ino));
  }
  batch.Delete(Family::kOrphan, key);
  RETURN_IF_ERROR(core_.Write(batch, Tier::kMayBlock));
  for (const auto& [data, bytes] : blocks.freed()) core_.freed.Note(data, bytes);
  return true;
}

// One step for one content. The record goes last: after a crash the step is made again.
Status StoreImpl::FreeOne(DataId data, const Garbage& garbage) {
  const std::string first = BlockKey(data, 0), limit = BlockUpperKey(data);
  Batch batch;
  bool done = true;
  if (garbage.bytes > kPointDeleteBytes) {
    RETURN_IF_ERROR(core_.kv->Destroy(Family::kBlock, first, limit));
  } else if (garbage.blocks <= kDeletesPerStep) {
    for (uint32_t i = 0; i < garbage.blocks; ++i) batch.Delete(Family::kBlock, BlockKey(data, i));
  } else {  // few blocks far apart
    ASSIGN_OR_RETURN(const size_t deleted,
                     DeleteSome(Family::kBlock, first, limit, kDeletesPerStep, batch));
    done = deleted < kDeletesPerStep;
  }
  if (done) batch.Delete(Family::kOrphan, GarbageKey(data));
  RETURN_IF_ERROR(core_.Write(batch, Tier::kMayBlock));
  if (done && garbage.bytes <= kPointDeleteBytes) core_.freed.Note(data, garbage.bytes);
  return Ok();
}

Result<bool> StoreImpl::FreeGarbage() {
  const std::string lower = GarbageKey(DataId{});
  auto it = core_.kv->Iterate(Family::kOrphan, lower, PrefixEnd(lower.substr(0, 1)),
                              Tier::kMayBlock);
  it->Seek(lower);
  RETURN_IF_ERROR(it->status());
  if (it->Valid()) {
    std::optional<DataId> data = ParseGarbageKey(it->key());
    if (!data) return Error(Errno::kEIO, "corrupt garbage key " + PrintKey(it->key()));
    ASSIGN_OR_RETURN(const Garbage garbage, DecodeGarbage(it->key(), it->value()));
    it.reset();  // it would keep the files alive that are about to be dropped
    RETURN_IF_ERROR(FreeOne(*data, garbage));
    return true;
  }
  std::optional<FreedSpace::Run> run = core_.freed.Take();
  if (!run) return false;
  RETURN_IF_ERROR(core_.kv->Compact(Family::kBlock, BlockKey(run->first, 0),
                                    BlockUpperKey(run->last), run->bytes));
  return true;
}

// ---- sessions ----

Result<std::vector<SessionRecord>> StoreImpl::LoadSessions() {
  std::vector<SessionRecord> sessions;
  auto it = core_.kv->Iterate(Family::kSession, "", "", Tier::kMayBlock);
  for (it->Seek(""); it->Valid();) {
    std::optional<SessionId> id = ParseSessionKey(it->key());
    if (!id) {  // a reply whose session is gone
      it->Next();
      continue;
    }
    ASSIGN_OR_RETURN(SessionRecord session, DecodeSession(*id, it->value()));
    sessions.push_back(std::move(session));
    const std::string upper = SessionUpperKey(*id);
    if (upper.empty()) break;
    it->Seek(upper);  // past its replies
  }
  RETURN_IF_ERROR(it->status());
  return sessions;
}

Result<std::optional<SessionRecord>> StoreImpl::FindSession(SessionId id) {
  ASSIGN_OR_RETURN(auto value, core_.kv->Get(Family::kSession, SessionKey(id), Tier::kMayBlock));
  if (!value) return std::optional<SessionRecord>();
  ASSIGN_OR_RETURN(SessionRecord session, DecodeSession(id, value->view));
  return std::optional<SessionRecord>(std::move(session));
}

Status StoreImpl::PutSession(const SessionRecord& record) {
  Batch batch;
  batch.Put(Family::kSession, SessionKey(record.id), Bytes::FromString(EncodeSession(record)));
  RETURN_IF_ERROR(core_.Write(batch, Tier::kMayBlock));
  return core_.sync.SyncAndWait();
}

Status StoreImpl::DeleteSession(SessionId id) {
  Batch batch;
  RETURN_IF_ERROR(DeleteSome(Family::kSession, SessionKey(id), SessionUpperKey(id), SIZE_MAX,
                             batch));
  if (batch.empty()) return Ok();
  return core_.Write(batch, Tier::kMayBlock);
}

Result<std::optional<KeptReply>> StoreImpl::FindKeptReply(SessionId session, uint32_t slot) {
  const std::string key = KeptReplyKey(session, slot);
  ASSIGN_OR_RETURN(auto value, core_.kv->Get(Family::kSession, key, Tier::kMayBlock));
  if (!value) return std::optional<KeptReply>();
  ASSIGN_OR_RETURN(KeptReply reply, DecodeKeptReply(key, value->view));
  return std::optional<KeptReply>(std::move(reply));
}

}  // namespace

Result<std::unique_ptr<Store>> Store::Open(std::unique_ptr<Kv> kv, Clock& clock, bool create,
                                           const std::string& name, const std::string& id) {
  RETURN_IF_ERROR(Upgrade(*kv));
  kv = MakeSealedKv(std::move(kv));
  ASSIGN_OR_RETURN(const SuperState state, OpenSuper(*kv, clock, create, name, id));
  return std::unique_ptr<Store>(new StoreImpl(std::move(kv), clock, state));
}

}  // namespace tarn::store
