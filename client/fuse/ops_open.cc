#include <fcntl.h>

#include "client/fuse/convert.h"
#include "client/fuse/ops.h"
#include "common/limits.h"
#include "common/unless_cancelled.h"

namespace tarn::fuse::ops {
namespace {

// In open flags of the kernel: the file is opened by execve(2).
constexpr int kFlagExecute = 0x20;

// A descriptor that only reads uses the kernel's page cache, which holds nothing but what leases
// cover, so it is never emptied for an open. One that writes goes past it, as does every one where
// there are no leases or the file has changed of late. Writes inside the file may then go in
// parallel: each is one request, and the server applies it whole.
void SetReply(FuseBridge& bridge, fuse_ino_t node, fuse_file_info& fi, OpenId open,
              const Attr& attr) {
  const Ino ino = bridge.inodes().InoOf(NodeId{node});
  const bool reads_only = (fi.flags & O_ACCMODE) == O_RDONLY;
  fi.fh = Raw(open);
  fi.direct_io = !bridge.caches() || !reads_only || !bridge.HasSettled(attr) ||
                 bridge.inodes().IsContended(ino);
  fi.parallel_direct_writes = fi.direct_io;
  fi.keep_cache = !fi.direct_io;
  if (!fi.direct_io) bridge.inodes().NotePages(ino);
  if (!reads_only) bridge.inodes().AddWriter(ino);
}

void AnswerCreate(Request request, const std::string& name, const fuse_file_info& info,
                  OpenId open, const CreateReply& reply) {
  const Handle inode = reply.entry.handle;
  // The kernel, which knew of no such name, takes nothing but a regular file here. ESTALE makes it
  // look the name up again and open what is there in the usual way.
  if (reply.entry.attr.type != FileType::kRegular) {
    request.Fail(Errno::kESTALE);
    return ReleaseOpen(std::move(request), inode, open, false);
  }
  FuseBridge& bridge = request.bridge();
  {
    ReaderMutexLock gate(&bridge.invalidator().gate());
    const Ino dir = bridge.inodes().InoOf(NodeId{request->node});
    fuse_entry_param entry = MakeEntry(bridge, dir, name, reply.entry);
    fuse_file_info fi = info;
    SetReply(bridge, entry.ino, fi, open, reply.entry.attr);
    if (fuse_reply_create(request.Finish(), &entry, &fi) == 0) return;
    // The kernel did not take the answer: nobody will close this.
    bridge.Forget(NodeId{entry.ino}, 1);
  }
  ReleaseOpen(std::move(request), inode, open, false);
}

}  // namespace

void Open(fuse_req_t req, fuse_ino_t node, fuse_file_info* fi) noexcept {
  Request request(req, node, "open");
  OpenArgs args{.inode = request.bridge().HandleOf(node),
                .open = request.bridge().NewOpenId(),
                .access = AccessOfFlags(fi->flags),
                .truncate = (fi->flags & O_TRUNC) != 0,
                .execute = (fi->flags & kFlagExecute) != 0};
  Run<verbs::Open>(std::move(request), args,
                   [info = *fi, inode = args.inode,
                    open = args.open](Request r, const OpenReply& reply) {
                     fuse_file_info fi = info;
                     SetReply(r.bridge(), r->node, fi, open, reply.attr);
                     if (fuse_reply_open(r.Finish(), &fi) == 0) return;
                     ReleaseOpen(std::move(r), inode, open, false);
                   });
}

void Create(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode,
            fuse_file_info* fi) noexcept {
  Request request(req, parent, "create");
  if (!CheckName(request, name)) return;
  if ((mode & S_ISGID) != 0 && request->uid != 0) request.ReadGroups();
  CreateArgs args{.dir = request.bridge().HandleOf(parent),
                  .name = name,
                  .mode = mode & 07777,
                  .umask = fuse_req_ctx(req)->umask,
                  .open = request.bridge().NewOpenId(),
                  .access = AccessOfFlags(fi->flags),
                  .exclusive = (fi->flags & O_EXCL) != 0,
                  .truncate = (fi->flags & O_TRUNC) != 0};
  OpenId open = args.open;
  std::string made = args.name;
  Run<verbs::Create>(
      std::move(request), std::move(args),
      [info = *fi, open, made = std::move(made)](Request r, const CreateReply& reply) {
        AnswerCreate(std::move(r), made, info, open, reply);
      });
}

void TmpFile(fuse_req_t req, fuse_ino_t parent, mode_t mode, fuse_file_info* fi) noexcept {
  Request request(req, parent, "tmpfile");
  if ((mode & S_ISGID) != 0 && request->uid != 0) request.ReadGroups();
  CreateTmpArgs args{.dir = request.bridge().HandleOf(parent),
                     .mode = mode & 07777,
                     .umask = fuse_req_ctx(req)->umask,
                     .open = request.bridge().NewOpenId(),
                     .access = AccessOfFlags(fi->flags),
                     .linkable = (fi->flags & O_EXCL) == 0};
  OpenId open = args.open;
  Run<verbs::CreateTmp>(std::move(request), args,
                        [info = *fi, open](Request r, const CreateReply& reply) {
                          AnswerCreate(std::move(r), "", info, open, reply);
                        });
}

// Sent at every close of every descriptor. An interrupted close would leave locks behind.
// What was written is told also for a process that was killed, but that does not wait for it.
void Flush(fuse_req_t req, fuse_ino_t node, fuse_file_info* fi) noexcept {
  Request request(req, node, "flush");
  FlushArgs args{.inode = request.bridge().HandleOf(node),
                 .open = OpenId{fi->fh},
                 .owner = LockOwner{fi->lock_owner}};
  args.locks = request.bridge().locks().TakeOwner(args.inode.ino, args.owner);
  // A cache may have writes to tell of.
  if (!args.locks && !request.bridge().caches()) return request.Ok();
  FuseBridge& bridge = request.bridge();
  const auto thread = static_cast<pid_t>(request->pid);
  Caller caller = request.MakeCaller();
  const std::weak_ptr<Cancellation> killed = caller.cancellation;
  auto told = UnlessCancelled(
      caller, Done<Unit>([request = std::move(request)](const Result<Unit>& result) mutable {
        result.ok() ? request.Ok() : request.Fail(result.error());
      }),
      [](Done<Unit> reply, const Result<Unit>& result) { std::move(reply)(result); });
  caller.cancellation = nullptr;
  bridge.fs().Flush(caller, args, std::move(told));
  if (!killed.expired()) bridge.interrupter().Watch(killed, thread);
}

// The end of an open file description. Nobody waits for the answer.
void Release(fuse_req_t req, fuse_ino_t node, fuse_file_info* fi) noexcept {
  Request request(req, node, "release", Interruptible::kNo);
  Handle inode = request.bridge().HandleOf(node);
  OpenId open{fi->fh};
  bool held_locks = request.bridge().locks().BeginRelease(inode.ino, open);
  if ((fi->flags & O_ACCMODE) != O_RDONLY) request.bridge().inodes().RemoveWriter(inode.ino);
  request.Ok();
  ReleaseOpen(std::move(request), inode, open, held_locks);
}

}  // namespace tarn::fuse::ops
