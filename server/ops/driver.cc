#include "server/ops/driver.h"

#include <cstring>
#include <string_view>

#include "common/posix/rules.h"
#include "common/siphash.h"

namespace tarn::ops {

Handle Driver::MakeHandle(Ino ino, uint64_t access_point) const {
  // Tags never leave for another machine's arithmetic: only this server makes and checks them, but
  // they live in clients across its restarts, so the order of bytes is fixed.
  char bytes[16];
  for (int i = 0; i < 8; ++i) {
    bytes[i] = static_cast<char>(access_point >> (8 * i));
    bytes[8 + i] = static_cast<char>(Raw(ino) >> (8 * i));
  }
  return {ino, SipHash(store_.identity().tag_key, std::string_view(bytes, sizeof bytes))};
}

Status Driver::CheckTag(const Caller& caller, Handle handle) const {
  if (MakeHandle(handle.ino, caller.access_point) == handle) return Ok();
  return Error(Errno::kESTALE, "the handle's tag does not fit");
}

std::unique_ptr<store::Txn> Driver::Begin(store::Tier tier, LatchSet& latches) {
  return store_.Begin(tier, [&latches](Ino ino) { return latches.Reach(Latches::RankOf(ino)); });
}

Status Driver::WithInode(Ino ino, absl::FunctionRef<Status()> then) {
  LatchSet latches(latches_, LatchSet::Mode::kShared, LatchSet::Patience::kLong,
                   {Latches::RankOf(ino)});
  latches.Acquire();
  auto txn = Begin(store::Tier::kMayBlock, latches);
  ASSIGN_OR_RETURN(auto inode, txn->GetInode(ino));
  if (!inode.has_value()) return Error(Errno::kESTALE, "the inode is gone");
  return then();
}

bool Driver::AccessIsDue(store::Txn& txn, Ino ino) {
  auto inode = txn.GetInode(ino);
  return inode.ok() && inode->has_value() && posix::AccessIsDue(**inode, txn.Now());
}

void Driver::TouchSoon(Ino ino, store::Tier tier) {
  if (Touch(ino, tier)) return;
  pool_.Post([this, ino] { Touch(ino, store::Tier::kMayBlock); });
}

bool Driver::Touch(Ino ino, store::Tier tier) {
  const bool brief = tier == store::Tier::kMemoryOnly;
  LatchSet latches(latches_, LatchSet::Mode::kExclusive,
                   brief ? LatchSet::Patience::kBrief : LatchSet::Patience::kLong,
                   {Latches::RankOf(ino)});
  if (!latches.Acquire()) return false;
  auto txn = Begin(tier, latches);
  auto inode = txn->GetInode(ino);
  if (inode.code() == Errno::kBlocked) return !brief;
  // Any other failure costs an access time, nothing more.
  if (!inode.ok() || !inode->has_value() || !posix::AccessIsDue(**inode, txn->Now())) return true;
  posix::TouchAccess(*txn, **inode);
  return txn->Commit().code() != Errno::kBlocked || !brief;
}

}  // namespace tarn::ops
