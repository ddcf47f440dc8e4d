// tarn, the client: gives the commands a server to talk to. The only place that puts its
// stages together.
#include "client/cache/cached_fs.h"
#include "client/cli/cli.h"
#include "client/transport/admin_client.h"
#include "client/transport/remote_fs.h"
#include "common/fault.h"
#include "common/log.h"

namespace tarn {
namespace {

// What a mount with a cache stands on; goes from the top.
struct Stages {
  std::shared_ptr<transport::RemoteFs> remote;
  std::unique_ptr<cache::CachedFs> cached;
};

Result<cli::Connection> Connect(const cli::ConnectRequest& request) {
  transport::ConnectOptions options;
  options.server = cli::ToString(request.spec.server);
  options.file_system = request.spec.file_system;
  options.directory = request.spec.directory;
  options.read_only = request.read_only;
  options.client_name = request.client_name;
  options.leases = request.cache;
  options.replaced_session = request.previous_session;
  options.on_session = request.on_session;
  ASSIGN_OR_RETURN(std::shared_ptr<transport::RemoteFs> remote,
                   transport::RemoteFs::Connect(options));
  cli::Connection connection;
  connection.root = remote->root().handle;
  connection.root_attr = remote->root().attr;
  connection.read_only = remote->info().read_only;
  connection.close = [remote] { remote->Close(); };
  if (!remote->info().leases) {
    connection.fs = remote;
    return connection;
  }
  auto stages = std::make_shared<Stages>(Stages{remote, nullptr});
  cache::CacheOptions cache{.flush_on_close = request.flush,
                            .ignore_recalls = request.ignore_recalls};
  cache.SetMemory(request.cache_mib);
  stages->cached = std::make_unique<cache::CachedFs>(*remote, SystemClock(), cache);
  connection.fs = std::shared_ptr<FileSystem>(stages, stages->cached.get());
  connection.freshness = stages->cached.get();
  connection.set_kernel = [stages](cache::KernelCache* kernel) {
    stages->cached->SetKernel(kernel);
  };
  connection.flush_all = [stages] { stages->cached->FlushAll(); };
  connection.unwritten = [stages] { return stages->cached->Unwritten(); };
  return connection;
}

Result<std::vector<cli::FileSystemRow>> Describe(const cli::ServerAddress& server) {
  ASSIGN_OR_RETURN(auto found, transport::DescribeFileSystems(cli::ToString(server)));
  std::vector<cli::FileSystemRow> rows;
  for (const auto& row : found) {
    rows.push_back({row.id, row.name, row.bytes_used, row.inodes_used, row.sessions});
  }
  return rows;
}

}  // namespace
}  // namespace tarn

int main(int argc, char** argv) {
  if (const tarn::Status armed = tarn::ArmFaultsFromEnvironment(); !armed.ok()) {
    tarn::LogError("TARN_FAULTS: {}", armed.error().message);
    return 1;
  }
  tarn::cli::Environment environment{
      .version = TARN_VERSION, .connect = tarn::Connect, .describe = tarn::Describe};
  return tarn::cli::Main(argc, argv, environment);
}
