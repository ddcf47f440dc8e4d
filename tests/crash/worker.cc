#include "tests/crash/worker.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>

namespace tarn::testing {
namespace {

constexpr size_t kNames = 30;
constexpr size_t kOpens = 8;
constexpr size_t kBytesMax = 20'000;

std::string SomeBytes(Random& random) {
  const size_t size = random() % 4 == 0 ? random() % kBytesMax : random() % 200;
  return std::string(size, static_cast<char>('a' + random() % 26));
}

std::string Target(const std::string& link) {
  char target[NAME_MAX];
  const ssize_t size = readlink(link.c_str(), target, sizeof target);
  return size < 0 ? std::string("!") + strerrorname_np(errno)
                  : std::string(target, static_cast<size_t>(size));
}

std::string Short(const std::string& content) {
  return std::to_string(content.size()) + " bytes beginning '" + content.substr(0, 24) + "'";
}

}  // namespace

Worker::Worker(std::vector<std::string> roots, int id, Shared& shared)
    : roots_(std::move(roots)), id_(id), shared_(shared), root_(roots_.front()) {
  EXPECT_EQ(mkdir(Dir(root_).c_str(), 0755), 0);
}

std::string Worker::Record(int worker, int number) {
  char text[32];
  std::snprintf(text, sizeof text, "%2d %8d\n", worker, number);
  return text;
}

std::string Worker::Step(Random& random) {
  constexpr Action kActions[] = {
      &Worker::Create,    &Worker::Create,           &Worker::RenameOne, &Worker::LinkOne,
      &Worker::UnlinkOne, &Worker::AppendToOne,      &Worker::Overwrite, &Worker::Truncate,
      &Worker::OpenOne,   &Worker::MakeAndRemoveDir, &Worker::UseOpen,   &Worker::UseOpen,
      &Worker::MakeSymLink};
  constexpr Action kTogether[] = {&Worker::Log, &Worker::Claim, &Worker::CountUnderLock};
  root_ = roots_[random() % 2 == 0 ? 0 : random() % roots_.size()];
  // Without mu_: these wait for other workers.
  if (random() % 5 == 0) return (this->*kTogether[random() % std::size(kTogether)])(random);
  const std::lock_guard lock(mu_);
  const Action action = kActions[random() % std::size(kActions)];
  return names_.empty() ? Create(random) : (this->*action)(random);
}

std::string Worker::Done() {
  ++shared_.changes;
  return "";
}

Worker::Names::iterator Worker::Some(Random& random) {
  return std::next(names_.begin(), static_cast<std::ptrdiff_t>(random() % names_.size()));
}

Worker::Names::iterator Worker::SomeFile(Random& random) {
  const auto is_file = [](const auto& name) { return !name.second->symlink; };
  const auto from = Some(random);
  const auto at = std::find_if(from, names_.end(), is_file);
  return at != names_.end() ? at : std::find_if(names_.begin(), names_.end(), is_file);
}

std::string Worker::Create(Random& random) {
  if (names_.size() >= kNames) return UnlinkOne(random);
  const std::string name = NewName();
  auto inode = std::make_shared<Inode>(Inode{SomeBytes(random), 1, false});
  const Fd fd(PathOf(name), O_CREAT | O_EXCL | O_WRONLY);
  if (!fd.ok()) return Oops("create " + name, errno);
  if (const int error = fd.WriteAt(inode->content, 0)) return Oops("write " + name, error);
  if (random() % 3 == 0 && fsync(fd.get()) != 0) return Oops("fsync " + name, errno);
  names_[name] = std::move(inode);
  return Done();
}

std::string Worker::MakeSymLink(Random& random) {
  if (names_.size() >= kNames) return UnlinkOne(random);
  const std::string name = NewName();
  const std::string target = "nowhere" + std::to_string(random() % 1000);
  if (symlink(target.c_str(), PathOf(name).c_str()) != 0) return Oops("symlink " + name, errno);
  names_[name] = std::make_shared<Inode>(Inode{target, 1, true});
  return Done();
}

std::string Worker::RenameOne(Random& random) {
  const auto from = Some(random);
  const std::string old_name = from->first;
  const bool over = random() % 3 == 0;
  const std::string new_name = over ? Some(random)->first : NewName();
  const InodeRef inode = from->second;
  if (rename(PathOf(old_name).c_str(), PathOf(new_name).c_str()) != 0) {
    return Oops("rename " + old_name + " to " + new_name, errno);
  }
  const auto target = names_.find(new_name);
  if (target != names_.end() && target->second == inode)
    return Done();  // one file: nothing is done
  if (target != names_.end()) Drop(target->second);
  names_[new_name] = inode;
  names_.erase(old_name);
  gone_.push_back(old_name);
  return Done();
}

std::string Worker::LinkOne(Random& random) {
  if (names_.size() >= kNames) return UnlinkOne(random);
  const auto from = Some(random);
  const std::string name = NewName();
  if (link(PathOf(from->first).c_str(), PathOf(name).c_str()) != 0) {
    return Oops("link " + from->first + " to " + name, errno);
  }
  const InodeRef inode = from->second;
  ++inode->links;
  names_[name] = inode;
  return Done();
}

std::string Worker::UnlinkOne(Random& random) {
  const auto at = Some(random);
  if (unlink(PathOf(at->first).c_str()) != 0) return Oops("unlink " + at->first, errno);
  Drop(at->second);
  gone_.push_back(at->first);
  names_.erase(at);
  return Done();
}

std::string Worker::AppendToOne(Random& random) {
  const auto at = SomeFile(random);
  if (at == names_.end()) return Create(random);
  const std::string bytes = SomeBytes(random) + ".";
  if (const int error = Append(PathOf(at->first), bytes)) {
    return Oops("append to " + at->first, error);
  }
  at->second->content += bytes;
  return Done();
}

std::string Worker::Overwrite(Random& random) {
  const auto at = SomeFile(random);
  if (at == names_.end()) return Create(random);
  std::string& content = at->second->content;
  const std::string bytes = SomeBytes(random) + "/";
  const size_t offset = random() % (content.size() + 100);
  const Fd fd(PathOf(at->first), O_RDWR);
  if (!fd.ok()) return Oops("open " + at->first, errno);
  if (const int error = fd.WriteAt(bytes, static_cast<int64_t>(offset))) {
    return Oops("write into " + at->first, error);
  }
  if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size());
  content.replace(offset, bytes.size(), bytes);
  return Done();
}

