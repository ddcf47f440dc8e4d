#include "client/cli/sync_command.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <optional>
#include <vector>

#include "client/cli/environment.h"
#include "client/cli/mount_table.h"

namespace tarn::cli {
namespace {

int Complain(const std::string& sentence, int code) {
  std::cerr << "tarn sync: " << sentence << "\n";
  return code;
}

// The mount that `path`, absolute, lies in.
std::optional<MountEntry> FindMountOf(const std::vector<MountEntry>& table, std::string path) {
  while (true) {
    if (auto mount = FindMount(table, path); mount) return mount;
    const size_t slash = path.rfind('/');
    if (path == "/" || slash == std::string::npos) return std::nullopt;
    path.resize(std::max<size_t>(slash, 1));
  }
}

}  // namespace

int RunSync(const std::string& directory) {
  auto table = ReadMountTable();
  if (!table.ok()) return Complain(table.error().message, kExitSystem);
  auto path = AbsolutePath(directory);
  if (!path.ok()) return Complain(path.error().message, kExitFailure);
  auto mount = FindMountOf(*table, *path);
  if (!mount || !mount->is_tarn()) {
    return Complain(*path + " is not in a mount of tarn", kExitFailure);
  }
  // fsync of a mount's root stands for all of the mount. What programs have stored into mapped
  // files is still the kernel's: syncfs has it written first.
  const int fd = open(mount->point.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Complain(mount->point + ": " + strerror(errno), kExitFailure);
  const bool synced = syncfs(fd) == 0 && fsync(fd) == 0;
  const int error = errno;
  close(fd);
  if (!synced) return Complain(mount->point + ": " + strerror(error), kExitFailure);
  return kExitOk;
}

}  // namespace tarn::cli
