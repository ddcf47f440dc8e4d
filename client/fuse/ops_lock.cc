#include <fcntl.h>
#include <sys/file.h>

#include "client/fuse/convert.h"
#include "client/fuse/ops.h"

namespace tarn::fuse::ops {
namespace {

Request MakeLockRequest(fuse_req_t req, fuse_ino_t node, std::string_view verb, bool wait) {
  return Request(req, node, verb, wait ? Interruptible::kByAnySignal : Interruptible::kByDeath);
}

void Set(Request request, SetLockArgs args) {
  FuseBridge& bridge = request.bridge();
  Ino ino = args.inode.ino;
  bool takes = args.lock.type != LockType::kUnlock;
  auto run = [args, takes, request = std::move(request)]() mutable {
    LockBook& locks = request.bridge().locks();
    if (takes) locks.Note(args.inode.ino, args.open, args.owner);
    Run<verbs::SetLock>(std::move(request), args, [args, takes](Request r, Unit) {
      if (takes) r.bridge().locks().Note(args.inode.ino, args.open, args.owner);
      r.Ok();
    });
  };
  bridge.locks().AfterReleases(ino, std::move(run));
}

}  // namespace

void GetLock(fuse_req_t req, fuse_ino_t node, fuse_file_info* fi, struct flock* lock) noexcept {
  Request request = MakeLockRequest(req, node, "getlk", false);
  std::optional<FileLock> wanted = FromFlock(*lock);
  if (!wanted) return request.Fail(Errno::kEINVAL);
  GetLockArgs args{.inode = request.bridge().HandleOf(node),
                   .open = OpenId{fi->fh},
                   .owner = LockOwner{fi->lock_owner},
                   .lock = *wanted};
  FuseBridge& bridge = request.bridge();
  auto run = [args, request = std::move(request)]() mutable {
    Run<verbs::GetLock>(std::move(request), args, [](Request r, const GetLockReply& reply) {
      struct flock answer = ToFlock(reply.conflict);
      fuse_reply_lock(r.Finish(), &answer);
    });
  };
  bridge.locks().AfterReleases(args.inode.ino, std::move(run));
}

void SetLock(fuse_req_t req, fuse_ino_t node, fuse_file_info* fi, struct flock* lock,
             int wait) noexcept {
  Request request = MakeLockRequest(req, node, "setlk", wait != 0);
  std::optional<FileLock> wanted = FromFlock(*lock);
  if (!wanted) return request.Fail(Errno::kEINVAL);
  SetLockArgs args{.inode = request.bridge().HandleOf(node),
                   .open = OpenId{fi->fh},
                   .owner = LockOwner{fi->lock_owner},
                   .kind = LockKind::kRange,
                   .wait = wait != 0,
                   .lock = *wanted};
  Set(std::move(request), args);
}

void Flock(fuse_req_t req, fuse_ino_t node, fuse_file_info* fi, int op) noexcept {
  bool wait = (op & LOCK_NB) == 0;
  Request request = MakeLockRequest(req, node, "flock", wait);
  SetLockArgs args{.inode = request.bridge().HandleOf(node),
                   .open = OpenId{fi->fh},
                   .owner = LockOwner{fi->lock_owner},
                   .kind = LockKind::kFlock,
                   .wait = wait};
  args.lock.pid = request->pid;
  switch (op & ~LOCK_NB) {
    case LOCK_SH:
      args.lock.type = LockType::kRead;
      break;
    case LOCK_EX:
      args.lock.type = LockType::kWrite;
      break;
    case LOCK_UN:
      args.lock.type = LockType::kUnlock;
      break;
    default:
      return request.Fail(Errno::kEINVAL);
  }
  Set(std::move(request), args);
}

}  // namespace tarn::fuse::ops