std::string Worker::Truncate(Random& random) {
  const auto at = SomeFile(random);
  if (at == names_.end()) return Create(random);
  const size_t size = random() % (at->second->content.size() + 100);
  if (truncate(PathOf(at->first).c_str(), static_cast<off_t>(size)) != 0) {
    return Oops("truncate " + at->first, errno);
  }
  at->second->content.resize(size);
  return Done();
}

std::string Worker::MakeAndRemoveDir(Random&) {
  const std::string name = NewName();
  if (mkdir(PathOf(name).c_str(), 0755) != 0) return Oops("mkdir " + name, errno);
  ++shared_.changes;
  if (rmdir(PathOf(name).c_str()) != 0) return Oops("rmdir " + name, errno);
  gone_.push_back(name);
  return Done();
}

std::string Worker::OpenOne(Random& random) {
  const auto at = SomeFile(random);
  if (at == names_.end()) return Create(random);
  Fd fd(PathOf(at->first), random() % 3 == 0 ? O_RDWR : O_RDONLY);
  if (!fd.ok()) return Oops("open " + at->first, errno);
  if (opens_.size() >= kOpens) opens_.erase(opens_.begin());
  opens_.push_back({std::move(fd), at->second});
  return "";
}

std::string Worker::UseOpen(Random& random) {
  if (opens_.empty()) return OpenOne(random);
  const OpenFile& open = opens_[random() % opens_.size()];
  const std::string seen = open.fd.ReadAll();
  if (seen != open.inode->content) {
    return "an open file of " + std::to_string(open.inode->links) + " names shows " + Short(seen) +
           " instead of " + Short(open.inode->content);
  }
  struct stat s;
  if (fstat(open.fd.get(), &s) != 0) return Oops("fstat", errno);
  if (s.st_nlink != open.inode->links) {
    return "an open file has " + std::to_string(s.st_nlink) + " links instead of " +
           std::to_string(open.inode->links);
  }
  return "";
}

