#include "server/ops/local_fs_impl.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "common/posix/rules.h"

namespace tarn::ops {
namespace {

// df of an elastic file system: 8 EiB, less what statvfs(3) would overflow with.
constexpr uint64_t kBytesTotal = (uint64_t{1} << 63) - (uint64_t{1} << 20);
constexpr uint64_t kInodesTotal = uint64_t{1} << 48;

// Of events and grants: above all that an earlier run can have used, who numbered from its own
// start on and did not grant a million times a second ever since.
uint64_t FirstNumber(Clock& clock) {
  return static_cast<uint64_t>(clock.Now().ns / 1000) + 1;
}

// True: it moves a directory to another parent, so the paths of others must not change meanwhile.
Result<bool> MovesDirectory(store::Txn& txn, const RenameArgs& args) {
  if (args.dir.ino == args.new_dir.ino) return false;
  ASSIGN_OR_RETURN(auto from, txn.GetDentry(args.dir.ino, args.name));
  if (from.has_value() && from->type == FileType::kDirectory) return true;
  if (args.mode != RenameMode::kExchange) return false;
  ASSIGN_OR_RETURN(auto to, txn.GetDentry(args.new_dir.ino, args.new_name));
  return to.has_value() && to->type == FileType::kDirectory;
}

StatFsReply FiguresOf(const store::Usage& usage) {
  return {.bytes_total = kBytesTotal, .bytes_used = usage.bytes,
          .inodes_total = kInodesTotal, .inodes_used = usage.inodes};
}

}  // namespace

std::unique_ptr<LocalFs> LocalFs::Make(std::unique_ptr<store::Store> store, Clock& clock,
                                       const LocalFsOptions& options) {
  return std::make_unique<LocalFsImpl>(std::move(store), clock, options);
}

LocalFsImpl::LocalFsImpl(std::unique_ptr<store::Store> store, Clock& clock,
                         const LocalFsOptions& options)
    : timing_(options.timing),
      store_(std::move(store)),
      lease_table_(FirstNumber(clock)),
      reclaimer_(*store_, clock, latches_, opens_, lease_table_, options.grace,
                 [this] { housekeeper_.Wake(); }),
      pool_(std::make_unique<Pool>(std::max(1, options.pool_threads))),
      locks_(std::make_shared<Locks>(opens_, *pool_, options.grace,
                                     [this] { housekeeper_.Wake(); })),
      leases_(std::make_shared<Leases>(
          lease_table_, clock, *pool_, options.grace, [this] { housekeeper_.Wake(); },
          [this](Ino ino) { reclaimer_.NoteReleased(ino); })),
      driver_(*store_, opens_, latches_, *leases_, *pool_, [this] { reclaimer_.NoteChange(); }),
      housekeeper_([this] { return Round(); }) {
  leases_->SetLockedByOthers(
      [this](Ino ino, SessionId session) { return locks_->IsOfOthers(ino, session); });
}

LocalFsImpl::~LocalFsImpl() {
  locks_->Stop();
  leases_->Stop(Errno::kEINTR);
  reclaimer_.Stop();
  housekeeper_.Stop();
  pool_.reset();   // runs what was posted
  locks_->Stop();  // what that left waiting
}

absl::Duration LocalFsImpl::Round() {
  absl::Duration pause = absl::InfiniteDuration();
  const bool for_locks = locks_->RecheckHolders();
  const bool for_leases = leases_->Recheck(timing_.recall_deadline_nanos);
  if (for_locks || for_leases) pause = absl::Nanoseconds(timing_.heartbeat_nanos());
  for (const auto next : {leases_->ExpireFigures(), reclaimer_.Round()}) {
    if (next.has_value()) pause = std::min(pause, absl::Nanoseconds(*next));
  }
  return pause;
}

// ---- sessions ----

void LocalFsImpl::EndSession(SessionId session) {
  // Opens first: a lock that is being set meanwhile looks for its open afterwards.
  const std::vector<Ino> closed = opens_.DropSession(session);
  locks_->DropSession(session);
  leases_->DropSession(session);
  for (Ino ino : closed) reclaimer_.NoteReleased(ino);
}

Status LocalFsImpl::ReclaimOpen(const Caller& caller, Handle inode, OpenId open,
                                OpenAccess access) {
  if (!driver_.CheckTag(caller, inode).ok()) return Error(Errno::kEBADF, "wrong handle");
  return driver_.WithInode(inode.ino, [&]() -> Status {
    RETURN_IF_ERROR(opens_.Add(caller.session, open, {inode.ino, access}));
    return Ok();
  });
}

Status LocalFsImpl::ReclaimLock(const Caller& caller, const SetLockArgs& lock) {
  RETURN_IF_ERROR(driver_.CheckTag(caller, lock.inode));
  return locks_->Reclaim(caller, lock);
}

Status LocalFsImpl::ReclaimWritten(const Caller& caller, Handle inode) {
  RETURN_IF_ERROR(driver_.CheckTag(caller, inode));
  return driver_.WithInode(inode.ino, [&]() -> Status {
    if (!leases_->Reclaim(caller.session, inode.ino)) return Errno::kEAGAIN;
    return Ok();
  });
}

void LocalFsImpl::EndGrace() {
  locks_->EndGrace();
  leases_->EndGrace();
  reclaimer_.EndGrace();
}

void LocalFsImpl::SetExpireSilent(ExpireSilent expire) {
  leases_->SetExpireSilent(expire);
  locks_->SetExpireSilent(std::move(expire));
}

// ---- verbs that are their rule ----

#define TARN_RUN_RULE(verb)                                                                 \
  void LocalFsImpl::verb(const Caller& caller, verbs::verb::Args arguments,                 \
                         Done<verbs::verb::Reply> done) {                                   \
    driver_.Run<verbs::verb>(caller, std::move(arguments), std::move(done),                 \
                             [](Attempt& attempt, const Caller& who, const auto& args) {    \
                               return posix::verb(attempt.txn, who, args);                  \
                             });                                                            \
  }
TARN_RUN_RULE(Lookup)
TARN_RUN_RULE(GetAttr)
TARN_RUN_RULE(ReadLink)
TARN_RUN_RULE(MakeNode)
TARN_RUN_RULE(MakeDir)
TARN_RUN_RULE(SymLink)
TARN_RUN_RULE(Unlink)
TARN_RUN_RULE(RemoveDir)
TARN_RUN_RULE(Link)
TARN_RUN_RULE(Create)
TARN_RUN_RULE(CreateTmp)
TARN_RUN_RULE(GetXattr)
TARN_RUN_RULE(SetXattr)
TARN_RUN_RULE(ListXattr)
TARN_RUN_RULE(RemoveXattr)
TARN_RUN_RULE(Access)
#undef TARN_RUN_RULE

// ---- verbs whose rule wants to know more ----

void LocalFsImpl::SetAttr(const Caller& caller, SetAttrArgs arguments, Done<AttrReply> done) {
  driver_.Run<verbs::SetAttr>(
      caller, std::move(arguments), std::move(done),
      [this](Attempt& attempt, const Caller& who, const SetAttrArgs& args) {
        OpenAccess held = OpenAccess::kNone;
        if (args.open.has_value()) {
          const auto open = opens_.Find(who.session, *args.open);
          if (open.has_value() && open->ino == args.inode.ino) held = open->access;
        }
        return posix::SetAttr(attempt.txn, who, args, held);
      });
}

void LocalFsImpl::ReadDir(const Caller& caller, ReadDirArgs arguments, Done<ReadDirReply> done) {
  driver_.Run<verbs::ReadDir>(
      caller, std::move(arguments), std::move(done),
      [this](Attempt& attempt, const Caller& who, const ReadDirArgs& args) {
        const bool readable = opens_.IsReadable(args.dir.ino, who.session);
        auto reply = posix::ReadDir(attempt.txn, who, args,
                                    readable ? OpenAccess::kRead : OpenAccess::kNone);
        if (reply.ok()) HideUntold(who, *reply);
        return reply;
      });
}

// A listing waits for nobody: what others may be writing to comes without attributes.
void LocalFsImpl::HideUntold(const Caller& caller, ReadDirReply& reply) const {
  for (DirEntry& entry : reply.entries) {
    if (entry.entry.has_value() && leases_->IsExclusiveElsewhere(caller, entry.ino)) {
      entry.entry.reset();
    }
  }
}

void LocalFsImpl::Rename(const Caller& caller, RenameArgs arguments, Done<Unit> done) {
  driver_.Run<verbs::Rename>(
      caller, std::move(arguments), std::move(done),
      [](Attempt& attempt, const Caller& who, const RenameArgs& args) -> Status {
        ASSIGN_OR_RETURN(const bool moves, MovesDirectory(attempt.txn, args));
        if (moves && !attempt.latches.Reach(Latches::kRename)) return Errno::kBlocked;
        return posix::Rename(attempt.txn, who, args);
      });
}

void LocalFsImpl::StatFs(const Caller& caller, StatFsArgs arguments, Done<StatFsReply> done) {
  driver_.Run<verbs::StatFs>(caller, std::move(arguments), std::move(done),
                             [this](Attempt& attempt, const Caller& who, const StatFsArgs& args)
                                 -> Result<StatFsReply> {
                               ASSIGN_OR_RETURN(const auto inode,
                                                attempt.txn.GetInode(args.inode.ino));
                               if (!inode.has_value()) return Errno::kESTALE;
                               leases_->GrantFigures(who);
                               return FiguresOf(store_->usage());
                             });
}

// ---- verbs without a transaction ----

void LocalFsImpl::Fsync(const Caller& caller, FsyncArgs args, Done<Unit> done) {
  // What another host has not told yet is told first.
  driver_.Run<verbs::Fsync>(
      caller, args,
      [this, done = std::move(done)](Result<Unit> told) mutable {
        if (!told.ok()) return std::move(done)(told.error());
        store_->Sync(std::move(done));
      },
      [](Attempt&, const Caller&, const FsyncArgs&) -> Result<Unit> { return Unit{}; });
}

void LocalFsImpl::Release(const Caller& caller, ReleaseArgs args, Done<Unit> done) {
  if (Status tag = driver_.CheckTag(caller, args.inode); !tag.ok()) {
    return std::move(done)(tag.error());
  }
  const auto removed = opens_.Remove(caller.session, args.open);
  const Ino ino = removed.has_value() ? removed->ino : args.inode.ino;
  locks_->DropOpen(caller.session, ino, args.open);
  if (removed.has_value() && removed->last) reclaimer_.NoteReleased(ino);
  if (args.accessed && !caller.read_only) driver_.NoteAccess(args.inode.ino);
  std::move(done)(Unit{});
}

void LocalFsImpl::Flush(const Caller& caller, FlushArgs args, Done<Unit> done) {
  if (Status tag = driver_.CheckTag(caller, args.inode); !tag.ok()) {
    return std::move(done)(tag.error());
  }
  locks_->DropOwner(caller.session, args);
  std::move(done)(Unit{});
}

// A holder that grants locks by itself is asked for them first.
void LocalFsImpl::GetLock(const Caller& caller, GetLockArgs args, Done<GetLockReply> done) {
  driver_.Run<verbs::GetLock>(
      caller, args,
      [this, caller, args, done = std::move(done)](Result<GetLockReply> told) mutable {
        if (!told.ok()) return std::move(done)(told.error());
        locks_->Get(caller, args, std::move(done));
      },
      [](Attempt&, const Caller&, const GetLockArgs&) -> Result<GetLockReply> {
        return GetLockReply{};
      });
}

Done<Unit> LocalFsImpl::ThenGoOn(const Caller& caller, const SetLockArgs& args, Done<Unit> done) {
  const Ino ino = args.inode.ino;
  const bool waits = args.wait && locks_->IsOfOthers(ino, caller.session);
  if (!waits || caller.leases == nullptr) return done;
  return [this, caller, ino, done = std::move(done)](Result<Unit> result) mutable {
    if (result.ok() && !locks_->IsOfOthers(ino, caller.session)) driver_.GrantTurn(caller, ino);
    std::move(done)(std::move(result));
  };
}

void LocalFsImpl::SetLock(const Caller& caller, SetLockArgs args, Done<Unit> done) {
  if (args.lock.type == LockType::kUnlock) {
    if (Status tag = driver_.CheckTag(caller, args.inode); !tag.ok()) {
      return std::move(done)(tag.error());
    }
    return locks_->Set(caller, std::move(args), std::move(done));
  }
  Done<Unit> announced = locks_->Announce(caller.session, args.inode.ino, std::move(done));
  driver_.Run<verbs::SetLock>(
      caller, args,
      [this, caller, args, done = std::move(announced)](Result<Unit> told) mutable {
        if (!told.ok()) return std::move(done)(told.error());
        locks_->Set(caller, args, ThenGoOn(caller, args, std::move(done)));
      },
      [](Attempt&, const Caller&, const SetLockArgs&) -> Result<Unit> { return Unit{}; });
}

}  // namespace tarn::ops
