#include "tests/support/random_ops.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <functional>

namespace tarn::testing {
namespace {

using Kind = RandomOp::Kind;

constexpr int kSlots = 6;
const User* const kUsers[] = {&kRoot, &kAlice, &kBob, &kCarol};
constexpr const char* kKindNames[] = {
    "mkdir",    "mknod",    "symlink",   "link",        "unlink",    "rmdir",           "rename",
    "stat",     "readlink", "chmod",     "chown",       "utimens",   "truncate",        "access",
    "getxattr", "setxattr", "listxattr", "removexattr", "open",      "close",           "read",
    "write",    "append",   "fstat",     "ftruncate",   "fallocate", "copy_file_range", "list",
    "put"};
static_assert(std::size(kKindNames) == static_cast<size_t>(Kind::kCount));

std::string Data(size_t size, unsigned seed) {
  std::string data(size, '\0');
  for (char& byte : data) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<char>('a' + (seed >> 24) % 26);
  }
  return data;
}

std::string Short(const std::string& data) {
  return fmt::format("{} bytes #{:x}", data.size(), std::hash<std::string>()(data) & 0xffffff);
}

std::string Text(const Attr& attr) {
  const bool sized = attr.type != FileType::kDirectory;
  return fmt::format("type {} mode {:o} links {} owner {}:{} size {}", Raw(attr.type), attr.mode,
                     attr.nlink, attr.uid, attr.gid, sized ? attr.size : 0);
}

template <class T, class F>
std::string Answer(const Result<T>& result, F text) {
  if (!result.ok()) return std::string(ErrnoName(result.code()));
  return "ok " + text(*result);
}
std::string Answer(const Status& status) {
  return Answer(status, [](Unit) { return std::string(); });
}

std::string Join(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  return fmt::format("{}", fmt::join(names, " "));
}

}  // namespace

std::string RandomOp::ToString() const {
  return fmt::format(
      "{} by {}: a={} b={} fd={} fd2={} flags={:#o} mode={:#o} offset={} offset2={} size={} "
      "seed={}",
      kKindNames[static_cast<int>(kind)], user, a, b, fd, fd2, flags, mode, offset, offset2, size,
      seed);
}

std::string RandomOps::Path() {
  std::string path;
  for (int depth = 1 + std::min(Below(3), Below(3)); depth > 0; --depth) {
    path += '/';
    path += static_cast<char>('a' + Below(4));
  }
  return path;
}

uint32_t RandomOps::Mode(bool for_dir) {
  // Mostly such as let something happen.
  constexpr uint32_t kModes[] = {0777, 0777, 0777, 0755, 0700, 0666, 0640, 0070, 0007, 0};
  uint32_t mode = kModes[Below(std::size(kModes))];
  if (!options_.special_modes || !OneIn(6)) return mode;
  if (for_dir) return OneIn(2) ? mode | 01000 : mode | 02010;
  return OneIn(2) ? mode | 04000 : mode | 02010;
}

