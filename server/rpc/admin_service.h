// The control plane as far as it is served.
#pragma once

#include "proto/admin.grpc.pb.h"
#include "server/rpc/session_service.h"

namespace tarn::rpc {

// Thread safety: safe; reads memory only. Lifetime: what it is given outlives it.
class AdminService final : public v1::Admin::CallbackService {
 public:
  AdminService(const state::SessionTable& sessions, const VolumeMap& volumes)
      : sessions_(sessions), volumes_(volumes) {}

  grpc::ServerUnaryReactor* DescribeFileSystems(grpc::CallbackServerContext* context,
                                                const v1::DescribeFileSystemsRequest* request,
                                                v1::DescribeFileSystemsReply* reply) override;

 private:
  const state::SessionTable& sessions_;
  const VolumeMap& volumes_;
};

}  // namespace tarn::rpc