std::string Worker::Log(Random&) {
  if (const int error = Append(root_ + "/shared/log", Record(id_, logged_))) {
    return Oops("append to the log", error);
  }
  ++logged_;
  return Done();
}

std::string Worker::Claim(Random&) {
  const auto number = static_cast<size_t>(next_claim_);
  if (number >= Shared::kClaims) return "";
  const Fd fd(root_ + "/shared/claim" + std::to_string(number), O_CREAT | O_EXCL | O_WRONLY);
  if (!fd.ok() && errno != EEXIST) return Oops("claim", errno);
  if (fd.ok()) ++shared_.winners[number];
  ++next_claim_;
  return Done();
}

std::string Worker::CountUnderLock(Random&) {
  const Fd fd(root_ + "/shared/counter", O_RDWR);
  if (!fd.ok()) return Oops("open the counter", errno);
  if (const int error = fd.Lock(true)) return Oops("lock", error);
  if (shared_.held.exchange(true)) return "two have the lock";
  uint64_t value = 0;
  if (pread(fd.get(), &value, sizeof value, 0) < 0) return Oops("read the counter", errno);
  ++value;
  if (pwrite(fd.get(), &value, sizeof value, 0) != sizeof value) return Oops("count", errno);
  ++shared_.rounds;
  shared_.held = false;
  if (const int error = fd.Unlock()) return Oops("unlock", error);
  return Done();
}

std::string Worker::CheckOne(const std::string& root, const std::string& name,
                             const Inode& inode) const {
  const std::string path = Dir(root) + name;
  struct stat s;
  if (lstat(path.c_str(), &s) != 0) return Oops("lstat " + path, errno);
  if (s.st_nlink != inode.links || static_cast<size_t>(s.st_size) != inode.content.size()) {
    return path + " has " + std::to_string(s.st_nlink) + " links and " + std::to_string(s.st_size) +
           " bytes instead of " + std::to_string(inode.links) + " and " +
           std::to_string(inode.content.size());
  }
  const std::string seen = inode.symlink ? Target(path) : Read(path);
  if (seen == inode.content) return "";
  return path + " shows " + Short(seen) + " instead of " + Short(inode.content);
}

std::string Worker::LookFrom(const std::string& root, Random& random) {
  const std::lock_guard lock(mu_);
  if (!gone_.empty() && random() % 4 == 0) {
    const std::string path = Dir(root) + gone_[random() % gone_.size()];
    return Exists(path) ? path + " is there again" : "";
  }
  if (names_.empty()) return "";
  const auto at = Some(random);
  return CheckOne(root, at->first, *at->second);
}

std::string Worker::CheckAll(const std::string& root) {
  const std::lock_guard lock(mu_);
  std::vector<std::string> expected;
  for (const auto& [name, inode] : names_) {
    expected.push_back(name);
    if (std::string wrong = CheckOne(root, name, *inode); !wrong.empty()) return wrong;
  }
  std::sort(expected.begin(), expected.end());
  if (List(Dir(root)) != expected) return Dir(root) + " does not list what is in it";
  for (const std::string& name : gone_) {
    if (Exists(Dir(root) + name)) return Dir(root) + name + " is there again";
  }
  return "";
}

}  // namespace tarn::testing
