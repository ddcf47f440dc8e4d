// The stages of Tarn that the conformance suite runs on.
#include "client/cache/cached_fs.h"
#include "client/transport/remote_fs.h"
#include "server/ops/local_fs.h"
#include "server/store/rocks_kv.h"
#include "tests/conformance/fixture.h"
#include "tests/support/fs_subject.h"
#include "tests/support/in_process_server.h"
#include "tests/support/mem_kv.h"
#include "tests/support/temp_dir.h"
#ifdef TARN_WITH_MOUNT
#include <sys/stat.h>

#include "tests/support/mount_subject.h"
#include "tests/support/real_daemon.h"
#endif

namespace tarn::testing {
namespace {

constexpr SessionId kSession{1, 1};

// A LocalFs, whatever it stands on, with what must outlive it.
struct LocalStage {
  std::shared_ptr<void> below;
  std::unique_ptr<ops::LocalFs> fs;
};

FileSystemSubject::Target LocalTarget(std::unique_ptr<store::Kv> kv, std::shared_ptr<void> below) {
  auto opened = store::Store::Open(std::move(kv), SystemClock(), true, "test");
  EXPECT_OK(opened);
  auto stage = std::make_shared<LocalStage>();
  stage->below = std::move(below);
  stage->fs = ops::LocalFs::Make(std::move(opened).value(), SystemClock(), {});
  ops::LocalFs* fs = stage->fs.get();
  return {fs, fs->MakeHandle(kRootIno, 0), kSession, std::move(stage)};
}

std::unique_ptr<Subject> MakeMemory() {
  return std::make_unique<FileSystemSubject>(
      [] { return LocalTarget(std::make_unique<MemKv>(), nullptr); });
}

std::unique_ptr<Subject> MakeRocks() {
  auto dir = std::make_shared<TempDir>();
  return std::make_unique<FileSystemSubject>(
      [dir] {
        auto memory = store::MakeRocksMemory({});
        auto kv = store::OpenRocksKv(*dir / "db", true, memory);
        EXPECT_OK(kv);
        return LocalTarget(std::move(kv).value(), dir);
      },
      /*restartable=*/true);
}

// The protocol in between: a server and a client in this process, on a loopback port.
struct RemoteStage {
  InProcessServer server;
  std::unique_ptr<transport::RemoteFs> fs;
};

std::unique_ptr<Subject> MakeRemote() {
  return std::make_unique<FileSystemSubject>([] {
    auto stage = std::make_shared<RemoteStage>();
    auto connected = transport::RemoteFs::Connect(
        {.server = stage->server.address(), .client_name = "conformance"});
    EXPECT_OK(connected);
    stage->fs = std::move(connected).value();
    transport::RemoteFs* fs = stage->fs.get();
    return FileSystemSubject::Target{fs, fs->root().handle, {}, std::move(stage)};
  });
}

// Clients that cache, in front of one server: processes take turns on them, so that what one does
// is looked at through another's cache.
struct CachedStage {
  struct Client {
    std::shared_ptr<transport::RemoteFs> remote;
    std::unique_ptr<cache::CachedFs> cached;
  };
  ~CachedStage() {
    for (Client& client : clients) client.remote->Close();
  }
  InProcessServer server;
  std::vector<Client> clients;
};

std::unique_ptr<Subject> MakeCached(size_t clients) {
  return std::make_unique<FileSystemSubject>([clients] {
    auto stage = std::make_shared<CachedStage>();
    FileSystemSubject::Target target;
    for (size_t i = 0; i < clients; ++i) {
      auto connected = transport::RemoteFs::Connect(
          {.server = stage->server.address(), .client_name = "conformance", .leases = true});
      EXPECT_OK(connected);
      std::shared_ptr<transport::RemoteFs> remote = std::move(connected).value();
      auto cached = std::make_unique<cache::CachedFs>(*remote, SystemClock());
      target.root = remote->root().handle;
      target.all.push_back(cached.get());
      stage->clients.push_back({std::move(remote), std::move(cached)});
    }
    target.fs = target.all.front();
    target.owner = std::move(stage);
    return target;
  });
}

#ifdef TARN_WITH_MOUNT
// One server and one mount for the whole run: a test gets a directory of its own.
struct SharedMount {
  RealServer server;
  RealMount mount{server.spec()};
  int next = 0;
};

std::unique_ptr<Subject> MakeMount() {
  if (!CanMount()) return nullptr;
  static const auto shared = std::make_shared<SharedMount>();
  const std::string base = shared->mount / ("test-" + std::to_string(shared->next++));
  if (mkdir(base.c_str(), 0755) != 0) return nullptr;
  return std::make_unique<MountSubject>(base, shared);
}
#endif

}  // namespace

std::vector<SubjectKind> SubjectKinds() {
  return {
      {"Memory", MakeMemory},
      {"Rocks", MakeRocks},
      {"Remote", MakeRemote},
      {"Cached", [] { return MakeCached(1); }},
      {"TwoCached", [] { return MakeCached(2); }},
#ifdef TARN_WITH_MOUNT
      {"Mount", MakeMount},
#endif
  };
}

}  // namespace tarn::testing
