// FsProcess: descriptors and locks.
#include <algorithm>

#include "common/limits.h"
#include "tests/support/fs_subject.h"

namespace tarn::testing {
namespace {

constexpr uint32_t kListingBytes = 4096;  // small, so that listings take several calls

OpenAccess AccessOf(int flags) {
  switch (flags & O_ACCMODE) {
    case O_RDONLY:
      return OpenAccess::kRead;
    case O_WRONLY:
      return OpenAccess::kWrite;
    default:
      return OpenAccess::kReadWrite;
  }
}

// OFD and flock locks belong to the open; the kernel names both by the same number.
LockOwner OwnerOfOpen(OpenId open) {
  return LockOwner{(uint64_t{1} << 40) + Raw(open)};
}
LockOwner OwnerOfProcess(uint32_t pid) {
  return LockOwner{pid};
}

}  // namespace

FsProcess::~FsProcess() {
  while (!files_.empty()) (void)Close(Fd{files_.begin()->first});
}

Fd FsProcess::Keep(OpenFile file) {
  files_.emplace(next_fd_, file);
  return Fd{next_fd_++};
}

Result<FsProcess::OpenFile> FsProcess::FileOf(Fd fd) const {
  const auto it = files_.find(static_cast<int>(fd));
  if (it == files_.end()) return Errno::kEBADF;
  return it->second;
}

Result<Fd> FsProcess::Open(const std::string& path, int flags, uint32_t mode) {
  const OpenAccess access = AccessOf(flags);
  const bool truncate = (flags & O_TRUNC) != 0;
  if ((flags & O_TMPFILE) == O_TMPFILE) {
    ASSIGN_OR_RETURN(const EntryReply dir, Find(path, LastLink::kFollow));
    const OpenId open = NewOpen();
    const bool linkable = (flags & O_EXCL) == 0;
    ASSIGN_OR_RETURN(const CreateReply made,
                     Call<verbs::CreateTmp>({dir.handle, mode, umask_, open, access, linkable}));
    return Keep({made.entry.handle, open, access});
  }
  const bool exclusive = (flags & O_EXCL) != 0;
  const bool keep_link = (flags & O_NOFOLLOW) != 0 || (exclusive && (flags & O_CREAT) != 0);
  if ((flags & O_CREAT) == 0) {
    ASSIGN_OR_RETURN(const EntryReply entry,
                     Find(path, keep_link ? LastLink::kKeep : LastLink::kFollow));
    return OpenExisting(entry, flags, access);
  }
  ASSIGN_OR_RETURN(const Location at, Where(path, keep_link ? LastLink::kKeep : LastLink::kFollow));
  const OpenId open = NewOpen();
  ASSIGN_OR_RETURN(const CreateReply made, Call<verbs::Create>({at.dir, at.name, mode, umask_, open,
                                                                access, exclusive, truncate}));
  return Keep({made.entry.handle, open, access});
}

Result<Fd> FsProcess::OpenExisting(const EntryReply& entry, int flags, OpenAccess access) {
  const FileType type = entry.attr.type;
  const bool truncate = (flags & O_TRUNC) != 0;
  const bool is_dir = type == FileType::kDirectory;
  if (!is_dir && (flags & O_DIRECTORY) != 0) return Errno::kENOTDIR;
  if (type == FileType::kSymlink) return Errno::kELOOP;
  if (is_dir && truncate) return Errno::kEISDIR;
  const OpenId open = NewOpen();
  RETURN_IF_ERROR(Call<verbs::Open>({entry.handle, open, access, truncate, false}));
  return Keep({entry.handle, open, access, is_dir});
}

Status FsProcess::Close(Fd fd) {
  ASSIGN_OR_RETURN(const OpenFile file, FileOf(fd));
  files_.erase(static_cast<int>(fd));
  auto flushed = Call<verbs::Flush>({file.inode, file.open, OwnerOfProcess(caller_.pid)});
  RETURN_IF_ERROR(Call<verbs::Release>({file.inode, file.open}));
  return flushed;
}

Result<std::string> FsProcess::Read(Fd fd, size_t size, uint64_t offset) {
  ASSIGN_OR_RETURN(const OpenFile file, FileOf(fd));
  std::string all;
  while (all.size() < size || size == 0) {
    const auto part = static_cast<uint32_t>(std::min(size - all.size(), kTransferMaxBytes));
    ASSIGN_OR_RETURN(const ReadReply reply,
                     Call<verbs::Read>({file.inode, file.open, offset + all.size(), part}));
    all += reply.data.ToString();
    if (reply.data.size() < part || size == 0) break;
  }
  return all;
}

Result<size_t> FsProcess::WriteAll(Fd fd, std::string_view data, uint64_t offset, bool append) {
  ASSIGN_OR_RETURN(const OpenFile file, FileOf(fd));
  size_t done = 0;
  while (done < data.size()) {
    const std::string_view part = data.substr(done, kTransferMaxBytes);
    WriteArgs args{.inode = file.inode, .open = file.open, .offset = offset + done};
    args.append = append;
    args.kill_privileges = !IsRoot();
    args.data = Bytes::Copy(part);
    RETURN_IF_ERROR(Call<verbs::Write>(std::move(args)));
    done += part.size();
  }
  return done;
}

Result<size_t> FsProcess::Write(Fd fd, std::string_view data, uint64_t offset) {
  return WriteAll(fd, data, offset, false);
}

Result<size_t> FsProcess::Append(Fd fd, std::string_view data) {
  return WriteAll(fd, data, 0, true);
}

Result<Attr> FsProcess::FStat(Fd fd) {
  ASSIGN_OR_RETURN(const OpenFile file, FileOf(fd));
  ASSIGN_OR_RETURN(const AttrReply reply, Call<verbs::GetAttr>({file.inode}));
  return reply.attr;
}

Status FsProcess::FTruncate(Fd fd, int64_t size) {
  ASSIGN_OR_RETURN(const OpenFile file, FileOf(fd));
  if (size < 0 || file.is_dir || !CanWrite(file.access)) return Errno::kEINVAL;
  SetAttrArgs args{.inode = file.inode, .open = file.open};
  args.size = static_cast<uint64_t>(size);
  args.kill_privileges = !IsRoot();
  return CallForStatus<verbs::SetAttr>(std::move(args));
}

Status FsProcess::Fsync(Fd fd) {
  ASSIGN_OR_RETURN(const OpenFile file, FileOf(fd));
  return Call<verbs::Fsync>({file.inode, false});
}

Status FsProcess::Allocate(Fd fd, AllocateMode mode, uint64_t offset, uint64_t length) {
  ASSIGN_OR_RETURN(const OpenFile file, FileOf(fd));
  return CallForStatus<verbs::Allocate>(AllocateArgs{file.inode, file.open, offset, length, mode});
}

Result<uint64_t> FsProcess::Seek(Fd fd, SeekWhence whence, uint64_t offset) {
  ASSIGN_OR_RETURN(const OpenFile file, FileOf(fd));
  ASSIGN_OR_RETURN(const SeekReply reply,
                   Call<verbs::Seek>({file.inode, file.open, offset, whence}));
  return reply.offset;
}

Result<uint64_t> FsProcess::CopyRange(Fd source, uint64_t source_offset, Fd target,
                                      uint64_t target_offset, uint64_t length) {
  ASSIGN_OR_RETURN(const OpenFile from, FileOf(source));
  ASSIGN_OR_RETURN(const OpenFile to, FileOf(target));
  ASSIGN_OR_RETURN(const CopyRangeReply reply,
                   Call<verbs::CopyRange>({from.inode, from.open, source_offset, to.inode, to.open,
                                           target_offset, length}));
  return reply.copied;
}

Status FsProcess::LinkFd(Fd fd, const std::string& path) {
  ASSIGN_OR_RETURN(const OpenFile file, FileOf(fd));
  ASSIGN_OR_RETURN(const Location at, Where(path));
  return CallForStatus<verbs::Link>(LinkArgs{file.inode, at.dir, at.name});
}

Result<std::vector<DirRecord>> FsProcess::ReadDir(Fd fd, uint64_t cookie) {
  ASSIGN_OR_RETURN(const OpenFile file, FileOf(fd));
  const bool plus = listings_++ % 2 == 0;  // both forms must list the same
  ASSIGN_OR_RETURN(const ReadDirReply reply,
                   Call<verbs::ReadDir>({file.inode, cookie, kListingBytes, plus}));
  std::vector<DirRecord> records;
  for (const DirEntry& entry : reply.entries) {
    records.push_back({entry.name, entry.ino, entry.type, entry.cookie});
  }
  return records;
}

Status FsProcess::SetLock(Fd fd, LockStyle style, LockType type, uint64_t start, uint64_t end,
                          bool wait) {
  ASSIGN_OR_RETURN(const OpenFile file, FileOf(fd));
  SetLockArgs args{.inode = file.inode, .open = file.open};
  args.owner = style == LockStyle::kPosix ? OwnerOfProcess(caller_.pid) : OwnerOfOpen(file.open);
  args.kind = style == LockStyle::kFlock ? LockKind::kFlock : LockKind::kRange;
  args.wait = wait;
  args.lock = {type, start, end, caller_.pid};
  Caller caller = caller_;
  caller.cancellation = std::make_shared<Cancellation>();
  {
    MutexLock lock(&mu_);
    waiting_ = caller.cancellation;
  }
  auto result = Wait<verbs::SetLock>(fs_, caller, std::move(args));
  MutexLock lock(&mu_);
  waiting_ = nullptr;
  return result;
}

Result<FileLock> FsProcess::GetLock(Fd fd, LockType type, uint64_t start, uint64_t end) {
  ASSIGN_OR_RETURN(const OpenFile file, FileOf(fd));
  GetLockArgs args{.inode = file.inode, .open = file.open};
  args.owner = OwnerOfProcess(caller_.pid);
  args.lock = {type, start, end, caller_.pid};
  ASSIGN_OR_RETURN(const GetLockReply reply, Call<verbs::GetLock>(std::move(args)));
  return reply.conflict;
}

void FsProcess::Interrupt() {
  std::shared_ptr<Cancellation> waiting;
  {
    MutexLock lock(&mu_);
    waiting = waiting_;
  }
  if (waiting != nullptr) waiting->Cancel();
}

}  // namespace tarn::testing
