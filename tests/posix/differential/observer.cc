#include "tests/posix/differential/observer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

namespace tarn::differential {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr uint8_t kEverything = kNames | kContent | kXattrs;

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

struct DirCloser {
  void operator()(DIR* dir) const { closedir(dir); }
};

int64_t Nanos(const statx_timestamp& time) {
  return time.tv_sec * kSecond + time.tv_nsec;
}

// File handles carry the generation of the inode, where the file system has them.
uint64_t Identity(int fd, const struct statx& stx) {
  alignas(file_handle) char memory[sizeof(file_handle) + MAX_HANDLE_SZ];
  auto* handle = reinterpret_cast<file_handle*>(memory);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  if (name_to_handle_at(fd, "", handle, &mount, AT_EMPTY_PATH) != 0) return stx.stx_ino;
  return HashBytes({reinterpret_cast<const char*>(handle->f_handle), handle->handle_bytes});
}

int FillAttributes(int fd, Attributes* out) {
  struct statx stx;
  if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &stx) != 0) return errno;
  out->mode = stx.stx_mode;
  out->nlink = stx.stx_nlink;
  out->uid = stx.stx_uid;
  out->gid = stx.stx_gid;
  out->size = stx.stx_size;
  out->blocks = stx.stx_blocks;
  out->rdev = makedev(stx.stx_rdev_major, stx.stx_rdev_minor);
  out->atime = Nanos(stx.stx_atime);
  out->mtime = Nanos(stx.stx_mtime);
  out->ctime = Nanos(stx.stx_ctime);
  out->has_btime = (stx.stx_mask & STATX_BTIME) != 0 && stx.stx_btime.tv_sec != 0;
  out->identity = Identity(fd, stx);
  return 0;
}

// `list` and `get` wrap the calls for a path or for a descriptor.
template <class List, class Get>
void FillXattrs(List list, Get get, Object* object) {
  char names[8192], value[8192];
  const ssize_t size = list(names, sizeof(names));
  object->has_xattrs = true;
  if (size < 0) {
    // Not every object can have any; that it cannot is compared too.
    object->xattrs.emplace_back("", std::to_string(errno));
    return;
  }
  for (std::string_view rest(names, static_cast<size_t>(size)); !rest.empty();) {
    std::string name(rest.substr(0, rest.find('\0')));
    rest.remove_prefix(name.size() + 1);
    const ssize_t length = get(name.c_str(), value, sizeof(value));
    object->xattrs.emplace_back(name, length < 0 ? "error " + std::to_string(errno)
                                                 : std::string(value, static_cast<size_t>(length)));
  }
  std::sort(object->xattrs.begin(), object->xattrs.end());
}

void FillDescriptorXattrs(int fd, Object* object) {
  FillXattrs(
      [fd](char* out, size_t size) { return flistxattr(fd, out, size); },
      [fd](const char* name, char* out, size_t size) { return fgetxattr(fd, name, out, size); },
      object);
}

void FillListing(int fd, Object* object) {
  const int dir_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC);
  if (dir_fd < 0) return;
  const std::unique_ptr<DIR, DirCloser> dir(fdopendir(dir_fd));
  while (const dirent* entry = readdir(dir.get())) {
    object->listing.push_back(std::string(entry->d_name) + " type " +
                              std::to_string(entry->d_type));
  }
  std::sort(object->listing.begin(), object->listing.end());
  object->has_listing = true;
}

// Looks at the object that `fd` (perhaps O_PATH) is open on. `path`, if any, leads to it too.
void Fill(int fd, const char* path, uint8_t what, const Process& process, Object* object) {
  object->error = FillAttributes(fd, &object->attributes);
  if (object->error != 0) return;
  const uint32_t type = object->attributes.mode & S_IFMT;
  if (type == S_IFLNK) {
    char target[PATH_MAX];
    const ssize_t size = readlinkat(fd, "", target, sizeof(target));
    object->link_target = size < 0 ? "error " + std::to_string(errno)
                                   : std::string(target, static_cast<size_t>(size));
  }
  if (type == S_IFDIR && (what & kNames) != 0) FillListing(fd, object);
  const bool content = type == S_IFREG && (what & kContent) != 0;
  const bool xattrs = (what & kXattrs) != 0;
  if (!content && !xattrs) return;
  if (type == S_IFREG || type == S_IFDIR) {
    const Fd reader(Reopen(fd, process));
    if (!reader.ok()) {
      object->content = static_cast<uint64_t>(errno);
      object->has_content = content;
      return;
    }
    if (content) object->content = HashContent(reader.get(), 0, object->attributes.size);
    object->has_content = content;
    if (xattrs) FillDescriptorXattrs(reader.get(), object);
  } else if (xattrs && path != nullptr) {
    FillXattrs([path](char* out, size_t size) { return llistxattr(path, out, size); },
               [path](const char* name, char* out, size_t size) {
                 return lgetxattr(path, name, out, size);
               },
               object);
  }
}

