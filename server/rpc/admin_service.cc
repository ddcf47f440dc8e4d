#include "server/rpc/admin_service.h"

namespace tarn::rpc {

grpc::ServerUnaryReactor* AdminService::DescribeFileSystems(
    grpc::CallbackServerContext* context, const v1::DescribeFileSystemsRequest* request,
    v1::DescribeFileSystemsReply* reply) {
  for (const auto& [name, volume] : volumes_) {
    v1::FileSystemDescription& description = *reply->add_file_systems();
    const store::Usage usage = volume->store().usage();
    description.set_id(volume->store().identity().id);
    description.set_name(name);
    description.set_bytes_used(usage.bytes);
    description.set_inodes_used(usage.inodes);
    description.set_sessions(sessions_.CountLive(*volume));
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace tarn::rpc
