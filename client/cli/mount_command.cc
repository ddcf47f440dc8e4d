#include "client/cli/mount_command.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>

#include "client/cli/launch.h"
#include "client/cli/mount_table.h"
#include "client/cli/serve.h"

namespace tarn::cli {
namespace {

int Complain(const Error& error, int code) {
  std::cerr << "tarn mount: " << error.message << "\n";
  return code;
}

Error SystemError(const std::string& what) {
  return {FromSystem(errno), what + ": " + strerror(errno)};
}

// The mount point without symlinks, if something can be mounted there.
Result<std::string> CheckMountPoint(const std::string& given) {
  ASSIGN_OR_RETURN(auto table, ReadMountTable());
  // First without touching it: a mount whose daemon is gone or hangs would hang us too.
  ASSIGN_OR_RETURN(std::string path, AbsolutePath(given));
  auto already = [&]() -> Status {
    auto mount = FindMount(table, path);
    if (!mount || !mount->is_tarn()) return Ok();
    return Error(Errno::kEBUSY, path + " is already a mount of " + mount->source +
                                    "; unmount it first: tarn umount " + path);
  };
  RETURN_IF_ERROR(already());
  struct stat st {};
  if (lstat(path.c_str(), &st) != 0) {
    if (errno == ENOENT) {
      return Error(Errno::kENOENT, "the mount point " + path + " does not exist: mkdir -p " + path);
    }
    return SystemError("the mount point " + path);
  }
  if (S_ISLNK(st.st_mode)) {
    char* real = realpath(path.c_str(), nullptr);
    if (real == nullptr) return SystemError("the mount point " + path);
    path = real;
    free(real);
    RETURN_IF_ERROR(already());
    if (stat(path.c_str(), &st) != 0) return SystemError("the mount point " + path);
  }
  if (!S_ISDIR(st.st_mode)) {
    return Error(Errno::kENOTDIR, "the mount point " + path + " is not a directory");
  }
  return path;
}

// mount -o remount: the flags of the mount point change, nothing else can.
int Remount(const std::string& directory, const fuse::MountOptions& options) {
  auto table = ReadMountTable();
  auto path = AbsolutePath(directory);
  if (!table.ok()) return Complain(table.error(), kExitSystem);
  if (!path.ok()) return Complain(path.error(), kExitFailure);
  auto mount = FindMount(*table, *path);
  if (!mount || !mount->is_tarn()) {
    return Complain({Errno::kEINVAL, *path + " is not a tarn mount"}, kExitFailure);
  }
  if (mount->read_only != options.read_only) {
    return Complain({Errno::kEOPNOTSUPP, "remount cannot change between ro and rw; unmount " +
                                             *path + " and mount it anew"},
                    kExitFailure);
  }
  constexpr unsigned long kOfMountPoint =
      MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME;
  unsigned long flags = fuse::MountFlags(options) & kOfMountPoint;
  if (::mount(nullptr, path->c_str(), nullptr, MS_REMOUNT | MS_BIND | flags, nullptr) != 0) {
    return Complain(SystemError("cannot remount " + *path), kExitFailure);
  }
  return kExitOk;
}

// The waiting half of a background mount: the daemon's word, then the mount's own.
int AwaitMount(Launch& launch, const std::string& directory) {
  Status word = launch.Wait();
  if (!word.ok()) return Complain(word.error(), kExitFailure);
  struct statvfs st {};
  if (statvfs(directory.c_str(), &st) != 0) {
    return Complain(SystemError(directory + " is mounted but does not answer"), kExitFailure);
  }
  return kExitOk;
}

}  // namespace

std::string DefaultLogFile(const std::string& directory) {
  if (geteuid() != 0) return "";
  std::string name =
      directory.substr(std::min<size_t>(directory.find_first_not_of('/'), directory.size()));
  std::replace(name.begin(), name.end(), '/', '-');
  return "/var/log/tarn/" + (name.empty() ? "root" : name) + ".log";
}

int RunMount(const MountRequest& request, const Environment& environment) {
  fuse::MountOptions defaults;
  // Others' access to a user's mount is something fusermount3 has to allow.
  defaults.allow_other = geteuid() == 0;
  auto options = fuse::ParseMountOptions(request.option_lists, request.sloppy, defaults);
  if (!options.ok()) return Complain(options.error(), kExitUsage);
  if (options->remount) return Remount(request.directory, *options);
  auto spec = ParseMountSpec(request.spec);
  if (!spec.ok()) return Complain(spec.error(), kExitUsage);
  auto directory = CheckMountPoint(request.directory);
  if (!directory.ok()) return Complain(directory.error(), kExitFailure);
  if (request.check_only) return kExitOk;

  ServeRequest serve{.spec = *spec,
                     .source = request.spec,
                     .directory = *directory,
                     .options = *options,
                     .log_level = request.log_level};
  if (serve.log_level.empty()) serve.log_level = options->log_level.value_or("info");
  std::string log_file = request.log_file;
  if (log_file.empty()) log_file = options->log_file.value_or("");
  if (request.foreground) {
    if (!log_file.empty()) {
      if (Status opened = RedirectOutput(log_file); !opened.ok()) {
        return Complain(opened.error(), kExitSystem);
      }
    }
    Launch launch = Launch::InForeground();
    return Serve(serve, environment, launch);
  }
  if (log_file.empty()) {
    log_file = DefaultLogFile(*directory);
    if (!log_file.empty()) mkdir("/var/log/tarn", 0755);  // failure shows when the file is opened
  }
  auto launch = Launch::Fork();
  if (!launch.ok()) return Complain(launch.error(), kExitSystem);
  if (!launch->in_daemon()) return AwaitMount(*launch, *directory);
  Status detached = Launch::Detach(log_file);
  if (!detached.ok()) {
    launch->Report(detached);
    return kExitSystem;
  }
  return Serve(serve, environment, *launch);
}

}  // namespace tarn::cli
