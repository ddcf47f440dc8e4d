// tarnd: options, then wiring, then service until SIGTERM. The only place that knows all classes.
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <vector>

#include "common/clock.h"
#include "common/fault.h"
#include "common/limits.h"
#include "common/log.h"
#include "server/fsck_command.h"
#include "server/ops/local_fs.h"
#include "server/ops/scrubber.h"
#include "server/options.h"
#include "server/rpc/server.h"
#include "server/state/awake_clock.h"
#include "server/store/registry.h"

namespace tarn {
namespace {

enum ExitCode { kGood = 0, kUsage = 1, kState = 2, kListen = 3 };

constexpr size_t kMiB = size_t{1} << 20;

using FileSystems = std::vector<std::unique_ptr<ops::LocalFs>>;

Result<FileSystems> OpenFileSystems(store::Registry& registry, const Limits& limits,
                                    const Timing& timing, Clock& clock) {
  FileSystems opened;
  for (const store::FileSystemInfo& info : registry.List()) {
    ASSIGN_OR_RETURN(auto store, registry.OpenStore(info.id));
    store->SetLimits(limits);
    ASSIGN_OR_RETURN(const auto sessions, store->LoadSessions());
    const auto may_come_back = std::count_if(sessions.begin(), sessions.end(),
                                             [](const auto& session) { return !session.fenced; });
    ops::LocalFsOptions options;
    options.grace = may_come_back > 0;
    options.timing = timing;
    opened.push_back(ops::LocalFs::Make(std::move(store), clock, options));
    LogInfo("file system {} ({}), {} sessions on record", info.name, info.id, may_come_back);
  }
  return opened;
}

std::vector<std::unique_ptr<ops::Scrubber>> StartScrubbing(const FileSystems& file_systems,
                                                          const ServerOptions& options) {
  std::vector<std::unique_ptr<ops::Scrubber>> scrubbers;
  if (options.scrub_hours == 0) return scrubbers;
  const ops::ScrubberOptions pace{absl::Hours(options.scrub_hours),
                                  options.scrub_mib_per_second * kMiB};
  for (const auto& fs : file_systems) {
    scrubbers.push_back(std::make_unique<ops::Scrubber>(fs->store(), pace));
  }
  return scrubbers;
}

// Blocks the signals that end the service in this thread and all that it makes, so that main can
// wait for them.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

store::RocksKvOptions EngineOptions(const ServerOptions& options) {
  store::RocksKvOptions engine;
  engine.block_cache_bytes = options.block_cache_mib * kMiB;
  engine.write_buffer_bytes = options.write_buffer_mib * kMiB;
  return engine;
}

// As many descriptors as we may have: what to do with them is the listener's business.
void RaiseDescriptorLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) LogWarning("cannot raise the limit of descriptors");
}

int Serve(const ServerOptions& options, const sigset_t& stop_signals) {
  RaiseDescriptorLimit();
  state::AwakeClock clock(SystemClock());
  const store::RocksKvOptions engine = EngineOptions(options);
  auto registry = store::OpenRegistry(options.state, engine, clock);
  if (!registry.ok()) {
    LogError("cannot use state directory {}: {}", options.state, registry.error().message);
    return kState;
  }
  const Limits& limits = options.efs_limits ? kEfsLimits : kOwnLimits;
  Timing timing;
  timing.session_lifetime_nanos = options.session_lifetime_s * kSecondNanos;
  timing.recall_deadline_nanos = options.recall_deadline_s * kSecondNanos;
  auto file_systems = OpenFileSystems(**registry, limits, timing, clock);
  if (!file_systems.ok()) {
    LogError("cannot open a file system in {}: {}", options.state, file_systems.error().message);
    return kState;
  }
  std::vector<ops::LocalFs*> served;
  for (const auto& fs : *file_systems) served.push_back(fs.get());

  auto server = rpc::Server::Start(options.listen, served, clock, timing,
                                   options.request_memory_mib * kMiB);
  if (!server.ok()) {
    LogError("cannot listen at {}: {}", options.listen, server.error().message);
    return kListen;
  }
  const auto scrubbers = StartScrubbing(*file_systems, options);
  LogInfo("tarnd ready on {}, port {}", options.listen, (*server)->port());

  int signal = 0;
  sigwait(&stop_signals, &signal);
  LogInfo("signal {}: stopping", signal);
  (*server)->Stop();
  return kGood;
}

}  // namespace
}  // namespace tarn

int main(int argc, char** argv) {
  const tarn::ParsedOptions parsed = tarn::ParseServerOptions(argc, argv);
  if (!parsed.run) return parsed.exit_code;
  if (!tarn::StartLog("tarnd", parsed.options.log_level).ok()) return tarn::kUsage;
  if (const tarn::Status armed = tarn::ArmFaultsFromEnvironment(); !armed.ok()) {
    tarn::LogError("TARN_FAULTS: {}", armed.error().message);
    return tarn::kUsage;
  }
  if (parsed.options.fsck) {
    return tarn::RunFsck(parsed.options.state, parsed.options.file_system,
                         tarn::EngineOptions(parsed.options));
  }
  if (!parsed.options.insecure && !tarn::IsLoopback(parsed.options.listen)) {
    tarn::LogError(
        "refusing to listen at {}: connections are not encrypted, and whoever reaches that address "
        "could read and change everything. Listen on loopback, or pass --insecure if the network "
        "is yours alone",
        parsed.options.listen);
    return tarn::kUsage;
  }
  const sigset_t stop_signals = tarn::BlockStopSignals();
  return tarn::Serve(parsed.options, stop_signals);
}
