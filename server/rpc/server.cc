#include "server/rpc/server.h"

#include <grpc/support/time.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include "common/limits.h"
#include "common/wire/awake.h"
#include "proto/calls.grpc.pb.h"
#include "server/rpc/admin_service.h"
#include "server/rpc/call_stream.h"
#include "server/rpc/filesystem_service.h"
#include "server/rpc/listener.h"
#include "server/rpc/session_service.h"

namespace tarn::rpc {
namespace {

constexpr int64_t kDrainMillis = 1000;
constexpr int kKeepaliveMillis = 5000;
constexpr int kMinPingMillis = 500;
constexpr int kFrameBytes = 1024 * 1024;
constexpr int kReadChunkBytes = 64 * 1024;

// What file systems may ask about sessions even while the server goes away: so it is shared.
struct Shared {
  Shared(Clock& clock, const Timing& timing, uint64_t request_bytes)
      : sessions(clock, timing, request_bytes) {}
  std::vector<std::unique_ptr<Volume>> owned;
  VolumeMap volumes;
  EventStreams streams;
  state::SessionTable sessions;
};

using RawCallService = v1::Calls::WithRawCallbackMethod_Stream<v1::Calls::Service>;

// Where a stream of calls begins.
class CallService final : public RawCallService {
 public:
  explicit CallService(CallStreams& streams) : streams_(streams) {}
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Stream(
      grpc::CallbackServerContext* context) override {
    return streams_.Open();
  }

 private:
  CallStreams& streams_;
};

class ServerImpl final : public Server {
 public:
  ServerImpl(Clock& clock, const Timing& timing, uint64_t request_bytes)
      : request_bytes_(request_bytes),
        shared_(std::make_shared<Shared>(clock, timing, request_bytes)),
        sessions_(shared_->sessions),
        volumes_(shared_->volumes),
        control_([this] { sessions_.Tick(); }),
        filesystem_service_(sessions_, clock),
        session_service_(sessions_, volumes_, shared_->streams, control_, clock),
        admin_service_(sessions_, volumes_),
        call_streams_([this](std::string_view rpc, const Bytes& request, Arrival& arrival) {
          TakeCall(rpc, request, arrival);
        }),
        call_service_(call_streams_) {}
  ~ServerImpl() override {
    Stop();
    for (const auto& volume : shared_->owned) volume->Detach();
  }

  Status Start(const std::string& listen, const std::vector<ops::LocalFs*>& file_systems);
  int port() const override { return port_; }
  void Stop() override;

 private:
  void TakeCall(std::string_view rpc, const Bytes& request, Arrival& arrival);

  const uint64_t request_bytes_;
  const std::shared_ptr<Shared> shared_;
  state::SessionTable& sessions_;
  VolumeMap& volumes_;
  ControlThread control_;
  FilesystemService filesystem_service_;
  SessionService session_service_;
  AdminService admin_service_;
  CallStreams call_streams_;
  CallService call_service_;
  using Acceptor = grpc::experimental::ExternalConnectionAcceptor;
  std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  std::unique_ptr<Listener> listener_;  // uses the acceptor
};

Status ServerImpl::Start(const std::string& listen,
                         const std::vector<ops::LocalFs*>& file_systems) {
  ASSIGN_OR_RETURN(listener_, Listener::Bind(listen));
  port_ = listener_->port();
  for (ops::LocalFs* fs : file_systems) {
    Volume& volume = *shared_->owned.emplace_back(std::make_unique<Volume>(*fs, shared_->streams));
    volumes_[fs->store().identity().name] = &volume;
    RETURN_IF_ERROR(volume.Attach({shared_, &sessions_}, {shared_, &shared_->streams}));
  }
  wire::KeepCallbackThreadsAwake();
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      grpc::InsecureServerCredentials());
  builder.RegisterService(&filesystem_service_);
  builder.RegisterService(&session_service_);
  builder.RegisterService(&admin_service_);
  builder.RegisterService(&call_service_);
  builder.SetMaxReceiveMessageSize(static_cast<int>(kMessageMaxBytes));
  builder.SetMaxSendMessageSize(static_cast<int>(kMessageMaxBytes));
  // What is under way counts here as well, and is refused first (state/request_budget.h).
  builder.SetResourceQuota(grpc::ResourceQuota("tarnd").Resize(2 * request_bytes_));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kCallsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMillis);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinPingMillis);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kFrameBytes);
  builder.AddChannelArgument(GRPC_ARG_TCP_READ_CHUNK_SIZE, kReadChunkBytes);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) return Error(Errno::kEIO, "gRPC does not start");
  listener_->Start([this](int fd) {
    Acceptor::NewConnectionParameters connection;
    connection.fd = fd;
    acceptor_->HandleNewConnection(&connection);
  });
  return Ok();
}

void ServerImpl::TakeCall(std::string_view rpc, const Bytes& request, Arrival& arrival) {
  if (filesystem_service_.Take(rpc, request, arrival)) return;
  if (session_service_.Take(rpc, request, arrival)) return;
  arrival.Refuse({grpc::StatusCode::UNIMPLEMENTED, "a stream of calls takes no such call"});
}

void ServerImpl::Stop() {
  if (server_ == nullptr) return;
  listener_.reset();
  sessions_.Stop();
  for (const auto& volume : shared_->owned) volume->fs().DropParked();
  shared_->streams.Stop();
  call_streams_.Stop();
  server_->Shutdown(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                 gpr_time_from_millis(kDrainMillis, GPR_TIMESPAN)));
  server_->Wait();
  server_.reset();
}

}  // namespace

Result<std::unique_ptr<Server>> Server::Start(const std::string& listen,
                                              const std::vector<ops::LocalFs*>& file_systems,
                                              Clock& clock, const Timing& timing,
                                              uint64_t request_bytes) {
  auto server = std::make_unique<ServerImpl>(clock, timing, request_bytes);
  RETURN_IF_ERROR(server->Start(listen, file_systems));
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace tarn::rpc