uint64_t RandomOps::Offset() {
  constexpr uint64_t kInteresting[] = {0, 1, 511, 4095, 4096, 16383, 16384, 16385, 32768, 65536};
  return OneIn(3) ? static_cast<uint64_t>(Below(100'000)) : kInteresting[Below(10)];
}

RandomOp RandomOps::Next() {
  RandomOp op;
  op.kind = static_cast<Kind>(Below(static_cast<int>(Kind::kCount)));
  op.user = OneIn(3) ? 0 : Below(4);
  // Links by users to others' files depend on fs.protected_hardlinks: root makes them.
  if (op.kind == Kind::kLink) op.user = 0;
  op.a = Path();
  // Targets are relative and go down only, or they would lead out of a mount's directory.
  op.b = op.kind == Kind::kSymLink ? Path().substr(1) : Path();
  op.fd = Below(kSlots);
  op.fd2 = Below(kSlots);
  constexpr int kFlags[] = {O_RDONLY, O_RDWR, O_RDWR, O_WRONLY};
  op.flags = kFlags[Below(4)];
  if (OneIn(2)) op.flags |= O_CREAT;
  if (OneIn(5)) op.flags |= O_EXCL;
  if (OneIn(4)) op.flags |= O_TRUNC;
  if (OneIn(6)) op.flags |= O_NOFOLLOW;
  if (OneIn(12)) op.flags |= O_DIRECTORY;
  // Together they mean something else in each version of the kernel.
  if ((op.flags & O_CREAT) == 0) op.flags &= ~O_EXCL;
  if ((op.flags & O_DIRECTORY) != 0) op.flags &= ~(O_CREAT | O_EXCL);
  op.mode = Mode(op.kind == Kind::kMakeDir);
  if (op.kind == Kind::kMakeDir) op.mode &= 01777;
  op.offset = Offset();
  op.offset2 = Offset();
  op.size = OneIn(4) ? static_cast<size_t>(Below(70'000)) : static_cast<size_t>(Below(5'000));
  op.seed = engine_();
  return op;
}

Players::Players(Subject& subject) {
  for (const User* user : kUsers) processes_.push_back(subject.Start(*user));
}

std::string Players::Run(const RandomOp& op) {
  Process& process = *processes_[op.user];
  if (op.kind <= Kind::kRename) return RunOnNames(op, process);
  if (op.kind < Kind::kOpen) return RunOnAttributes(op, process);
  if (op.kind == Kind::kOpen) return RunOpen(op, process);
  if (op.kind == Kind::kList) {
    return Answer(NamesIn(process, op.a), [](const auto& names) { return Join(names); });
  }
  if (op.kind == Kind::kPut) {
    const auto there = Look(op.a);
    if (there.ok() && there->type == FileType::kSocket) return "skipped";
    return Answer(PutFile(process, op.a, Data(op.size, op.seed), op.mode & 0777));
  }
  return RunOnFiles(op);
}

std::string Players::RunOnNames(const RandomOp& op, Process& process) {
  switch (op.kind) {
    case Kind::kMakeDir:
      return Answer(process.MakeDir(op.a, op.mode));
    case Kind::kMakeNode: {
      const bool file = op.seed % 4 != 0;
      return Answer(
          process.MakeNode(op.a, file ? FileType::kRegular : FileType::kSocket, op.mode, 0));
    }
    case Kind::kSymLink:
      return Answer(process.SymLink(op.b, op.a));
    case Kind::kLink:
      return Answer(process.Link(op.a, op.b));
    case Kind::kUnlink:
      return Answer(process.Unlink(op.a));
    case Kind::kRemoveDir:
      return Answer(process.RemoveDir(op.a));
    default: {
      const int choice = static_cast<int>(op.seed % 6);
      const RenameMode mode = choice == 0   ? RenameMode::kNoReplace
                              : choice == 1 ? RenameMode::kExchange
                                            : RenameMode::kReplace;
      return Answer(process.Rename(op.a, op.b, mode));
    }
  }
}

std::string Players::RunOnAttributes(const RandomOp& op, Process& process) {
  const std::string name = "user." + std::to_string(op.seed % 3);
  switch (op.kind) {
    case Kind::kStat:
      return Answer(process.Stat(op.a), Text);
    case Kind::kReadLink:
      return Answer(process.ReadLink(op.a), [](const auto& t) { return t; });
    case Kind::kChmod:
      return Answer(process.Chmod(op.a, op.mode));
    case Kind::kChown: {
      const Gid groups[] = {0, kAlice.gid, kSharedGroup, kBob.gid};
      std::optional<Uid> uid;
      if (op.seed % 3 != 0) uid = kUsers[op.seed % 4]->uid;
      std::optional<Gid> gid;
      if (op.seed % 5 != 0 || !uid) gid = groups[op.offset % 4];
      return Answer(process.LChown(op.a, uid, gid));
    }
    case Kind::kSetTimes: {
      const TimeChange choices[] = {TimeChange::Omit(), TimeChange::Now(), TimeChange::At(12345)};
      return Answer(process.SetTimes(op.a, choices[op.seed % 3], choices[op.seed / 3 % 3]));
    }
    case Kind::kTruncate:
      return Answer(process.Truncate(op.a, static_cast<int64_t>(op.offset)));
    case Kind::kAccess:
      return Answer(process.Access(op.a, op.seed % 8));
    case Kind::kGetXattr:
      return Answer(process.GetXattr(op.a, name), Short);
    case Kind::kSetXattr: {
      const auto mode = static_cast<XattrMode>(op.offset % 3);
      return Answer(process.SetXattr(op.a, name, Data(op.size % 300, op.seed), mode));
    }
    case Kind::kListXattr:
      return Answer(process.ListXattr(op.a), Join);
    default:
      return Answer(process.RemoveXattr(op.a, name));
  }
}

std::string Players::RunOpen(const RandomOp& op, Process& process) {
  const auto there = Look(op.a);
  // What open(2) does with a socket is no file system's business.
  if (there.ok() && there->type == FileType::kSocket) return "skipped";
  const auto opened = process.Open(op.a, op.flags, op.mode & 0777);
  if (opened.ok()) {
    if (const auto old = open_.find(op.fd); old != open_.end()) {
      (void)processes_[old->second.user]->Close(old->second.fd);
    }
    open_[op.fd] = {op.user, *opened};
  }
  return Answer(opened, [](Fd) { return std::string(); });
}

std::string Players::RunOnFiles(const RandomOp& op) {
  const auto slot = open_.find(op.fd);
  if (slot == open_.end()) return "no file";
  const auto [user, fd] = slot->second;
  Process& process = *processes_[user];
  const auto number = [](auto n) { return std::to_string(n); };
  const auto attr = process.FStat(fd);
  const bool is_dir = attr.ok() && attr->type == FileType::kDirectory;
  if (is_dir && op.kind != Kind::kClose && op.kind != Kind::kFStat) return "directory";
  switch (op.kind) {
    case Kind::kClose:
      open_.erase(slot);
      return Answer(process.Close(fd));
    case Kind::kRead:
      return Answer(process.Read(fd, op.size, op.offset), Short);
    case Kind::kWrite:
      return Answer(process.Write(fd, Data(op.size, op.seed), op.offset), number);
    case Kind::kAppend: {
      // At the end as it is now: with O_APPEND this is one step, here two.
      const uint64_t end = attr.ok() ? attr->size : 0;
      return Answer(process.Write(fd, Data(op.size, op.seed), end), number);
    }
    case Kind::kFStat:
      return Answer(attr, Text);
    case Kind::kFTruncate:
      return Answer(process.FTruncate(fd, static_cast<int64_t>(op.offset)));
    case Kind::kAllocate:
      return Answer(
          process.Allocate(fd, static_cast<AllocateMode>(op.seed % 5), op.offset, op.size + 1));
    default: {
      const auto other = open_.find(op.fd2);
      if (other == open_.end() || other->second.user != user) return "no other file";
      const auto target = process.FStat(other->second.fd);
      if (!target.ok() || target->type == FileType::kDirectory) return "directory";
      return Answer(process.CopyRange(fd, op.offset, other->second.fd, op.offset2, op.size),
                    number);
    }
  }
}

namespace {

void DescribeInto(Process& root, const std::string& path, std::map<std::string, std::string>& out,
                  std::map<uint64_t, std::string>& first_names) {
  const auto attr = root.LStat(path);
  if (!attr.ok()) {
    out[path] = ErrnoName(attr.code());
    return;
  }
  // Hard links show as the first path of their inode.
  const auto [first, fresh] = first_names.try_emplace(Raw(attr->ino), path);
  std::string text = Text(*attr) + (fresh ? "" : " same as " + first->second);
  if (attr->type == FileType::kRegular) {
    text += " content " + Answer(GetFile(root, path), Short);
  } else if (attr->type == FileType::kSymlink) {
    text += " target " + Answer(root.ReadLink(path), [](const auto& t) { return t; });
  }
  auto xattrs = root.ListXattr(path).value();
  std::sort(xattrs.begin(), xattrs.end());
  for (const std::string& name : xattrs) {
    text += " " + name + "=" + Answer(root.GetXattr(path, name), Short);
  }
  out[path] = text;
  if (attr->type != FileType::kDirectory) return;
  const auto names = NamesIn(root, path);
  if (!names.ok()) out[path] += " unreadable";
  for (const std::string& name : names.ok() ? *names : std::vector<std::string>{}) {
    DescribeInto(root, (path == "/" ? "" : path) + "/" + name, out, first_names);
  }
}

}  // namespace

std::map<std::string, std::string> DescribeTree(Process& root) {
  std::map<std::string, std::string> out;
  std::map<uint64_t, std::string> first_names;
  DescribeInto(root, "/", out, first_names);
  return out;
}

std::string FirstDifference(const std::map<std::string, std::string>& one,
                            const std::map<std::string, std::string>& two) {
  for (const auto& [path, text] : one) {
    const auto it = two.find(path);
    if (it == two.end()) return path + " is only in the first: " + text;
    if (it->second != text) return path + "\n  first:  " + text + "\n  second: " + it->second;
  }
  for (const auto& [path, text] : two) {
    if (!one.contains(path)) return path + " is only in the second: " + text;
  }
  return "";
}

}  // namespace tarn::testing
