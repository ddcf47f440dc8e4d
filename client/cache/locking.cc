// CachedFs's locks: under a file's exclusive lease they are granted here, and the server hears of
// them, as ordinary requests, only when the lease ends or somebody must wait.
#include <atomic>
#include <utility>

#include "client/cache/cached_fs_inl.h"
#include "client/cache/cached_fs_opens_inl.h"
#include "common/log.h"

namespace tarn::cache {
namespace {

// What an open must permit for the lock, as fcntl(2) has it.
bool Permits(OpenAccess access, const SetLockArgs& args) {
  if (access == OpenAccess::kNone) return false;  // not known
  if (args.kind == LockKind::kFlock) return true;
  return args.lock.type == LockType::kRead ? CanRead(access) : CanWrite(access);
}

}  // namespace

bool CachedFs::MayLock(Ino ino) const {
  return Valid() && table_.MayWrite(ino) && !locks_.IsAsked(ino) && !remote_.HoldsLocks(ino);
}

CachedFs::LockPlace CachedFs::LockLocally(const SetLockArgs& args, Result<Unit>& answer) {
  const Ino ino = args.inode.ino;
  const bool here = locks_.Holds(ino);
  if (args.lock.type == LockType::kUnlock) {
    if (!here && !MayLock(ino)) return LockPlace::kServer;
    locks_.ledger().Note(args);
    return LockPlace::kHere;
  }
  if (!MayLock(ino) || !Permits(AccessOf(args.open), args) || args.lock.start > args.lock.end) {
    return here ? LockPlace::kHandOver : LockPlace::kServer;
  }
  if (locks_.ledger().Blocker(ino, args.kind, args.owner, args.lock).has_value()) {
    if (args.wait) return LockPlace::kHandOver;  // the server sees who waits for whom
    answer = Errno::kEAGAIN;
    return LockPlace::kHere;
  }
  locks_.ledger().Note(args);
  return LockPlace::kHere;
}

void CachedFs::SetLock(const Caller& caller, SetLockArgs args, Done<Unit> done) {
  const Ino ino = args.inode.ino;
  LockPlace place = LockPlace::kHandOver;
  Result<Unit> answer = Unit{};
  {
    MutexLock lock(&mu_);
    table_.NoteUse(ino, clock_.BootNanos());
    if (!locks_.IsHandingOver(ino)) place = LockLocally(args, answer);
    if (place == LockPlace::kServer) locks_.BeginAsking(ino);
  }
  if (place == LockPlace::kHere) return std::move(done)(std::move(answer));
  if (place == LockPlace::kHandOver) {
    return HandOverLocks(
        ino, UnlessCancelled(caller, std::move(done), [this, caller, args](Done<Unit> then) {
          SetLock(caller, args, std::move(then));
        }));
  }
  Done<Unit> ended = [this, ino, done = std::move(done)](Result<Unit> result) mutable {
    {
      MutexLock lock(&mu_);
      locks_.EndAsking(ino);
    }
    std::move(done)(std::move(result));
  };
  WithOpen<Unit>(caller, args.open, std::move(ended), [this, caller, args](Done<Unit> known) {
    Ask<verbs::SetLock>(caller, args, std::move(known), kNothing);
  });
}

void CachedFs::GetLock(const Caller& caller, GetLockArgs args, Done<GetLockReply> done) {
  const Ino ino = args.inode.ino;
  bool handing = false;
  std::optional<GetLockReply> reply;
  {
    MutexLock lock(&mu_);
    handing = locks_.IsHandingOver(ino);
    if (!handing && (locks_.Holds(ino) || MayLock(ino))) {
      reply.emplace();
      reply->conflict = locks_.ledger().Test(ino, args.owner, args.lock);
    }
  }
  if (reply.has_value()) return std::move(done)(*reply);
  if (!handing) return PassThrough<verbs::GetLock>(caller, args, std::move(done));
  HandOverLocks(
      ino, UnlessCancelled(caller, std::move(done), [this, caller, args](Done<GetLockReply> then) {
        GetLock(caller, args, std::move(then));
      }));
}

// A close of one of the owner's descriptors.
void CachedFs::DropLocks(const Caller& caller, const FlushArgs& args, Done<Unit> arg_done) {
  const Ino ino = args.inode.ino;
  auto done = std::make_shared<Done<Unit>>(std::move(arg_done));
  WriteBehind::Then again = [this, caller, args, done] {
    DropLocks(caller, args, std::move(*done));
  };
  bool nothing_there = false;
  {
    MutexLock lock(&mu_);
    if (locks_.Await(ino, again)) return;
    locks_.ledger().DropOwner(ino, args.owner);
    nothing_there = !locks_.IsAsked(ino) && !remote_.HoldsLocks(ino);
  }
  if (nothing_there) return std::move(*done)(Unit{});
  PassThrough<verbs::Flush>(caller, args,
                            [done](Result<Unit> r) { std::move (*done)(std::move(r)); });
}

// The end of an open; `then` tells the server of it.
void CachedFs::DropLocksOf(Ino ino, OpenId open, WriteBehind::Then then) {
  auto shared = std::make_shared<WriteBehind::Then>(std::move(then));
  WriteBehind::Then again = [this, ino, open, shared] {
    DropLocksOf(ino, open, std::move(*shared));
  };
  {
    MutexLock lock(&mu_);
    if (locks_.Await(ino, again)) return;
    locks_.ledger().DropOpen(ino, open);
  }
  std::move (*shared)();
}

void CachedFs::HandOverLocks(Ino ino, WriteBehind::Then then) {
  std::vector<SetLockArgs> locks;
  {
    MutexLock lock(&mu_);
    if (locks_.Await(ino, then)) return;
    locks = locks_.BeginHandOver(ino, then);
  }
  if (locks.empty()) return std::move(then)();
  Caller caller;
  caller.session = remote_.session();  // no other one's lock
  auto left = std::make_shared<std::atomic<size_t>>(locks.size());
  for (SetLockArgs& args : locks) {
    args.wait = false;
    lazy_.Register(args.open, [this, caller, args, left](const Status& known) {
      auto handed = [this, args, left](const Result<Unit>& result) {
        if (!result.ok()) {
          LogError("a lock on inode {} is lost: {}", Raw(args.inode.ino), ErrnoName(result.code()));
          remote_.LoseOpen(args.open);
        }
        if (left->fetch_sub(1) == 1) EndHandOver(args.inode.ino);
      };
      if (!known.ok()) return handed(known.error());
      remote_.SetLock(caller, args, std::move(handed));
    });
  }
}

void CachedFs::EndHandOver(Ino ino) {
  std::vector<WriteBehind::Then> waiting;
  {
    MutexLock lock(&mu_);
    waiting = locks_.EndHandOver(ino);
  }
  for (WriteBehind::Then& then : waiting) std::move(then)();
}

}  // namespace tarn::cache
