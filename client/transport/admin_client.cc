#include "client/transport/admin_client.h"

#include <grpcpp/client_context.h>

#include "client/transport/channel.h"
#include "common/limits.h"
#include "proto/admin.grpc.pb.h"

namespace tarn::transport {
namespace {

constexpr int64_t kTimeoutNanos = 5 * kSecondNanos;

}  // namespace

Result<std::vector<FileSystemDescription>> DescribeFileSystems(const std::string& server) {
  ASSIGN_OR_RETURN(const std::string target, TargetOf(server));
  Channels channels(target);
  auto stub = v1::Admin::NewStub(channels.session());
  grpc::ClientContext context;
  SetDeadline(context, kTimeoutNanos);
  v1::DescribeFileSystemsReply reply;
  grpc::Status status = stub->DescribeFileSystems(&context, {}, &reply);
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE ||
      status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return Error(Errno::kETIMEDOUT, "cannot reach the server " + server +
                                        ": is tarnd running there? (" + status.error_message() +
                                        ")");
  }
  if (!status.ok()) return Error(Errno::kEIO, server + ": " + status.error_message());
  std::vector<FileSystemDescription> out;
  for (const v1::FileSystemDescription& row : reply.file_systems()) {
    out.push_back({.id = row.id(),
                   .name = row.name(),
                   .bytes_used = row.bytes_used(),
                   .inodes_used = row.inodes_used(),
                   .sessions = row.sessions()});
  }
  return out;
}

}  // namespace tarn::transport