Object LookAt(int dir, const char* name, const char* path, int flags, std::string role,
              uint8_t what, const Process& process) {
  Object object;
  object.role = std::move(role);
  const Fd fd(openat(dir, name, O_PATH | O_CLOEXEC | flags));
  if (!fd.ok()) {
    object.error = errno;
  } else {
    Fill(fd.get(), path, what, process, &object);
  }
  return object;
}

// A path whose last component is a plain name.
bool HasPlainName(const std::string& path) {
  if (path.empty() || path.back() == '/') return false;
  const std::string_view name = std::string_view(path).substr(path.rfind('/') + 1);
  return name != "." && name != "..";
}

void LookAtPath(const std::string& path, const std::string& role, uint8_t what,
                const Process& process, std::vector<Object>* objects) {
  if (!HasPlainName(path)) {
    objects->push_back(
        LookAt(AT_FDCWD, path.c_str(), path.c_str(), O_NOFOLLOW, role, what, process));
    return;
  }
  const size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Fd dir(openat(AT_FDCWD, parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  Object seen;
  seen.role = "parent of " + role;
  if (!dir.ok()) {
    seen.error = errno;
    objects->push_back(std::move(seen));
    return;
  }
  Fill(dir.get(), nullptr, what & kNames, process, &seen);
  objects->push_back(std::move(seen));
  objects->push_back(LookAt(dir.get(), path.c_str() + (slash == std::string::npos ? 0 : slash + 1),
                            path.c_str(), O_NOFOLLOW, role, what & ~kNames, process));
  if ((objects->back().attributes.mode & S_IFMT) == S_IFLNK) {
    objects->push_back(LookAt(AT_FDCWD, path.c_str(), path.c_str(), 0, "target of " + role,
                              what & ~kNames, process));
  }
}

// What the step could have changed, given how it went.
uint8_t WorthASight(const Op& op, const Answer& answer) {
  if (answer.error != 0) return kNothing;
  const uint8_t what = Info(op.verb).observed;
  if (op.verb != Verb::kOpen) return what;
  const int64_t flags = op.number[1];
  if ((flags & O_PATH) != 0) return kNothing;
  if ((flags & O_TMPFILE) == O_TMPFILE) return kXattrs;
  if ((flags & O_CREAT) != 0) return what;
  return (flags & O_TRUNC) != 0 ? kContent | kXattrs : kNothing;
}

void Walk(int dir, const std::string& path, int depth, const Process& process,
          std::vector<Object>* objects) {
  const size_t self = objects->size() - 1;
  // By index: the vector grows below.
  for (size_t i = 0; i < (*objects)[self].listing.size(); ++i) {
    const std::string& entry = (*objects)[self].listing[i];
    const std::string name = entry.substr(0, entry.rfind(" type "));
    if (name == "." || name == "..") continue;
    const std::string child = path.empty() ? name : path + "/" + name;
    const Fd fd(openat(dir, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    Object object;
    object.role = child;
    if (!fd.ok()) {
      object.error = errno;
    } else {
      Fill(fd.get(), child.c_str(), kEverything, process, &object);
    }
    const bool descend = object.has_listing && depth > 0;
    objects->push_back(std::move(object));
    if (descend) Walk(fd.get(), child, depth - 1, process, objects);
  }
}

}  // namespace

std::vector<Object> ObserveStep(const Op& op, const Answer& answer, const Process& process) {
  std::vector<Object> objects;
  const uint8_t what = WorthASight(op, answer);
  const std::vector<std::string> paths = op.Paths();
  for (size_t i = 0; i < paths.size(); ++i) {
    LookAtPath(paths[i], "path " + std::to_string(i + 1), what, process, &objects);
  }
  for (const int slot : op.SlotsUsed()) {
    const int fd = process.descriptors[static_cast<size_t>(slot)];
    if (fd < 0) continue;
    Object object;
    object.role = "fd" + std::to_string(slot);
    // What a path has shown already need not be read twice.
    Fill(fd, nullptr, paths.empty() ? what & ~kNames : kNothing, process, &object);
    objects.push_back(std::move(object));
  }
  return objects;
}

std::vector<Object> ObserveTree(const Process& process) {
  std::vector<Object> objects;
  objects.push_back(LookAt(AT_FDCWD, ".", ".", 0, ".", kEverything, process));
  const Fd root(openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (root.ok()) Walk(root.get(), "", 200, process, &objects);
  return objects;
}

}  // namespace tarn::differential
