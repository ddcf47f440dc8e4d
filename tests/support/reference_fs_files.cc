// The reference's descriptors.
#include <sys/stat.h>

#include <algorithm>

#include "tests/support/reference_fs.h"

namespace tarn::testing {
namespace {

constexpr uint32_t kR = 4, kW = 2;

void Store(RefNode& node, std::string_view data, uint64_t offset) {
  if (data.empty()) return;
  if (node.data.size() < offset + data.size()) node.data.resize(offset + data.size());
  node.data.replace(offset, data.size(), data);
}

}  // namespace

// What a write, a truncation or another change of the content does to set-id bits.
void ReferenceProcess::DropPrivileges(RefNode& node) const {
  if (IsRoot()) return;
  node.mode &= ~S_ISUID;
  if ((node.mode & S_IXGRP) != 0) node.mode &= ~S_ISGID;
}

Status ReferenceProcess::Truncate(const std::string& path, int64_t size) {
  ASSIGN_OR_RETURN(const RefPtr node, Find(path, true));
  if (node->is_dir()) return Errno::kEISDIR;
  if (node->type != FileType::kRegular) return Errno::kEINVAL;
  if (!May(*node, kW)) return Errno::kEACCES;
  node->data.resize(static_cast<size_t>(size));
  DropPrivileges(*node);
  return Ok();
}

Result<Fd> ReferenceProcess::Open(const std::string& path, int flags, uint32_t mode) {
  const bool create = (flags & O_CREAT) != 0, exclusive = create && (flags & O_EXCL) != 0;
  const bool truncate = (flags & O_TRUNC) != 0;
  const int access = flags & O_ACCMODE;
  const OpenFile rights{nullptr, access != O_WRONLY, access != O_RDONLY};
  ASSIGN_OR_RETURN(RefPlace at, Locate(path, !exclusive && (flags & O_NOFOLLOW) == 0));
  if (at.node == nullptr) {
    if (!create) return Errno::kENOENT;
    ASSIGN_OR_RETURN(at.node, Make(at, FileType::kRegular, mode));
  } else {
    if (exclusive) return Errno::kEEXIST;
    if (!at.node->is_dir() && (flags & O_DIRECTORY) != 0) return Errno::kENOTDIR;
    if (at.node->type == FileType::kSymlink) return Errno::kELOOP;
    if (at.node->is_dir() && (create || rights.writes || truncate)) return Errno::kEISDIR;
    const uint32_t needs = (rights.reads ? kR : 0) | (rights.writes || truncate ? kW : 0);
    if (!May(*at.node, needs)) return Errno::kEACCES;
    if (truncate) {
      at.node->data.clear();
      DropPrivileges(*at.node);
    }
  }
  files_[next_fd_] = {at.node, rights.reads, rights.writes};
  return Fd{next_fd_++};
}

Status ReferenceProcess::Close(Fd fd) {
  if (files_.erase(static_cast<int>(fd)) == 0) return Errno::kEBADF;
  return Ok();
}

Result<ReferenceProcess::OpenFile> ReferenceProcess::FileOf(Fd fd, bool write) const {
  const auto it = files_.find(static_cast<int>(fd));
  if (it == files_.end()) return Errno::kEBADF;
  if (write ? !it->second.writes : !it->second.reads) return Errno::kEBADF;
  if (it->second.node->is_dir()) return Errno::kEISDIR;
  return it->second;
}

Result<std::string> ReferenceProcess::Read(Fd fd, size_t size, uint64_t offset) {
  ASSIGN_OR_RETURN(const OpenFile file, FileOf(fd, false));
  if (offset >= file.node->data.size()) return std::string();
  return file.node->data.substr(offset, size);
}

Result<size_t> ReferenceProcess::Write(Fd fd, std::string_view data, uint64_t offset) {
  ASSIGN_OR_RETURN(const OpenFile file, FileOf(fd, true));
  Store(*file.node, data, offset);
  if (!data.empty()) DropPrivileges(*file.node);
  return data.size();
}

Result<size_t> ReferenceProcess::Append(Fd fd, std::string_view data) {
  ASSIGN_OR_RETURN(const OpenFile file, FileOf(fd, true));
  return Write(fd, data, file.node->data.size());
}

Status ReferenceProcess::FTruncate(Fd fd, int64_t size) {
  const auto file = FileOf(fd, true);
  if (!file.ok()) return Errno::kEINVAL;
  file->node->data.resize(static_cast<size_t>(size));
  DropPrivileges(*file->node);
  return Ok();
}

Status ReferenceProcess::Allocate(Fd fd, AllocateMode mode, uint64_t offset, uint64_t length) {
  ASSIGN_OR_RETURN(const OpenFile file, FileOf(fd, true));
  std::string& data = file.node->data;
  const bool grows = mode == AllocateMode::kExtend || mode == AllocateMode::kZeroRange;
  const bool zeroes = mode == AllocateMode::kPunchHole || mode == AllocateMode::kZeroRange ||
                      mode == AllocateMode::kZeroRangeKeepSize;
  if (grows && data.size() < offset + length) data.resize(offset + length);
  if (zeroes && offset < data.size()) {
    const size_t end = std::min<size_t>(data.size(), offset + length);
    std::fill(data.begin() + static_cast<ptrdiff_t>(offset),
              data.begin() + static_cast<ptrdiff_t>(end), '\0');
  }
  DropPrivileges(*file.node);
  return Ok();
}

Result<uint64_t> ReferenceProcess::CopyRange(Fd source, uint64_t source_offset, Fd target,
                                             uint64_t target_offset, uint64_t length) {
  ASSIGN_OR_RETURN(const OpenFile from, FileOf(source, false));
  ASSIGN_OR_RETURN(const OpenFile to, FileOf(target, true));
  const std::string& bytes = from.node->data;
  const uint64_t rest = bytes.size() - std::min<uint64_t>(source_offset, bytes.size());
  const uint64_t count = std::min(length, rest);
  if (from.node == to.node && source_offset < target_offset + count &&
      target_offset < source_offset + count) {
    return Errno::kEINVAL;
  }
  const std::string part = count == 0 ? "" : bytes.substr(source_offset, count);
  Store(*to.node, part, target_offset);
  if (!part.empty()) DropPrivileges(*to.node);
  return part.size();
}

Result<std::vector<DirRecord>> ReferenceProcess::ReadDir(Fd fd, uint64_t cookie) {
  const auto it = files_.find(static_cast<int>(fd));
  if (it == files_.end()) return Errno::kEBADF;
  if (!it->second.node->is_dir()) return Errno::kENOTDIR;
  std::vector<DirRecord> records;
  if (cookie != 0) return records;  // all in one
  for (const auto& [name, node] : it->second.node->names) {
    records.push_back({name, Ino{node->number}, node->type, 1});
  }
  return records;
}

}  // namespace tarn::testing
