#include "client/transport/channel.h"

#include <grpc/support/time.h>
#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <algorithm>

#include "absl/strings/numbers.h"
#include "common/limits.h"
#include "common/wire/awake.h"

namespace tarn::transport {
namespace {

// A half-open connection is noticed after at most the sum of the two.
constexpr int kKeepaliveMillis = 2000;
constexpr int kKeepaliveTimeoutMillis = 3000;
constexpr int kConnectMillis = 2000;
constexpr int kBackoffMinMillis = 50;
constexpr int kBackoffMaxMillis = 2000;
constexpr int kFrameBytes = 1024 * 1024;
constexpr int kReadChunkBytes = 64 * 1024;

grpc::ChannelArguments Arguments(int lane) {
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(static_cast<int>(kMessageMaxBytes));
  args.SetMaxSendMessageSize(static_cast<int>(kMessageMaxBytes));
  args.SetInt("tarn.lane", lane);  // distinct arguments: distinct connections
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);  // ours are exact
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMillis);
  args.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kBackoffMinMillis);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMillis);  // bounds each attempt
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kBackoffMaxMillis);
  args.SetInt(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kFrameBytes);
  args.SetInt(GRPC_ARG_TCP_READ_CHUNK_SIZE, kReadChunkBytes);
  return args;
}

Error BadAddress(const std::string& server) {
  return Error(Errno::kEINVAL, "'" + server + "' is no server address: give host or host:port");
}

}  // namespace

Result<std::string> TargetOf(const std::string& server) {
  if (server.starts_with("unix:")) return server;
  // One colon separates the port; several, unbracketed, are an IPv6 address without a port.
  std::string host = server;
  std::string port = std::to_string(kDefaultPort);
  const size_t bracket = server.rfind(']');
  const size_t colon = server.rfind(':');
  const bool bare_v6 =
      bracket == std::string::npos && std::count(server.begin(), server.end(), ':') > 1;
  if (bare_v6) {
    host = "[" + server + "]";
  } else if (colon != std::string::npos && (bracket == std::string::npos || colon > bracket)) {
    host = server.substr(0, colon);
    port = server.substr(colon + 1);
  }
  int number = 0;
  if (host.empty() || host.find_first_of(" /") != std::string::npos ||
      !absl::SimpleAtoi(port, &number) || number < 1 || number > 65535) {
    return BadAddress(server);
  }
  return "dns:///" + host + ":" + port;
}

void SetDeadline(grpc::ClientContext& context, int64_t nanos) {
  context.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                    gpr_time_from_nanos(nanos, GPR_TIMESPAN)));
}

Channels::Channels(const std::string& target) {
  wire::KeepCallbackThreadsAwake();
  for (size_t i = 0; i < channels_.size(); ++i) {
    channels_[i] = grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(),
                                             Arguments(static_cast<int>(i)));
    stubs_[i] = std::make_unique<grpc::GenericStub>(channels_[i]);
  }
  for (auto& stream : streams_) {
    stream = std::make_unique<CallStream>(*stubs_[static_cast<size_t>(Lane::kSmall)]);
  }
}

grpc::GenericStub& Channels::Stub(Lane lane) {
  if (lane != Lane::kBulk) return *stubs_[static_cast<size_t>(lane)];
  return *stubs_[2 + next_bulk_.fetch_add(1, std::memory_order_relaxed) % kBulkLanes];
}

CallStream& Channels::Stream() {
  return **std::min_element(streams_.begin(), streams_.end(), [](const auto& a, const auto& b) {
    return a->unanswered() < b->unanswered();
  });
}

void Channels::OnStreams(void (CallStream::*what)()) {
  for (const auto& stream : streams_) (stream.get()->*what)();
}

void Channels::ConnectNow() {
  for (const auto& channel : channels_) {
    grpc::experimental::ChannelResetConnectionBackoff(channel.get());
    channel->GetState(/*try_to_connect=*/true);
  }
}

}  // namespace tarn::transport
