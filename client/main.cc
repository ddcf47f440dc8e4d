// tarn, the client: gives the commands a server to talk to. The only place that knows RemoteFs.
#include "client/cli/cli.h"
#include "client/transport/admin_client.h"
#include "client/transport/remote_fs.h"

namespace tarn {
namespace {

Result<cli::Connection> Connect(const cli::ConnectRequest& request) {
  transport::ConnectOptions options;
  options.server = cli::ToString(request.spec.server);
  options.file_system = request.spec.file_system;
  options.directory = request.spec.directory;
  options.read_only = request.read_only;
  options.client_name = request.client_name;
  ASSIGN_OR_RETURN(auto fs, transport::RemoteFs::Connect(options));
  transport::RemoteFs* remote = fs.get();
  cli::Connection connection;
  connection.root = remote->root().handle;
  connection.read_only = remote->info().read_only;
  connection.fs = std::move(fs);
  connection.close = [remote] { remote->Close(); };
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
  tarn::cli::Environment environment{
      .version = TARN_VERSION, .connect = tarn::Connect, .describe = tarn::Describe};
  return tarn::cli::Main(argc, argv, environment);
}
