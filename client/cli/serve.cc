#include "client/cli/serve.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <iostream>
#include <optional>
#include <thread>

#include "client/cli/mount_table.h"
#include "client/cli/run_file.h"
#include "client/fuse/mount.h"
#include "common/log.h"

namespace tarn::cli {
namespace {

sigset_t EndingSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

// Stops a mount on SIGTERM and SIGINT, which every thread must have blocked, for as long as it
// lives. Afterwards they do what they do by default: a second one ends a daemon that is stuck.
class SignalWatch {
 public:
  explicit SignalWatch(fuse::Mount& mount) : thread_([this, &mount] { Watch(mount); }) {}
  ~SignalWatch() {
    over_ = true;
    pthread_kill(thread_.native_handle(), SIGTERM);
    thread_.join();
    sigset_t set = EndingSignals();
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  }

 private:
  void Watch(fuse::Mount& mount) {
    sigset_t set = EndingSignals();
    int signal = 0;
    sigwait(&set, &signal);
    if (over_) return;
    LogInfo("signal {}: detaching", signal);
    mount.Stop();
  }

  std::atomic<bool> over_ = false;
  std::thread thread_;
};

std::string HostName() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

// For `tarn umount` to wait on. The mount works without.
std::optional<RunFile> MakeRunFile(const std::string& directory) {
  auto table = ReadMountTable();
  if (!table.ok()) return std::nullopt;
  auto mount = FindMount(*table, directory);
  if (!mount) return std::nullopt;
  auto file = RunFile::Make(*mount);
  if (file.ok()) return *std::move(file);
  LogWarning("'tarn umount' will not wait for this daemon's end: {}", file.error().message);
  return std::nullopt;
}

int Fail(Launch& launch, const Error& error, int code) {
  LogError("{}", error.message);
  launch.Report(error);
  return code;
}

}  // namespace

int Serve(const ServeRequest& request, const Environment& environment, Launch& launch) {
  Status log = StartLog("tarn", request.log_level);
  if (!log.ok()) {
    std::cerr << "tarn mount: " << log.error().message << "\n";
    launch.Report(log);
    return kExitUsage;
  }
  // Before any thread starts, so that all inherit it.
  sigset_t set = EndingSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);

  auto connection = environment.connect({.spec = request.spec,
                                         .read_only = request.options.read_only,
                                         .cache = request.options.cache,
                                         .ignore_recalls = request.options.test_ignore_recalls,
                                         .client_name = HostName() + ":" + request.directory});
  if (!connection.ok()) return Fail(launch, connection.error(), kExitFailure);
  fuse::MountConfig config{.source = request.source,
                           .directory = request.directory,
                           .options = request.options,
                           .root = connection->root,
                           .freshness = connection->freshness};
  // The server may allow less than was asked for; then the kernel need not ask it each time.
  config.options.read_only |= connection->read_only;
  auto mount = fuse::Mount::Make(*connection->fs, config);
  if (!mount.ok()) {
    connection->close();
    return Fail(launch, mount.error(), kExitFailure);
  }
  if (connection->set_kernel) connection->set_kernel(&(*mount)->kernel_cache());
  std::optional<RunFile> run_file = MakeRunFile(request.directory);
  LogInfo("{} is mounted at {}", request.source, request.directory);
  launch.Report(Ok());

  Status result = Ok();
  {
    SignalWatch watch(**mount);
    result = (*mount)->Run();
  }
  if (connection->set_kernel) connection->set_kernel(nullptr);
  connection->close();
  mount->reset();
  if (!result.ok()) LogError("{}", result.error().message);
  LogInfo("{} is unmounted from {}", request.source, request.directory);
  return result.ok() ? kExitOk : kExitFailure;
}

}  // namespace tarn::cli
