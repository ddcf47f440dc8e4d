#include "client/cli/umount_command.h"

#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>
#include <optional>
#include <vector>

#include "client/cli/environment.h"
#include "client/cli/helper_note.h"
#include "client/cli/mount_table.h"
#include "client/cli/run_file.h"

namespace tarn::cli {
namespace {

constexpr absl::Duration kForcedEnd = absl::Seconds(5);

int Complain(const UmountRequest& request, const std::string& sentence, int code = kExitFailure) {
  std::cerr << request.program << ": " << sentence << "\n";
  return code;
}

// A user's own mount: only the setuid fusermount3 may. It prints what is wrong.
bool RunFusermount(const std::string& path, bool lazy) {
  std::vector<std::string> words = {"fusermount3", "-u"};
  if (lazy) words.emplace_back("-z");
  words.insert(words.end(), {"--", path});
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  int error = posix_spawnp(&pid, argv[0], nullptr, nullptr, argv.data(), environ);
  if (error != 0) {
    std::cerr << "tarn umount: cannot run fusermount3: " << strerror(error) << "\n";
    return false;
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// 0 or an errno. By force it goes also if it is used: its connection is cut first, so that whoever
// waits in it goes on.
int Detach(const std::string& path, const UmountRequest& request) {
  if (request.force && umount2(path.c_str(), MNT_FORCE) == 0) return 0;
  const bool detach = request.force || request.lazy;
  return umount2(path.c_str(), detach ? MNT_DETACH : 0) == 0 ? 0 : errno;
}

}  // namespace

int RunUmount(const UmountRequest& request) {
  auto path = AbsolutePath(request.directory);
  if (!path.ok()) return Complain(request, path.error().message);
  auto table = ReadMountTable();
  if (!table.ok()) return Complain(request, table.error().message, kExitSystem);
  auto mount = FindMount(*table, *path);
  if (!mount) return Complain(request, *path + " is not mounted");
  if (!mount->is_tarn()) {
    return Complain(request, *path + " is a mount of type " + mount->type + ", not of tarn");
  }
  std::optional<RunFile> daemon = RunFile::Open(*mount);
  const int error = Detach(*path, request);
  if (error == EBUSY) {
    return Complain(request, *path + " is busy: a process has a file open or its working directory "
                                     "there (fuser -vm " + *path +
                                     " shows which); --lazy detaches it anyway");
  }
  if (error != 0 && error != EPERM) return Complain(request, *path + ": " + strerror(error));
  if (error == EPERM && !RunFusermount(*path, request.lazy || request.force)) return kExitFailure;
  DropUmountHelper(*path);
  if (daemon && request.force) {
    if (!daemon->EndWithin(kForcedEnd)) {
      std::cerr << request.program << ": " << *path << ": the daemon was killed; what it had not "
                << "written to the server is lost\n";
    }
  } else if (daemon && !request.lazy) {
    daemon->AwaitEnd();
  }
  return kExitOk;
}

}  // namespace tarn::cli
