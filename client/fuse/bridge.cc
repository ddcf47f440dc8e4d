#include "client/fuse/bridge.h"

#include <initializer_list>

#include "client/fuse/ops.h"
#include "common/limits.h"
#include "common/log.h"

namespace tarn::fuse {
namespace {

constexpr unsigned kMaxBackground = 64;

// For so long after a change of a file it is read past the page cache. The kernel is no friend of
// files that change while it has their pages: they are dropped with each change, and a reader that
// meets two at once may be shown the size of before the second, filled up with zeros.
constexpr int64_t kSettledNanos = 2 * kSecondNanos;

constexpr fuse_lowlevel_ops kOps = {
    .init = ops::Init,
    .lookup = ops::Lookup,
    .forget = ops::Forget,
    .getattr = ops::GetAttr,
    .setattr = ops::SetAttr,
    .readlink = ops::ReadLink,
    .mknod = ops::MakeNode,
    .mkdir = ops::MakeDir,
    .unlink = ops::Unlink,
    .rmdir = ops::RemoveDir,
    .symlink = ops::SymLink,
    .rename = ops::Rename,
    .link = ops::Link,
    .open = ops::Open,
    .read = ops::Read,
    .write = ops::Write,
    .flush = ops::Flush,
    .release = ops::Release,
    .fsync = ops::Fsync,
    .opendir = ops::OpenDir,
    .readdir = ops::ReadDir,
    .releasedir = ops::ReleaseDir,
    .fsyncdir = ops::Fsync,
    .statfs = ops::StatFs,
    .setxattr = ops::SetXattr,
    .getxattr = ops::GetXattr,
    .listxattr = ops::ListXattr,
    .removexattr = ops::RemoveXattr,
    .access = ops::Access,
    .create = ops::Create,
    .getlk = ops::GetLock,
    .setlk = ops::SetLock,
    // No bmap and poll: the kernel takes their absence (ENOSYS) as it should. No write_buf:
    // splicing costs more than it saves where the bytes go into an RPC.
    .ioctl = ops::IoCtl,
    .forget_multi = ops::ForgetMulti,
    .flock = ops::Flock,
    .fallocate = ops::Allocate,
    .readdirplus = ops::ReadDirPlus,
    .copy_file_range = ops::CopyRange,
    .lseek = ops::Seek,
    .tmpfile = ops::TmpFile,
    .statx = ops::StatX,
};

}  // namespace

FuseBridge::FuseBridge(FileSystem& fs, Handle root, cache::Freshness* freshness,
                       int64_t patience_nanos)
    : fs_(fs),
      freshness_(freshness),
      patience_nanos_(patience_nanos),
      inodes_(root),
      invalidator_(inodes_) {}

FuseBridge::~FuseBridge() {
  WaitUntilIdle();
}

const fuse_lowlevel_ops& FuseBridge::Ops() {
  return kOps;
}

void FuseBridge::Negotiate(fuse_conn_info& conn) {
  for (uint64_t flag :
       {FUSE_CAP_ASYNC_READ, FUSE_CAP_ATOMIC_O_TRUNC, FUSE_CAP_POSIX_LOCKS, FUSE_CAP_FLOCK_LOCKS,
        FUSE_CAP_ASYNC_DIO, FUSE_CAP_EXPLICIT_INVAL_DATA, FUSE_CAP_EXPORT_SUPPORT,
        FUSE_CAP_PARALLEL_DIROPS, FUSE_CAP_HANDLE_KILLPRIV_V2, FUSE_CAP_DIRECT_IO_ALLOW_MMAP,
        // The kernel checks ACLs itself; the server keeps mode and ACL in step and applies the
        // umask, which a default ACL overrides.
        FUSE_CAP_POSIX_ACL, FUSE_CAP_DONT_MASK}) {
    fuse_set_feature_flag(&conn, flag);  // without effect if the kernel does not offer it
  }
  for (uint64_t flag : {FUSE_CAP_AUTO_INVAL_DATA, FUSE_CAP_WRITEBACK_CACHE, FUSE_CAP_IOCTL_DIR,
                        FUSE_CAP_SPLICE_READ, FUSE_CAP_SPLICE_WRITE, FUSE_CAP_SPLICE_MOVE,
                        FUSE_CAP_OVER_IO_URING, FUSE_CAP_READDIRPLUS, FUSE_CAP_READDIRPLUS_AUTO}) {
    fuse_unset_feature_flag(&conn, flag);
  }
  // Attributes that come with names are worth their cost only if the kernel may use both. A symlink
  // of a number that is never used again has one target for ever.
  if (caches()) {
    for (uint64_t flag :
         {FUSE_CAP_READDIRPLUS, FUSE_CAP_READDIRPLUS_AUTO, FUSE_CAP_CACHE_SYMLINKS}) {
      fuse_set_feature_flag(&conn, flag);
    }
  }
  kernel_says_kill_ = fuse_get_feature_flag(&conn, FUSE_CAP_HANDLE_KILLPRIV_V2);
  conn.max_write = kTransferMaxBytes;
  conn.max_readahead = kReadAheadBytes;  // or as little as the device has: see mount.cc
  conn.max_background = kMaxBackground;
  conn.congestion_threshold = kMaxBackground * 3 / 4;
  conn.time_gran = 1;
  LogInfo("kernel speaks FUSE {}.{}; offered {:#x}, used {:#x}", conn.proto_major, conn.proto_minor,
          conn.capable_ext, conn.want_ext);
}

double FuseBridge::AttrSeconds(const Attr& attr) const {
  return caches() && freshness_->IsFresh(attr) ? freshness_->Seconds() : 0;
}

double FuseBridge::EntrySeconds(Ino dir, std::string_view name, Ino child) const {
  return caches() && freshness_->IsFresh(dir, name, child) ? freshness_->Seconds() : 0;
}

bool FuseBridge::HasSettled(const Attr& attr) const {
  return freshness_->ServerNow().ns - attr.ctime.ns >= kSettledNanos;
}

void FuseBridge::Forget(NodeId node, uint64_t lookups) {
  inodes_.Forget(node, lookups, [this](Ino ino) {
    if (caches()) freshness_->Forget(ino);
  });
}

void FuseBridge::EndCall() {
  if (calls_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  MutexLock lock(&idle_mu_);
  idle_ = true;
}

void FuseBridge::WaitUntilIdle() {
  {
    MutexLock lock(&idle_mu_);
    if (idle_) return;
  }
  EndCall();  // the bridge's own
  MutexLock lock(&idle_mu_);
  idle_mu_.Await(absl::Condition(&idle_));
}

}  // namespace tarn::fuse
