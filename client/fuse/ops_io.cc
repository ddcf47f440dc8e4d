#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <memory>
#include <string>
#include <vector>

#include "client/fuse/busy_pages.h"
#include "client/fuse/convert.h"
#include "client/fuse/ops.h"
#include "common/limits.h"

namespace tarn::fuse::ops {
namespace {

// Most parts of a reply; libfuse adds one, and writev takes no more than IOV_MAX.
constexpr size_t kMaxParts = IOV_MAX - 1;

// Hands the slices to the kernel as they are. More than was asked for must not go out: the kernel
// refuses such a reply, and the reader would wait for ever. Less tells it where the file ends.
void ReplyData(Request& request, Bytes data, uint64_t offset, size_t asked) {
  if (data.size() > asked) data = data.Sub(0, asked);
  if (data.size() < asked) {
    FuseBridge& bridge = request.bridge();
    bridge.inodes().TellEnd(bridge.inodes().InoOf(NodeId{request->node}), offset + data.size());
  }
  if (data.slices().size() > kMaxParts) data = Bytes::FromString(data.ToString());
  std::vector<iovec> parts;
  parts.reserve(data.slices().size());
  for (const ByteSlice& slice : data.slices()) {
    parts.push_back({const_cast<char*>(slice.view.data()), slice.view.size()});
  }
  fuse_reply_iov(request.Finish(), parts.data(), static_cast<int>(parts.size()));
}

void ReplyWritten(Request request, size_t size, int sync, const FsyncArgs& fsync) {
  if (sync == 0) {
    fuse_reply_write(request.Finish(), size);
    return;
  }
  Run<verbs::Fsync>(std::move(request), fsync,
                    [size](Request done, Unit) { fuse_reply_write(done.Finish(), size); });
}

// A read of another descriptor that began before this write may have left old pages behind it. If
// the file has grown, as the kernel reckons, so may have the page that held its end. An append
// lands behind what other hosts appended, and the kernel, which reckons from the end that it knew,
// would let a reader that is just asking for the size miss it: so it is made to grow.
void DropThenReply(Request request, const WriteReply& written, size_t size, uint64_t end, int sync,
                   const FsyncArgs& fsync) {
  FuseBridge& bridge = request.bridge();
  const Ino ino = fsync.inode.ino;
  if (size == 0 || !bridge.inodes().MayHavePages(ino)) {
    bridge.inodes().NoteGrown(ino, end);
    return ReplyWritten(std::move(request), size, sync, fsync);
  }
  const uint64_t floor = bridge.inodes().SizeFloor(ino);
  const uint64_t true_end = written.offset + size;
  const bool grown = end > floor || true_end > floor;
  bridge.inodes().NoteContended(ino);
  auto reply = [request = std::move(request), ino, end, size, sync, fsync]() mutable {
    request.bridge().inodes().NoteGrown(ino, end);
    ReplyWritten(std::move(request), size, sync, fsync);
  };
  const uint64_t from = grown ? std::min(floor, written.offset) : written.offset;
  if (true_end > end) return bridge.invalidator().GrowThen(written.attr, from, std::move(reply));
  bridge.invalidator().DropRangeThen(ino, from, grown ? Invalidator::kToEnd : size,
                                     std::move(reply));
}

}  // namespace

void Read(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset, fuse_file_info* fi) noexcept {
  Request request(req, node, "read");
  // Only a read past the page cache names its reader; it locks no pages.
  const bool direct = fi->lock_owner != 0;
  ReadArgs args{.inode = request.bridge().HandleOf(node),
                .open = OpenId{fi->fh},
                .offset = static_cast<uint64_t>(offset),
                .size = static_cast<uint32_t>(size),
                .direct = direct};
  const uint64_t from = args.offset;
  if (direct || !request.bridge().caches()) {
    return Run<verbs::Read>(std::move(request), args, [from, size](Request r, ReadReply reply) {
      ReplyData(r, std::move(reply.data), from, size);
    });
  }
  request.bridge().inodes().NotePages(args.inode.ino);  // a mapping may be all that uses them
  auto pages =
      std::make_unique<BusyPages>(request.bridge(), BusyPages::Io::kRead, args.inode.ino,
                                  args.offset, size);
  Run<verbs::Read>(std::move(request), args,
                   [from, size, pages = std::move(pages)](Request r, ReadReply reply) mutable {
                     ReplyData(r, std::move(reply.data), from, size);
                     pages.reset();
                   });
}

void Write(fuse_req_t req, fuse_ino_t node, const char* data, size_t size, off_t offset,
           fuse_file_info* fi) noexcept {
  Request request(req, node, "write");
  // A page that was stored to through a mapping: on nobody's behalf, and where it belongs.
  bool page = fi->writepage != 0;
  // As much as fits below the largest file, as write(2) has it; the rules take all or nothing.
  const auto start = static_cast<uint64_t>(offset);
  if (start < kFileMaxBytes) size = std::min<uint64_t>(size, kFileMaxBytes - start);
  WriteArgs args{.inode = request.bridge().HandleOf(node),
                 .open = OpenId{fi->fh},
                 .offset = start,
                 .append = !page && (fi->flags & O_APPEND) != 0,
                 .kill_privileges = !page && request.bridge().KillsPrivileges(*fi, request->uid),
                 .mapped = page,
                 .data = Bytes::Copy({data, size})};
  // The kernel follows a direct write with no FSYNC: O_SYNC and O_DSYNC are ours to keep.
  int sync = page ? 0 : fi->flags & O_SYNC;
  FsyncArgs fsync{.inode = args.inode, .data_only = sync == O_DSYNC, .open = args.open};
  FuseBridge& bridge = request.bridge();
  if (page) {
    auto pages = std::make_unique<BusyPages>(bridge, BusyPages::Io::kWriteBack, args.inode.ino,
                                             start, size);
    return Run<verbs::Write>(
        std::move(request), std::move(args),
        [size, pages = std::move(pages)](Request r, const WriteReply&) mutable {
          fuse_reply_write(r.Finish(), size);
          pages.reset();
        });
  }
  Run<verbs::Write>(
      std::move(request), std::move(args),
      [size, sync, fsync, end = start + size](Request r, const WriteReply& reply) {
        DropThenReply(std::move(r), reply, size, end, sync, fsync);
      });
}

void Fsync(fuse_req_t req, fuse_ino_t node, int data_only, fuse_file_info* fi) noexcept {
  Request request(req, node, "fsync");
  FsyncArgs args{.inode = request.bridge().HandleOf(node), .data_only = data_only != 0};
  if (fi != nullptr) args.open = OpenId{fi->fh};
  Run<verbs::Fsync>(std::move(request), args, [](Request r, Unit) { r.Ok(); });
}

void Allocate(fuse_req_t req, fuse_ino_t node, int mode, off_t offset, off_t length,
              fuse_file_info* fi) noexcept {
  Request request(req, node, "fallocate");
  std::optional<AllocateMode> how = AllocateModeOf(mode);
  if (!how) return request.Fail(Errno::kEOPNOTSUPP);
  AllocateArgs args{.inode = request.bridge().HandleOf(node),
                    .open = OpenId{fi->fh},
                    .offset = static_cast<uint64_t>(offset),
                    .length = static_cast<uint64_t>(length),
                    .mode = *how};
  const bool extends = args.mode == AllocateMode::kExtend || args.mode == AllocateMode::kZeroRange;
  const uint64_t end = extends ? args.offset + args.length : 0;
  Run<verbs::Allocate>(std::move(request), args,
                       [ino = args.inode.ino, end](Request r, const AttrReply&) {
                         r.bridge().inodes().NoteGrown(ino, end);
                         r.Ok();
                       });
}

void Seek(fuse_req_t req, fuse_ino_t node, off_t offset, int whence, fuse_file_info* fi) noexcept {
  Request request(req, node, "lseek");
  if (whence != SEEK_DATA && whence != SEEK_HOLE) return request.Fail(Errno::kEINVAL);
  if (offset < 0) return request.Fail(Errno::kENXIO);
  SeekArgs args{.inode = request.bridge().HandleOf(node),
                .open = OpenId{fi->fh},
                .offset = static_cast<uint64_t>(offset),
                .whence = whence == SEEK_DATA ? SeekWhence::kData : SeekWhence::kHole};
  Run<verbs::Seek>(std::move(request), args, [](Request r, const SeekReply& reply) {
    fuse_reply_lseek(r.Finish(), static_cast<off_t>(reply.offset));
  });
}

void CopyRange(fuse_req_t req, fuse_ino_t source, off_t source_offset, fuse_file_info* source_fi,
               fuse_ino_t target, off_t target_offset, fuse_file_info* target_fi, size_t length,
               int flags) noexcept {
  Request request(req, target, "copy_file_range");
  if (flags != 0) return request.Fail(Errno::kEINVAL);
  CopyRangeArgs args{.source = request.bridge().HandleOf(source),
                     .source_open = OpenId{source_fi->fh},
                     .source_offset = static_cast<uint64_t>(source_offset),
                     .target = request.bridge().HandleOf(target),
                     .target_open = OpenId{target_fi->fh},
                     .target_offset = static_cast<uint64_t>(target_offset),
                     .length = length};
  Run<verbs::CopyRange>(std::move(request), args, [args](Request r, const CopyRangeReply& reply) {
    r.bridge().inodes().NoteGrown(args.target.ino, args.target_offset + reply.copied);
    fuse_reply_write(r.Finish(), reply.copied);
  });
}

}  // namespace tarn::fuse::ops
