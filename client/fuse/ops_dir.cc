#include <memory>
#include <string>
#include <vector>

#include "client/fuse/convert.h"
#include "client/fuse/dir_stream.h"
#include "client/fuse/ops.h"
#include "common/sync.h"

namespace tarn::fuse::ops {
namespace {

// An open directory: what its file handle points to, from OPENDIR to RELEASEDIR.
struct OpenedDir {
  const OpenId open;
  Mutex mu;
  DirStream stream ABSL_GUARDED_BY(mu);
};

OpenedDir& DirOf(const fuse_file_info& fi) {
  return *reinterpret_cast<OpenedDir*>(fi.fh);
}

// The kernel's form of as many entries as fit.
struct Packed {
  std::vector<char> buffer;
  size_t used = 0;
  size_t count = 0;
  std::vector<NodeId> looked_up;  // by the kernel, once it has the reply
};

bool IsDots(const DirEntry& entry) {
  return entry.name == "." || entry.name == "..";
}

bool MayTellSize(FuseBridge& bridge, const Attr& attr) {
  return attr.type != FileType::kRegular ||
         !bridge.inodes().GrowsFrom(attr, false).has_value();
}

// REQUIRES: the gate, until the reply is written.
Packed Pack(const Request& request, std::span<const DirEntry> entries, size_t size, bool plus) {
  const Ino dir = request.bridge().inodes().InoOf(NodeId{request->node});
  Packed out;
  out.buffer.resize(entries.empty() ? 0 : size);
  for (const DirEntry& entry : entries) {
    char* at = out.buffer.data() + out.used;
    const size_t room = size - out.used;
    const auto cookie = static_cast<off_t>(entry.cookie);
    fuse_entry_param param{};
    param.attr.st_ino = Raw(entry.ino);
    param.attr.st_mode = ToMode(entry.type, 0);
    size_t need = 0;
    if (!plus) {
      need = fuse_add_direntry(request->req, at, room, entry.name.c_str(), &param.attr, cookie);
      if (need > room) break;
    } else {
      need = fuse_add_direntry_plus(request->req, nullptr, 0, entry.name.c_str(), &param, cookie);
      if (need > room) break;
      // An entry without an inode is not looked up; the kernel never counts the dots.
      FuseBridge& bridge = request.bridge();
      if (entry.entry && !IsDots(entry) && MayTellSize(bridge, entry.entry->attr)) {
        param = MakeEntry(bridge, dir, entry.name, *entry.entry);
        out.looked_up.push_back(NodeId{param.ino});
      }
      fuse_add_direntry_plus(request->req, at, room, entry.name.c_str(), &param, cookie);
    }
    out.used += need;
    ++out.count;
  }
  return out;
}

// The request outlives the gate, which is its bridge's.
void Reply(Request& request, const Packed& packed, bool nothing_fits) {
  if (nothing_fits) return request.Fail(Errno::kEINVAL);
  if (fuse_reply_buf(request.Finish(), packed.buffer.data(), packed.used) == 0) return;
  for (NodeId node : packed.looked_up) request.bridge().Forget(node, 1);
}

void Serve(Request request, OpenedDir& dir, size_t size, off_t offset, bool plus) {
  ReadDirArgs args{.dir = request.bridge().HandleOf(request->node),
                   .cookie = static_cast<uint64_t>(offset),
                   .plus = plus};
  {
    ReaderMutexLock gate(&request.bridge().invalidator().gate());
    std::optional<Packed> packed;
    bool stuck = false;
    {
      MutexLock lock(&dir.mu);
      if (auto rest = dir.stream.Continue(args.cookie, plus)) {
        packed = Pack(request, *rest, size, plus);
        stuck = packed->count == 0 && !rest->empty();
        dir.stream.Advance(packed->count);
      }
      args.max_bytes = dir.stream.FetchBytes();
    }
    if (packed) return Reply(request, *packed, stuck);
  }
  Run<verbs::ReadDir>(std::move(request), args,
                      [&dir, size, plus, cookie = args.cookie](Request r, ReadDirReply reply) {
                        ReaderMutexLock gate(&r.bridge().invalidator().gate());
                        Packed packed;
                        bool stuck = false;
                        {
                          MutexLock lock(&dir.mu);
                          std::span<const DirEntry> rest =
                              dir.stream.Fill(cookie, plus, std::move(reply));
                          packed = Pack(r, rest, size, plus);
                          stuck = packed.count == 0 && !rest.empty();
                          dir.stream.Advance(packed.count);
                        }
                        Reply(r, packed, stuck);
                      });
}

}  // namespace

// An open at the server as well: the right to list is decided here, whatever becomes of the mode or
// the caller afterwards, and a directory removed while open stays what it was.
void OpenDir(fuse_req_t req, fuse_ino_t node, fuse_file_info* fi) noexcept {
  Request request(req, node, "opendir");
  OpenArgs args{.inode = request.bridge().HandleOf(node), .open = request.bridge().NewOpenId()};
  Run<verbs::Open>(std::move(request), args,
                   [info = *fi, inode = args.inode, open = args.open](Request r, const OpenReply&) {
                     std::unique_ptr<OpenedDir> dir(new OpenedDir{.open = open});
                     fuse_file_info fi = info;
                     fi.fh = reinterpret_cast<uint64_t>(dir.get());
                     if (fuse_reply_open(r.Finish(), &fi) == 0) {
                       static_cast<void>(dir.release());
                     } else {
                       ReleaseOpen(std::move(r), inode, open, false);
                     }
                   });
}

void ReadDir(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
             fuse_file_info* fi) noexcept {
  Serve(Request(req, node, "readdir"), DirOf(*fi), size, offset, false);
}

void ReadDirPlus(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
                 fuse_file_info* fi) noexcept {
  Serve(Request(req, node, "readdirplus"), DirOf(*fi), size, offset, true);
}

void ReleaseDir(fuse_req_t req, fuse_ino_t node, fuse_file_info* fi) noexcept {
  Request request(req, node, "releasedir", Interruptible::kNo);
  const Handle inode = request.bridge().HandleOf(node);
  const std::unique_ptr<OpenedDir> dir(&DirOf(*fi));
  request.Ok();
  ReleaseOpen(std::move(request), inode, dir->open, false);
}

}  // namespace tarn::fuse::ops
