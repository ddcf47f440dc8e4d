#include "client/cli/serve.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <iostream>
#include <optional>
#include <thread>

#include "client/cli/helper_note.h"
#include "client/cli/mount_table.h"
#include "client/cli/run_file.h"
#include "client/cli/session_file.h"
#include "client/fuse/mount.h"
#include "common/log.h"
#include "common/timed_wait.h"

namespace tarn::cli {
namespace {

constexpr absl::Duration kSayEvery = absl::Seconds(10);

sigset_t EndingSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

// Stops a mount on the first SIGTERM or SIGINT and ends the daemon on the second, for as long as it
// lives. Every thread must have blocked them.
class SignalWatch {
 public:
  explicit SignalWatch(fuse::Mount& mount) : mount_(&mount), thread_([this] { Watch(); }) {}
  ~SignalWatch() {
    over_ = true;
    pthread_kill(thread_.native_handle(), SIGTERM);
    thread_.join();
  }
  // There is nothing to stop any more.
  void MountIsGone() {
    MutexLock lock(&mu_);
    mount_ = nullptr;
  }

 private:
  void Watch() {
    sigset_t set = EndingSignals();
    int signal = 0;
    sigwait(&set, &signal);
    if (over_) return;
    {
      MutexLock lock(&mu_);
      LogInfo("signal {}: {}", signal,
              mount_ != nullptr ? "detaching" : "one more ends this at once, unwritten or not");
      if (mount_ != nullptr) mount_->Stop();
    }
    sigwait(&set, &signal);
    if (over_) return;
    LogError("signal {} again: ending at once", signal);
    _exit(kExitFailure);
  }

  std::atomic<bool> over_ = false;
  Mutex mu_;
  fuse::Mount* mount_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

// Waits until nothing is left to write, however long the server is away.
void FlushAll(const Connection& connection) {
  if (!connection.flush_all) return;
  Mutex mu;
  bool done = false;
  std::thread flusher([&] {
    connection.flush_all();
    MutexLock lock(&mu);
    done = true;
  });
  {
    MutexLock lock(&mu);
    while (!AwaitFor(mu, absl::Condition(&done), kSayEvery)) {
      LogWarning("unmounted, but the server does not have everything yet{}: waiting for it (two "
                 "signals give up)",
                 connection.unwritten ? ": " + connection.unwritten() : "");
    }
  }
  flusher.join();
}

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

// Whoever unmounted may have done so without umount(8)'s knowledge.
void ForgetMount(const std::string& directory) {
  auto table = ReadMountTable();
  if (table.ok() && FindMount(*table, directory)) return;  // of somebody else
  DropUmountHelper(directory);
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

  std::optional<SessionFile> session_file = SessionFile::Take(request.source, request.directory);
  ConnectRequest ask{.spec = request.spec,
                     .read_only = request.options.read_only,
                     .cache = request.options.cache,
                     .cache_mib = request.options.cache_mib,
                     .flush = request.options.flush,
                     .ignore_recalls = request.options.test_ignore_recalls,
                     .client_name = HostName() + ":" + request.directory};
  if (session_file) {
    ask.previous_session = session_file->previous();
    ask.on_session = [&session_file](const std::string& session) { session_file->Put(session); };
  }
  auto connection = environment.connect(ask);
  if (!connection.ok()) return Fail(launch, connection.error(), kExitFailure);
  fuse::MountConfig config{.source = request.source,
                           .directory = request.directory,
                           .options = request.options,
                           .root = connection->root,
                           .root_attr = connection->root_attr,
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
  NoteUmountHelper(request.source, request.directory);
  launch.Report(Ok());

  SignalWatch watch(**mount);
  Status result = (*mount)->Run();
  watch.MountIsGone();
  if (connection->set_kernel) connection->set_kernel(nullptr);
  FlushAll(*connection);
  connection->close();
  mount->reset();
  ForgetMount(request.directory);
  if (!result.ok()) LogError("{}", result.error().message);
  LogInfo("{} is unmounted from {}", request.source, request.directory);
  return result.ok() ? kExitOk : kExitFailure;
}

}  // namespace tarn::cli
