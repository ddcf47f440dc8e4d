#include <cerrno>
#include <memory>

#include "client/fuse/busy_pages.h"
#include "client/fuse/convert.h"
#include "client/fuse/ops.h"

namespace tarn::fuse::ops {

void Init(void* userdata, fuse_conn_info* conn) noexcept {
  static_cast<FuseBridge*>(userdata)->Negotiate(*conn);
}

void Forget(fuse_req_t req, fuse_ino_t node, uint64_t lookups) noexcept {
  static_cast<FuseBridge*>(fuse_req_userdata(req))->Forget(NodeId{node}, lookups);
  fuse_reply_none(req);
}

void ForgetMulti(fuse_req_t req, size_t count, fuse_forget_data* forgets) noexcept {
  FuseBridge& bridge = *static_cast<FuseBridge*>(fuse_req_userdata(req));
  for (size_t i = 0; i < count; ++i) bridge.Forget(NodeId{forgets[i].ino}, forgets[i].nlookup);
  fuse_reply_none(req);
}

// The kernel names a descriptor only when it asks for its own sake: to read up to the end of a
// file, or to seek from there.
void GetAttr(fuse_req_t req, fuse_ino_t node, fuse_file_info* fi) noexcept {
  Request request(req, node, "getattr");
  if (node == FUSE_ROOT_ID) request.LetUmountPass();
  GetAttrArgs args{.inode = request.bridge().HandleOf(node)};
  Run<verbs::GetAttr>(std::move(request), args,
                      [relies = fi != nullptr](Request r, const AttrReply& reply) {
                        ReplyAttr(std::move(r), reply.attr, relies);
                      });
}

void StatX(fuse_req_t req, fuse_ino_t node, int, int, fuse_file_info* fi) noexcept {
  Request request(req, node, "statx");
  if (node == FUSE_ROOT_ID) request.LetUmountPass();
  GetAttrArgs args{.inode = request.bridge().HandleOf(node)};
  Run<verbs::GetAttr>(std::move(request), args,
                      [relies = fi != nullptr](Request r, const AttrReply& reply) {
                        ReplyStatx(std::move(r), reply.attr, relies);
                      });
}

void SetAttr(fuse_req_t req, fuse_ino_t node, struct stat* attr, int to_set,
             fuse_file_info* fi) noexcept {
  // The kernel's own notice before a write to a suid file: the write itself says what to drop.
  if ((to_set & ~FUSE_SET_ATTR_CTIME) == 0) return GetAttr(req, node, fi);
  Request request(req, node, "setattr");
  SetAttrArgs args{.inode = request.bridge().HandleOf(node)};
  if (fi != nullptr) args.open = OpenId{fi->fh};
  if ((to_set & FUSE_SET_ATTR_MODE) != 0) args.mode = attr->st_mode & 07777;
  if ((to_set & FUSE_SET_ATTR_UID) != 0) args.uid = attr->st_uid;
  if ((to_set & FUSE_SET_ATTR_GID) != 0) args.gid = attr->st_gid;
  if ((to_set & FUSE_SET_ATTR_SIZE) != 0) args.size = static_cast<uint64_t>(attr->st_size);
  args.atime_now = (to_set & FUSE_SET_ATTR_ATIME_NOW) != 0;
  args.mtime_now = (to_set & FUSE_SET_ATTR_MTIME_NOW) != 0;
  if ((to_set & FUSE_SET_ATTR_ATIME) != 0 && !args.atime_now) {
    args.atime = FromTimespec(attr->st_atim);
  }
  if ((to_set & FUSE_SET_ATTR_MTIME) != 0 && !args.mtime_now) {
    args.mtime = FromTimespec(attr->st_mtim);
  }
  args.kill_privileges = (to_set & FUSE_SET_ATTR_KILL_SUID) != 0;
  // Whether S_ISGID stays, and which groups may be given, depends on the caller's.
  if ((args.mode || args.gid) && request->uid != 0) request.ReadGroups();
  Run<verbs::SetAttr>(std::move(request), args, [](Request r, const AttrReply& reply) {
    ReplySet(std::move(r), reply.attr);
  });
}

void ReadLink(fuse_req_t req, fuse_ino_t node) noexcept {
  Request request(req, node, "readlink");
  ReadLinkArgs args{.inode = request.bridge().HandleOf(node)};
  // The kernel keeps the target in the link's first page.
  auto page =
      std::make_unique<BusyPages>(request.bridge(), BusyPages::Io::kRead, args.inode.ino, 0, 1);
  Run<verbs::ReadLink>(std::move(request), args,
                       [page = std::move(page)](Request r, const ReadLinkReply& reply) mutable {
                         fuse_reply_readlink(r.Finish(), reply.target.c_str());
                         page.reset();
                       });
}

void Access(fuse_req_t req, fuse_ino_t node, int mask) noexcept {
  Request request(req, node, "access");
  AccessArgs args{.inode = request.bridge().HandleOf(node),
                  .mask = static_cast<uint32_t>(mask & 7)};
  Run<verbs::Access>(std::move(request), args, [](Request r, Unit) { r.Ok(); });
}

void StatFs(fuse_req_t req, fuse_ino_t node) noexcept {
  Request request(req, node, "statfs");
  request.LetUmountPass();
  // Node 0: of the mount as a whole.
  StatFsArgs args{.inode = request.bridge().HandleOf(node == 0 ? FUSE_ROOT_ID : node)};
  Run<verbs::StatFs>(std::move(request), args, [](Request r, const StatFsReply& reply) {
    struct statvfs st = ToStatVfs(reply);
    fuse_reply_statfs(r.Finish(), &st);
  });
}

void IoCtl(fuse_req_t req, fuse_ino_t, unsigned, void*, fuse_file_info*, unsigned, const void*,
           size_t, size_t) noexcept {
  fuse_reply_err(req, ENOTTY);
}

}  // namespace tarn::fuse::ops
