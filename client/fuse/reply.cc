#include <cstring>

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

fuse_entry_param MakeEntry(FuseBridge& bridge, const EntryReply& reply) {
  fuse_entry_param entry{};
  entry.ino = Raw(bridge.inodes().Remember(reply.handle));
  entry.attr = ToStat(reply.attr);
  entry.attr_timeout = bridge.validity().attr;
  entry.entry_timeout = bridge.validity().entry;
  return entry;
}

void ReplyEntry(Request request, const EntryReply& reply) {
  fuse_entry_param entry = MakeEntry(request.bridge(), reply);
  // A reply that the kernel did not take has named nothing to it.
  if (fuse_reply_entry(request.Finish(), &entry) != 0) {
    request.bridge().inodes().Forget(NodeId{entry.ino}, 1);
  }
}

void ReplyAttr(Request request, const Attr& attr) {
  struct stat st = ToStat(attr);
  double timeout = request.bridge().validity().attr;
  fuse_reply_attr(request.Finish(), &st, timeout);
}

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
