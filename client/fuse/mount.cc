#include "client/fuse/mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <thread>

#include "client/fuse/bridge.h"
#include "common/log.h"

namespace tarn::fuse {
namespace {

constexpr char kSubtype[] = "tarn";
// A few threads that never wait serve better than many: each request wakes one of them.
constexpr unsigned kMinReaders = 2, kMaxReaders = 4;

// libfuse's own words go into our log.
void OnFuseLog(enum fuse_log_level level, const char* format, va_list args) {
  char line[512];
  int n = vsnprintf(line, sizeof line, format, args);
  std::string_view text(line, std::clamp<size_t>(n < 0 ? 0 : n, 0, sizeof line - 1));
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (level <= FUSE_LOG_ERR) {
    LogError("{}", text);
  } else if (level <= FUSE_LOG_NOTICE) {
    LogWarning("{}", text);
  } else {
    LogDebug("{}", text);
  }
}

Error SystemError(const std::string& what) {
  return {FromSystem(errno), what + ": " + strerror(errno)};
}

struct SessionDeleter {
  void operator()(fuse_session* session) const { fuse_session_destroy(session); }
};
using SessionPtr = std::unique_ptr<fuse_session, SessionDeleter>;

// Commas and backslashes would end an option.
std::string Escape(const std::string& value) {
  std::string out;
  for (char c : value) {
    if (c == ',' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

// Options for fusermount3, which sets nosuid and nodev by itself.
std::string OptionText(const MountConfig& config) {
  const MountOptions& o = config.options;
  std::string text = "subtype=" + std::string(kSubtype) + ",fsname=" + Escape(config.source);
  if (o.allow_other) text += ",allow_other";
  if (o.default_permissions) text += ",default_permissions";
  if (o.read_only) text += ",ro";
  if (!o.exec) text += ",noexec";
  if (!o.atime) text += ",noatime";
  if (o.sync) text += ",sync";
  return text;
}

// Lets a request have as many pages as kTransferMaxBytes needs. Linux ends at 256 unless told
// otherwise, which it can be since 6.13, for mounts to come. Without: a record of 1 MiB from a
// buffer that begins within a page comes in two requests, and an append of it can tear.
void RaisePagesLimit() {
  constexpr char kPath[] = "/proc/sys/fs/fuse/max_pages_limit";
  const uint64_t needed = kTransferMaxBytes / static_cast<uint64_t>(getpagesize());
  uint64_t limit = 0;
  if (std::ifstream(kPath) >> limit && limit >= needed) return;
  std::ofstream file(kPath, std::ios::in);  // no O_CREAT
  if (limit == 0 || !(file << needed << std::flush)) {
    LogInfo("a request of the kernel cannot have {} pages; appends of more than {} bytes can tear",
            needed, kRecordMaxBytes - static_cast<uint64_t>(getpagesize()));
  }
}

// Lets the kernel read kReadAheadBytes ahead of a sequential reader; by itself it reads 128 KiB,
// which a network of 1 ms makes 60 MB/s. It asks for no more than the device permits when it gets
// the answer to INIT, which is still to come. Where /sys is not ours to write, it stays.
void RaiseReadAhead(const std::string& directory) {
  struct statx info = {};
  constexpr int kWithoutAsking = AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT;
  if (statx(AT_FDCWD, directory.c_str(), kWithoutAsking, STATX_TYPE, &info) != 0) return;
  const std::string path = "/sys/class/bdi/" + std::to_string(info.stx_dev_major) + ":" +
                           std::to_string(info.stx_dev_minor) + "/read_ahead_kb";
  std::ofstream file(path, std::ios::in);  // no O_CREAT
  if (!(file << kReadAheadBytes / 1024 << std::flush)) LogInfo("{} cannot be written", path);
}

// What the kernel takes the root for until it has asked: its mode, of a directory of root's. It
// goes by that also if what it asked for is overtaken by a notification. So that nobody is refused
// then who may enter, the right of a class is given to all if the owner is somebody else: the
// server decides anyway.
unsigned FirstModeOf(const Attr& root) {
  unsigned mode = root.mode & 07777;
  if (root.uid != 0 || root.gid != 0) {
    const unsigned any = (mode | mode >> 3 | mode >> 6) & 7;
    mode |= any << 6 | any << 3 | any;
  }
  return S_IFDIR | mode;
}

// mount(2) by ourselves, which says why it fails. Returns the descriptor of the connection.
Result<int> MountAsRoot(const MountConfig& config) {
  int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fd < 0) return SystemError("cannot open /dev/fuse (is the fuse module loaded?)");
  char mode[16];
  snprintf(mode, sizeof mode, "%o", FirstModeOf(config.root_attr));
  std::string data = "fd=" + std::to_string(fd) + ",rootmode=" + mode +
                     ",user_id=" + std::to_string(getuid()) +
                     ",group_id=" + std::to_string(getgid());
  if (config.options.allow_other) data += ",allow_other";
  if (config.options.default_permissions) data += ",default_permissions";
  std::string type = std::string("fuse.") + kSubtype;
  if (mount(config.source.c_str(), config.directory.c_str(), type.c_str(),
            MountFlags(config.options), data.c_str()) != 0) {
    Error error = SystemError("cannot mount at " + config.directory);
    close(fd);
    return error;
  }
  return fd;
}

class FuseMount final : public Mount {
 public:
  FuseMount(FileSystem& fs, const MountConfig& config)
      : bridge_(fs, config.root, config.freshness,
                config.options.soft ? config.options.timeo * kSecondNanos / 10 : 0),
        directory_(config.directory) {}

  ~FuseMount() override { bridge_.WaitUntilIdle(); }

  Status Attach(const MountConfig& config) {
    fuse_set_log_func(OnFuseLog);
    bool root = geteuid() == 0;
    if (root) RaisePagesLimit();
    std::string text = OptionText(config);
    char program[] = "tarn", flag[] = "-o";
    char* argv[] = {program, flag, text.data(), nullptr};
    fuse_args args = FUSE_ARGS_INIT(root ? 1 : 3, argv);
    session_.reset(
        fuse_session_new(&args, &FuseBridge::Ops(), sizeof(fuse_lowlevel_ops), &bridge_));
    fuse_opt_free_args(&args);
    if (session_ == nullptr) return Error(Errno::kEINVAL, "libfuse refused the options: " + text);
    std::string target = config.directory;
    if (root) {
      ASSIGN_OR_RETURN(int fd, MountAsRoot(config));
      RaiseReadAhead(config.directory);
      target = "/dev/fd/" + std::to_string(fd);
    }
    if (fuse_session_mount(session_.get(), target.c_str()) != 0) {
      if (root) umount2(directory_.c_str(), MNT_DETACH);
      return Error(Errno::kEIO, "cannot mount at " + config.directory +
                                    (root ? "" : ": fusermount3 refused (see the log)"));
    }
    return Ok();
  }

  cache::KernelCache& kernel_cache() override { return bridge_.invalidator(); }

  Status Run() override {
    bridge_.invalidator().SetSession(session_.get());
    fuse_loop_config* config = fuse_loop_cfg_create();
    fuse_loop_cfg_set_max_threads(
        config, std::clamp(std::thread::hardware_concurrency(), kMinReaders, kMaxReaders));
    fuse_loop_cfg_set_clone_fd(config, 0);
    int result = fuse_session_loop_mt(session_.get(), config);
    fuse_loop_cfg_destroy(config);
    // Of a mount that is already gone this is a no-op.
    fuse_session_unmount(session_.get());
    bridge_.invalidator().SetSession(nullptr);
    if (result < 0) return Error(FromSystem(-result), "the connection to the kernel failed");
    return Ok();
  }

  void Stop() override {
    if (umount2(directory_.c_str(), MNT_DETACH) != 0 && errno != EINVAL && errno != EPERM) {
      LogWarning("cannot detach {}: {}", directory_, strerror(errno));
    }
    fuse_session_exit(session_.get());
  }

 private:
  FuseBridge bridge_;
  const std::string directory_;
  SessionPtr session_;  // goes before the bridge
};

}  // namespace

Result<std::unique_ptr<Mount>> Mount::Make(FileSystem& fs, const MountConfig& config) {
  auto mount = std::make_unique<FuseMount>(fs, config);
  RETURN_IF_ERROR(mount->Attach(config));
  return std::unique_ptr<Mount>(std::move(mount));
}

}  // namespace tarn::fuse
