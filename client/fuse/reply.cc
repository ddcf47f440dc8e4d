#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "client/fuse/convert.h"
#include "client/fuse/ops.h"
#include "common/limits.h"
#include "common/log.h"

namespace tarn::fuse::ops {

bool CheckName(Request& request, const char* name) {
  if (strlen(name) <= kNameMaxBytes) return true;
  request.Fail(Errno::kENAMETOOLONG);
  return false;
}

fuse_entry_param MakeEntry(FuseBridge& bridge, Ino dir, std::string_view name,
                           const EntryReply& reply) {
  fuse_entry_param entry{};
  entry.ino = Raw(bridge.inodes().Remember(reply.handle));
  bridge.inodes().TellSize(reply.attr);
  entry.attr = ToStat(reply.attr);
  entry.attr_timeout = bridge.AttrSeconds(reply.attr);
  entry.entry_timeout = bridge.EntrySeconds(dir, name, reply.handle.ino);
  return entry;
}

namespace {

// Runs `then` with the request once a reply may tell the size.
template <class F>
void WhenSizeMayBeTold(Request request, const Attr& attr, bool relies_on_it, F then) {
  FuseBridge& bridge = request.bridge();
  if (!bridge.caches() || attr.type != FileType::kRegular) return then(std::move(request));
  const std::optional<uint64_t> from = bridge.inodes().GrowsFrom(attr, relies_on_it);
  if (!from.has_value()) return then(std::move(request));
  bridge.invalidator().GrowThen(attr, *from,
                                [request = std::move(request), then = std::move(then)]() mutable {
                                  then(std::move(request));
                                });
}

void SendEntry(Request request, Ino dir, std::string_view name, const EntryReply& reply) {
  FuseBridge& bridge = request.bridge();
  ReaderMutexLock gate(&bridge.invalidator().gate());
  fuse_entry_param entry = MakeEntry(bridge, dir, name, reply);
  // A reply that the kernel did not take has named nothing to it.
  if (fuse_reply_entry(request.Finish(), &entry) != 0) bridge.Forget(NodeId{entry.ino}, 1);
}

void SendAttr(Request request, const Attr& attr) {
  ReaderMutexLock gate(&request.bridge().invalidator().gate());
  request.bridge().inodes().TellSize(attr);
  struct stat st = ToStat(attr);
  double timeout = request.bridge().AttrSeconds(attr);
  fuse_reply_attr(request.Finish(), &st, timeout);
}

void SendStatx(Request request, const Attr& attr) {
  ReaderMutexLock gate(&request.bridge().invalidator().gate());
  request.bridge().inodes().TellSize(attr);
  struct statx stx = ToStatx(attr);
  double timeout = request.bridge().AttrSeconds(attr);
  fuse_reply_statx(request.Finish(), 0, &stx, timeout);
}

}  // namespace

void ReplyEntry(Request request, Ino dir, std::string_view name, const EntryReply& reply) {
  WhenSizeMayBeTold(std::move(request), reply.attr, false,
                    [dir, name = std::string(name), reply](Request r) {
                      SendEntry(std::move(r), dir, name, reply);
                    });
}

void ReplyAbsent(Request& request, std::string_view name) {
  FuseBridge& bridge = request.bridge();
  const Ino dir = bridge.inodes().InoOf(NodeId{request->node});
  ReaderMutexLock gate(&bridge.invalidator().gate());
  fuse_entry_param entry{};
  entry.entry_timeout = bridge.EntrySeconds(dir, name, kNoIno);
  if (entry.entry_timeout > 0) {
    fuse_reply_entry(request.Finish(), &entry);
  } else {
    fuse_reply_err(request.Finish(), ENOENT);
  }
}

void ReplyAttr(Request request, const Attr& attr, bool relies_on_size) {
  WhenSizeMayBeTold(std::move(request), attr, relies_on_size,
                    [attr](Request r) { SendAttr(std::move(r), attr); });
}

void ReplyStatx(Request request, const Attr& attr, bool relies_on_size) {
  WhenSizeMayBeTold(std::move(request), attr, relies_on_size,
                    [attr](Request r) { SendStatx(std::move(r), attr); });
}

void ReplySet(Request request, const Attr& attr) { SendAttr(std::move(request), attr); }

void ReleaseOpen(Request request, Handle inode, OpenId open, bool held_locks) {
  FileSystem& fs = request.bridge().fs();
  const Caller caller = request.MakeCaller();
  fs.Release(caller, {.inode = inode, .open = open},
             [request = std::move(request), inode, open, held_locks](Result<Unit> result) {
               if (!result.ok()) {
                 LogWarning("release of open {} of inode {}: {} {}", Raw(open), Raw(inode.ino),
                            ErrnoName(result.code()), result.error().message);
               }
               if (held_locks) request.bridge().locks().EndRelease(inode.ino);
             });
}

}  // namespace tarn::fuse::ops
