// mkdir, rmdir, rename, link, symlink, unlink, mknod, readlink, readdir.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "tests/posix/differential/calls.h"
#include "tests/posix/differential/flags.h"

namespace tarn::differential {
namespace {

struct DirCloser {
  void operator()(DIR* dir) const { closedir(dir); }
};

struct Entry {
  std::string name;
  long position;  // telldir before it
  bool operator==(const Entry& other) const { return name == other.name; }
};

std::vector<Entry> ReadRest(DIR* dir) {
  std::vector<Entry> entries;
  while (true) {
    const long position = telldir(dir);
    const dirent* entry = readdir(dir);
    if (entry == nullptr) return entries;
    entries.push_back({entry->d_name, position});
  }
}

// Order and positions are the file system's own; that they are consistent is checked here.
Answer ReadDir(const Op& op) {
  const int fd = open(op.text[0].c_str(), O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return FromCall(fd);
  const std::unique_ptr<DIR, DirCloser> dir(fdopendir(fd));
  const std::vector<Entry> entries = ReadRest(dir.get());
  Answer answer;
  // Back to each of a few places, and on from there.
  for (size_t at = entries.size(); at-- > 0; at -= std::min<size_t>(at, entries.size() / 3)) {
    seekdir(dir.get(), entries[at].position);
    const std::vector<Entry> rest = ReadRest(dir.get());
    if (!std::equal(rest.begin(), rest.end(), entries.begin() + static_cast<long>(at),
                    entries.end())) {
      answer.detail += "seekdir to entry " + std::to_string(at) + " goes on wrongly; ";
    }
  }
  rewinddir(dir.get());
  if (ReadRest(dir.get()) != entries) answer.detail += "rewinddir starts wrongly; ";
  std::vector<std::string> names;
  for (const Entry& entry : entries) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) answer.detail += Quote(name) + ' ';
  return answer;
}

// Removes everything below and at `name` as far as the user may, in an order that both sides share;
// counts what went, and tells why the rest did not.
void RemoveTree(int dir, const std::string& name, int depth, Answer* answer) {
  if (unlinkat(dir, name.c_str(), 0) == 0) {
    ++answer->result;
    return;
  }
  if (errno != EISDIR || depth == 0) {
    answer->detail += Quote(name) + ' ' + ErrorName(errno) + "; ";
    return;
  }
  const int fd = openat(dir, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0) {
    const std::unique_ptr<DIR, DirCloser> open_dir(fdopendir(fd));
    std::vector<std::string> names;
    for (const Entry& entry : ReadRest(open_dir.get())) names.push_back(entry.name);
    std::sort(names.begin(), names.end());
    for (const std::string& child : names) {
      if (child != "." && child != "..") RemoveTree(fd, child, depth - 1, answer);
    }
  }
  if (unlinkat(dir, name.c_str(), AT_REMOVEDIR) == 0) {
    ++answer->result;
  } else {
    answer->detail += Quote(name) + ' ' + ErrorName(errno) + "; ";
  }
}

Answer ReadLink(const Op& op) {
  char target[PATH_MAX];
  Answer answer = FromCall(readlink(op.text[0].c_str(), target, sizeof(target)));
  if (answer.result >= 0) answer.detail.assign(target, static_cast<size_t>(answer.result));
  return answer;
}

}  // namespace

Answer CallName(const Op& op, Process&) {
  const char* first = op.text[0].c_str();
  const char* second = op.text[1].c_str();
  const auto& number = op.number;
  switch (op.verb) {
    case Verb::kMakeDir:
      return FromCall(mkdir(first, static_cast<mode_t>(number[0])));
    case Verb::kRemoveDir:
      return FromCall(rmdir(first));
    case Verb::kRename:
      return FromCall(
          renameat2(AT_FDCWD, first, AT_FDCWD, second, static_cast<unsigned>(number[0])));
    case Verb::kLink:
      return FromCall(linkat(AT_FDCWD, first, AT_FDCWD, second, static_cast<int>(number[0])));
    case Verb::kSymLink:
      return FromCall(symlink(first, second));
    case Verb::kUnlink:
      return FromCall(unlink(first));
    case Verb::kMakeNode:
      return FromCall(
          mknod(first, static_cast<mode_t>(number[0] | number[1]), static_cast<dev_t>(number[2])));
    case Verb::kRemoveTree: {
      Answer answer;
      RemoveTree(AT_FDCWD, op.text[0], 64, &answer);
      return answer;
    }
    case Verb::kReadLink:
      return ReadLink(op);
    default:
      return ReadDir(op);
  }
}

}  // namespace tarn::differential
