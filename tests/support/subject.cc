#include "tests/support/subject.h"

#include <algorithm>

namespace tarn::testing {

namespace {
constexpr size_t kChunkBytes = 1024 * 1024;
}  // namespace

Status PutFile(Process& process, const std::string& path, std::string_view content, uint32_t mode) {
  ASSIGN_OR_RETURN(const Fd fd, process.Open(path, O_WRONLY | O_CREAT | O_TRUNC, mode));
  for (size_t at = 0; at < content.size(); at += kChunkBytes) {
    auto written = process.Write(fd, content.substr(at, kChunkBytes), at);
    if (!written.ok()) {
      (void)process.Close(fd);
      return written.error();
    }
  }
  return process.Close(fd);
}

Result<std::string> GetFile(Process& process, const std::string& path) {
  ASSIGN_OR_RETURN(const Fd fd, process.Open(path, O_RDONLY));
  std::string content;
  while (true) {
    auto part = process.Read(fd, kChunkBytes, content.size());
    if (!part.ok() || part->empty()) {
      (void)process.Close(fd);
      if (!part.ok()) return part.error();
      return content;
    }
    content += *part;
  }
}

Result<std::vector<DirRecord>> ListDir(Process& process, const std::string& path) {
  ASSIGN_OR_RETURN(const Fd fd, process.Open(path, O_RDONLY | O_DIRECTORY));
  std::vector<DirRecord> all;
  uint64_t cookie = 0;
  while (true) {
    auto some = process.ReadDir(fd, cookie);
    if (!some.ok() || some->empty()) {
      (void)process.Close(fd);
      if (!some.ok()) return some.error();
      return all;
    }
    cookie = some->back().cookie;
    for (DirRecord& record : *some) {
      if (record.name != "." && record.name != "..") all.push_back(std::move(record));
    }
  }
}

Result<std::vector<std::string>> NamesIn(Process& process, const std::string& path) {
  ASSIGN_OR_RETURN(const auto records, ListDir(process, path));
  std::vector<std::string> names;
  for (const DirRecord& record : records) names.push_back(record.name);
  std::sort(names.begin(), names.end());
  return names;
}

Status RemoveTree(Process& process, const std::string& path) {
  ASSIGN_OR_RETURN(const auto records, ListDir(process, path));
  for (const DirRecord& record : records) {
    const std::string child = (path == "/" ? "" : path) + "/" + record.name;
    if (record.type == FileType::kDirectory) {
      RETURN_IF_ERROR(RemoveTree(process, child));
      RETURN_IF_ERROR(process.RemoveDir(child));
    } else {
      RETURN_IF_ERROR(process.Unlink(child));
    }
  }
  return Ok();
}

}  // namespace tarn::testing
