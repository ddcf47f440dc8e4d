#include "server/ops/driver.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "common/posix/rules.h"
#include "common/siphash.h"

namespace tarn::ops {
namespace {

bool IsReplyTo(const std::optional<store::KeptReply>& kept, RequestId request, uint8_t verb) {
  return kept.has_value() && kept->sequence == request.sequence && kept->verb == verb;
}

}  // namespace

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

void Driver::GrantTurn(const Caller& caller, Ino ino) {
  LatchSet latches(latches_, LatchSet::Mode::kExclusive, LatchSet::Patience::kBrief,
                   {Latches::RankOf(ino)});
  if (latches.Acquire()) leases_.Grant(caller, {ino}, Want::kTurn);
}

state::LeaseChanges Driver::ChangesOf(const store::Txn& txn) {
  state::LeaseChanges changes;
  txn.ForEachChange([&changes](Ino ino, bool directory, std::string_view name) {
    auto change = std::find_if(changes.begin(), changes.end(),
                               [ino](const state::LeaseChange& c) { return c.ino == ino; });
    if (change == changes.end()) {
      change = &changes.emplace_back();
      change->ino = ino;
    }
    change->directory |= directory;
    if (!name.empty()) change->names.push_back(name);
  });
  return changes;
}

Driver::Attrs Driver::DirectoriesOf(store::Txn& txn, const state::LeaseChanges& changes) {
  Attrs directories;
  for (const state::LeaseChange& change : changes) {
    if (change.names.empty()) continue;
    const auto inode = txn.GetInode(change.ino);
    if (inode.ok() && inode->has_value()) directories.push_back((*inode)->attr);
  }
  return directories;
}

void Driver::GrantChanged(const Caller& caller, const state::LeaseChanges& changes,
                          absl::Span<const Attr> directories, Ino also, Want want) {
  absl::InlinedVector<Ino, 6> inodes;
  for (const state::LeaseChange& change : changes) {
    caller.leases->changed.push_back(change.ino);
    inodes.push_back(change.ino);
  }
  // A name that was there already leaves its directory as it is.
  if (also != kNoIno && std::find(inodes.begin(), inodes.end(), also) == inodes.end()) {
    inodes.push_back(also);
  }
  leases_.Grant(caller, inodes, want);
  for (const Attr& attr : directories) {
    if (IsGranted(*caller.leases, attr.ino)) caller.leases->directories.push_back(attr);
  }
}

bool Driver::IsGranted(const LeaseNews& news, Ino ino) {
  return std::any_of(news.grants.begin(), news.grants.end(),
                     [ino](const Grant& grant) { return grant.ino == ino; });
}

// What is not at hand is not waited for: it is read when it is asked for.
void Driver::AddContents(Attempt& attempt, const Caller& caller, Ino ino, const Prefetch& wished) {
  if (wished.size == 0 || caller.leases == nullptr || !IsGranted(*caller.leases, ino)) return;
  const Handle inode = MakeHandle(ino, caller.access_point);
  const OpenArgs open{.inode = inode, .access = OpenAccess::kRead};
  if (!posix::Open(attempt.txn, caller, open).ok()) return;
  const ReadArgs read{.inode = inode, .offset = wished.offset, .size = wished.size};
  const auto plan = posix::PrepareRead(attempt.txn, caller, read);
  if (!plan.ok() || plan->size == 0) return;
  auto data = attempt.txn.ReadData(plan->inode, plan->offset, plan->size);
  if (data.ok()) caller.leases->contents = {ino, plan->offset, *std::move(data)};
}

void Driver::NoteAccess(Ino ino) {
  if (!leases_.in_grace()) TouchSoon(ino, store::Tier::kMemoryOnly);
}

// ---- kept replies ----

Result<std::optional<store::KeptReply>> Driver::LookUpKept(const Caller& caller, uint8_t verb,
                                                           const LatchSet::Ranks& named) {
  if (caller.maybe_replay) {
    ASSIGN_OR_RETURN(auto kept, store_.FindKeptReply(caller.session, caller.request->slot));
    if (IsReplyTo(kept, *caller.request, verb)) return kept;
  }
  if (caller.formerly == nullptr) return std::optional<store::KeptReply>();
  LatchSet latches(latches_, LatchSet::Mode::kExclusive, LatchSet::Patience::kLong, named);
  latches.Acquire();
  ASSIGN_OR_RETURN(auto kept, LookUpFormer(*caller.formerly, verb));
  if (kept.has_value() && !HasEnded(caller)) {
    auto txn = Begin(store::Tier::kMayBlock, latches);
    txn->KeepReply(caller.session, caller.request->slot,
                   {caller.request->sequence, verb, kept->reply});
    // Should this fail, a retry finds the former one, as long as that is kept.
    (void)txn->Commit();
  }
  return kept;
}

Result<std::optional<store::KeptReply>> Driver::LookUpFormer(const Formerly& formerly,
                                                             uint8_t verb) {
  SessionId session = formerly.previous;
  auto former = formerly.requests.begin();
  while (session != SessionId{} && former != formerly.requests.end()) {
    if (former->session == session) {
      ASSIGN_OR_RETURN(auto kept, store_.FindKeptReply(session, former->request.slot));
      if (IsReplyTo(kept, former->request, verb)) return kept;
      ++former;
    }
    // Read after the reply: they are deleted together, so if this is there that was not there.
    ASSIGN_OR_RETURN(const auto record, store_.FindSession(session));
    if (!record.has_value()) {
      return Error(Errno::kEIO, "it is not known any more what became of it in a former session");
    }
    session = record->previous;
  }
  return std::optional<store::KeptReply>();
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
