#include "server/store/txn.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/fault.h"
#include "server/store/keys.h"
#include "server/store/records.h"

namespace tarn::store {
namespace {

void AppendOverlay(Family f, const auto& overlay, Batch& batch) {
  for (const auto& [key, value] : overlay) {
    if (value) {
      batch.Put(f, key, Bytes::FromString(*value));
    } else {
      batch.Delete(f, key);
    }
  }
}

}  // namespace

// Entries of [lower, upper), ascending: the engine's under the overlay.
class StoreTxn::Merged {
 public:
  Merged(StoreTxn& txn, Family f, const Overlay& overlay, const std::string& lower,
         const std::string& upper)
      : it_(txn.core_.kv->Iterate(f, lower, upper, txn.tier_)),
        change_(overlay.lower_bound(lower)),
        end_(upper.empty() ? overlay.end() : overlay.lower_bound(upper)) {
    it_->Seek(lower);
    Settle();
  }
  bool Valid() const { return valid_; }
  Status status() const { return it_->status(); }
  std::string_view key() const { return from_overlay_ ? change_->first : it_->key(); }
  std::string_view value() const { return from_overlay_ ? *change_->second : it_->value(); }
  void Next() {
    if (from_overlay_) {
      Skip();
    } else {
      it_->Next();
    }
    Settle();
  }

 private:
  // Leaves the change behind, with the engine's value that it hides.
  void Skip() {
    if (it_->Valid() && it_->key() == change_->first) it_->Next();
    ++change_;
  }
  // Finds the next entry from here on; deleted ones are left behind.
  void Settle() {
    for (;;) {
      if (!it_->status().ok()) break;
      from_overlay_ = change_ != end_ && (!it_->Valid() || change_->first <= it_->key());
      if (!from_overlay_ || change_->second) {
        valid_ = from_overlay_ || it_->Valid();
        return;
      }
      Skip();
    }
    valid_ = false;
  }

