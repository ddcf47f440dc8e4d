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
#include "client/cli/mount_table.h"
#include "client/cli/run_file.h"

namespace tarn::cli {
namespace {

int Complain(const std::string& sentence, int code) {
  std::cerr << "tarn umount: " << sentence << "\n";
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

}  // namespace

int RunUmount(const UmountRequest& request) {
  auto path = AbsolutePath(request.directory);
  if (!path.ok()) return Complain(path.error().message, kExitFailure);
  auto table = ReadMountTable();
  if (!table.ok()) return Complain(table.error().message, kExitSystem);
  auto mount = FindMount(*table, *path);
  if (!mount) return Complain(*path + " is not mounted", kExitFailure);
  if (!mount->is_tarn()) {
    return Complain(*path + " is a mount of type " + mount->type + ", not of tarn", kExitFailure);
  }
  std::optional<RunFile> daemon = RunFile::Open(*mount);
  if (umount2(path->c_str(), request.lazy ? MNT_DETACH : 0) != 0) {
    if (errno == EBUSY) {
      return Complain(*path +
                          " is busy: a process has a file open or its working directory there "
                          "(fuser -vm " +
                          *path + " shows which); --lazy detaches it anyway",
                      kExitFailure);
    }
    if (errno != EPERM) return Complain(*path + ": " + strerror(errno), kExitFailure);
    if (!RunFusermount(*path, request.lazy)) return kExitFailure;
  }
  if (daemon && !request.lazy) daemon->AwaitEnd();
  return kExitOk;
}

}  // namespace tarn::cli