  std::unique_ptr<KvIterator> it_;
  Overlay::const_iterator change_;
  const Overlay::const_iterator end_;
  bool from_overlay_ = false;
  bool valid_ = false;
};

StoreTxn::StoreTxn(StoreCore& core, Tier tier, RecordGuard guard)
    : core_(core),
      tier_(tier),
      guard_(std::move(guard)),
      blocks_(*core.kv, tier, core.identity.block_bytes, core.data_ids) {}

// ---- reads ----

Result<std::optional<std::string>> StoreTxn::Read(Family f, const Overlay& overlay,
                                                  std::string_view key) {
  if (auto it = overlay.find(key); it != overlay.end()) return it->second;
  ASSIGN_OR_RETURN(std::optional<ByteSlice> value, core_.kv->Get(f, key, tier_));
  if (!value) return std::optional<std::string>();
  return std::optional<std::string>(value->view);
}

Result<std::optional<Inode>> StoreTxn::LoadInode(Ino ino) {
  ASSIGN_OR_RETURN(std::optional<ByteSlice> value,
                   core_.kv->Get(Family::kInode, InodeKey(ino), tier_));
  if (!value) return std::optional<Inode>();
  ASSIGN_OR_RETURN(Inode inode, DecodeInode(ino, value->view));
  return std::optional<Inode>(std::move(inode));
}

Result<std::optional<Inode>> StoreTxn::GetInode(Ino ino) {
  if (!Allows(ino)) return Errno::kBlocked;
  auto it = inodes_.find(ino);
  if (it != inodes_.end()) return it->second.value;
  ASSIGN_OR_RETURN(std::optional<Inode> inode, LoadInode(ino));
  inodes_.emplace(ino, InodeState{true, false, inode, inode});
  return inode;
}

std::string StoreTxn::KeyOf(Ino dir, std::string_view name) const {
  return DentryKey(dir, NameHash(core_.identity.hash_key, name), name);
}

Result<std::optional<Dentry>> StoreTxn::GetDentry(Ino dir, std::string_view name) {
  if (!Allows(dir)) return Errno::kBlocked;
  const std::string key = KeyOf(dir, name);
  ASSIGN_OR_RETURN(std::optional<std::string> value, Read(Family::kDentry, dentries_, key));
  if (!value) return std::optional<Dentry>();
  ASSIGN_OR_RETURN(const Dentry dentry, DecodeDentry(key, *value));
  return std::optional<Dentry>(dentry);
}

Result<std::vector<NamedDentry>> StoreTxn::ListDentries(Ino dir, uint64_t after,
                                                        size_t max_bytes) {
  if (!Allows(dir)) return Errno::kBlocked;
  std::vector<NamedDentry> out;
  if (after == UINT64_MAX) return out;
  Merged walk(*this, Family::kDentry, dentries_, DentryLowerKey(dir, after + 1),
              PrefixEnd(Be64(Raw(dir))));
  size_t bytes = 0;
  for (; walk.Valid(); walk.Next()) {
    std::optional<DentryKeyParts> parts = ParseDentryKey(walk.key());
    if (!parts) return Error(Errno::kEIO, "corrupt dentry key " + PrintKey(walk.key()));
    if (bytes >= max_bytes && !out.empty() && out.back().cookie != parts->hash) break;
    ASSIGN_OR_RETURN(const Dentry dentry, DecodeDentry(walk.key(), walk.value()));
    out.push_back({std::string(parts->name), dentry, parts->hash});
    bytes += parts->name.size() + 24;
  }
  RETURN_IF_ERROR(walk.status());
  return out;
}

Result<bool> StoreTxn::HasDentries(Ino dir) {
  if (!Allows(dir)) return Errno::kBlocked;
  Merged walk(*this, Family::kDentry, dentries_, Be64(Raw(dir)), PrefixEnd(Be64(Raw(dir))));
  if (walk.Valid()) return true;
  RETURN_IF_ERROR(walk.status());
  return false;
}

Result<std::optional<std::string>> StoreTxn::GetXattr(Ino ino, std::string_view name) {
  if (!Allows(ino)) return Errno::kBlocked;
  return Read(Family::kXattr, xattrs_, XattrKey(ino, name));
}

Result<std::vector<std::string>> StoreTxn::ListXattrs(Ino ino) {
  if (!Allows(ino)) return Errno::kBlocked;
  std::vector<std::string> names;
  Merged walk(*this, Family::kXattr, xattrs_, Be64(Raw(ino)), PrefixEnd(Be64(Raw(ino))));
  for (; walk.Valid(); walk.Next()) names.emplace_back(XattrName(walk.key()));
  RETURN_IF_ERROR(walk.status());
  return names;
}

// ---- writes ----

void StoreTxn::PutInode(const Inode& inode) {
  Touch(inode.attr.ino);
  InodeState& state = inodes_[inode.attr.ino];
  state.value = inode;
  state.written = true;
}

void StoreTxn::PutDentry(Ino dir, std::string_view name, const Dentry& dentry) {
  Touch(dir);
  dentries_.insert_or_assign(KeyOf(dir, name), EncodeDentry(dentry));
}

void StoreTxn::DeleteDentry(Ino dir, std::string_view name) {
  Touch(dir);
  dentries_.insert_or_assign(KeyOf(dir, name), std::nullopt);
}

void StoreTxn::PutXattr(Ino ino, std::string_view name, std::string_view value) {
  Touch(ino);
  xattrs_.insert_or_assign(XattrKey(ino, name), std::string(value));
}

void StoreTxn::DeleteXattr(Ino ino, std::string_view name) {
  Touch(ino);
  xattrs_.insert_or_assign(XattrKey(ino, name), std::nullopt);
}

void StoreTxn::PutOrphan(Ino ino) {
  Touch(ino);
  orphans_.insert_or_assign(OrphanKey(ino), EncodeOrphan(Now()));
}

void StoreTxn::DeleteOrphan(Ino ino) {
  Touch(ino);
  orphans_.insert_or_assign(OrphanKey(ino), std::nullopt);
}

bool StoreTxn::WasThere(Ino ino) const {
  const auto it = inodes_.find(ino);
  return it == inodes_.end() || !it->second.base_known || it->second.base.has_value();
}

void StoreTxn::ForEachChange(ChangeVisitor visit) const {
  for (const auto& [ino, state] : inodes_) {
    if (!state.written || !WasThere(ino)) continue;
    visit(ino, state.value->attr.type == FileType::kDirectory, {});
  }
  for (const auto& [key, value] : dentries_) {
    const Ino dir{*ReadBe64(std::string_view(key).substr(0, 8))};
    if (WasThere(dir)) visit(dir, true, ParseDentryKey(key)->name);
  }
  for (const auto& [key, value] : xattrs_) {
    const Ino ino{*ReadBe64(std::string_view(key).substr(0, 8))};
    const auto it = inodes_.find(ino);
    const bool directory = it != inodes_.end() && it->second.value.has_value() &&
                           it->second.value->attr.type == FileType::kDirectory;
    if (WasThere(ino)) visit(ino, directory, {});
  }
}

bool StoreTxn::ChangesUsage() const {
  const auto counted = [](const std::optional<Inode>& inode) -> std::optional<uint64_t> {
    if (!inode || inode->attr.nlink == 0) return std::nullopt;
    return inode->attr.allocated;
  };
  return std::any_of(inodes_.begin(), inodes_.end(), [&counted](const auto& entry) {
    const InodeState& state = entry.second;
    if (!state.written) return false;
    return !state.base_known || counted(state.base) != counted(state.value);
  });
}

void StoreTxn::KeepReply(SessionId session, uint32_t slot, const KeptReply& reply) {
  replies_.insert_or_assign(KeptReplyKey(session, slot), EncodeKeptReply(reply));
}

// ---- contents and environment ----

Status StoreTxn::SetSize(Inode& inode, uint64_t size) {
  if (!Allows(inode.attr.ino)) return Errno::kBlocked;
  return blocks_.SetSize(inode, size);
}

Status StoreTxn::DropRange(Inode& inode, uint64_t offset, uint64_t length) {
  if (!Allows(inode.attr.ino)) return Errno::kBlocked;
  return blocks_.DropRange(inode, offset, length);
}

Result<Bytes> StoreTxn::ReadData(const Inode& inode, uint64_t offset, size_t n) {
  if (!Allows(inode.attr.ino)) return Errno::kBlocked;
  return blocks_.Read(inode, offset, n);
}

Status StoreTxn::WriteData(Inode& inode, uint64_t offset, const Bytes& data) {
  if (!Allows(inode.attr.ino)) return Errno::kBlocked;
  return blocks_.Write(inode, offset, data);
}

Result<std::optional<uint64_t>> StoreTxn::FindData(const Inode& inode, uint64_t offset) {
  if (!Allows(inode.attr.ino)) return Errno::kBlocked;
  return blocks_.FindData(inode, offset);
}

Result<uint64_t> StoreTxn::FindHole(const Inode& inode, uint64_t offset) {
  if (!Allows(inode.attr.ino)) return Errno::kBlocked;
  return blocks_.FindHole(inode, offset);
}

Result<Ino> StoreTxn::NewIno() {
  ASSIGN_OR_RETURN(const uint64_t number, core_.inos.Next(tier_));
  const Ino ino{number};
  inodes_[ino].base_known = true;  // nobody has stored it yet
  return ino;
}

Timestamp StoreTxn::Now() {
  if (!now_) now_ = core_.clock.Now();
  return *now_;
}

// ---- commit ----

Result<std::map<QuotaId, StoreTxn::Usage>> StoreTxn::UsageChanges() {
  std::map<QuotaId, Usage> changes;
  auto count = [&changes](const std::optional<Inode>& inode, int64_t sign) {
    if (!inode || inode->attr.nlink == 0) return;
    Usage& usage = changes[inode->quota];
    usage.bytes += sign * static_cast<int64_t>(inode->attr.allocated);
    usage.inodes += sign;
  };
  for (auto& [ino, state] : inodes_) {
    if (!state.written) continue;
    if (!state.base_known) {
      ASSIGN_OR_RETURN(state.base, LoadInode(ino));
      state.base_known = true;
    }
    count(state.base, -1);
    count(state.value, +1);
  }
  return changes;
}

Status StoreTxn::AppendInodes(Batch& batch, Usage& total) {
  for (const auto& [ino, state] : inodes_) {
    if (!state.written) continue;
    batch.Put(Family::kInode, InodeKey(ino), Bytes::FromString(EncodeInode(*state.value)));
  }
  ASSIGN_OR_RETURN(const auto changes, UsageChanges());
  auto add = [&batch](std::string key, int64_t delta) {
    if (delta != 0) batch.Add(Family::kSuper, std::move(key), delta);
  };
  for (const auto& [quota, usage] : changes) {
    total.bytes += usage.bytes;
    total.inodes += usage.inodes;
    if (quota == QuotaId{}) continue;
    add(QuotaCounterKey(kBytesKey, quota), usage.bytes);
    add(QuotaCounterKey(kInodesKey, quota), usage.inodes);
  }
  add(std::string(kBytesKey), total.bytes);
  add(std::string(kInodesKey), total.inodes);
  return Ok();
}

Status StoreTxn::Commit() {
  if (forbidden_) return Errno::kBlocked;
  Batch batch;
  Usage total;
  RETURN_IF_ERROR(AppendInodes(batch, total));
  AppendOverlay(Family::kDentry, dentries_, batch);
  AppendOverlay(Family::kXattr, xattrs_, batch);
  AppendOverlay(Family::kOrphan, orphans_, batch);
  AppendOverlay(Family::kSession, replies_, batch);
  blocks_.AppendTo(batch);
  if (batch.empty()) return Ok();
  if (FaultHits(FaultPoint::kCommitBefore)) return Errno::kEIO;
  RETURN_IF_ERROR(core_.Write(batch, tier_));
  (void)FaultHits(FaultPoint::kCommitAfter);
  core_.bytes.fetch_add(total.bytes);
  core_.inodes.fetch_add(total.inodes);
  for (const auto& [data, bytes] : blocks_.freed()) core_.freed.Note(data, bytes);
  return Ok();
}

}  // namespace tarn::store
