#include "tests/cluster/flooder.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include "common/limits.h"
#include "common/wire/frame.h"
#include "proto/filesystem.pb.h"

namespace tarn::testing {
namespace {

uint64_t NextSerial() {
  static uint64_t last = 0;
  return ++last;
}

}  // namespace

Flooder::Flooder(const std::string& address) : serial_(NextSerial()) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxSendMessageSize(-1);
  channel_ = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  generic_ = std::make_unique<grpc::GenericStub>(channel_);
  sessions_ = v1::Session::NewStub(channel_);
}

Flooder::~Flooder() {
  for (auto& stream : streams_) stream.first->TryCancel();
  if (calls_context_ != nullptr) calls_context_->TryCancel();
  EndAll();
}

v1::HelloRequest Flooder::HelloRequest() {
  v1::HelloRequest request;
  request.set_version(kProtocolVersion);
  request.set_file_system("default");
  request.set_features(v1::FEATURE_LEASES);
  request.set_nonce("flood" + std::to_string(10'000'000'000 + ++nonces_ + serial_ * 1'000'000));
  return request;
}

void Flooder::Hello() {
  grpc::ClientContext context;
  ASSERT_TRUE(sessions_->Hello(&context, HelloRequest(), &hello_).ok());
  ASSERT_EQ(hello_.error(), 0);
}

void Flooder::Start(const std::string& method, Bytes request, size_t window) {
  auto call = std::make_shared<Call>();
  {
    std::unique_lock lock(mu_);
    changed_.wait(lock, [&] { return calls_.size() < window; });
    calls_.insert(call);
  }
  call->request = wire::ToBuffer(std::move(request));
  generic_->UnaryCall(&call->context, method, {}, &call->request, &call->reply,
                      [this, call](grpc::Status status) { OnEnd(call, status); });
}

void Flooder::WaitForNone() {
  std::unique_lock lock(mu_);
  changed_.wait(lock, [this] { return calls_.empty(); });
}

Answers Flooder::WaitForAll() {
  std::unique_lock lock(mu_);
  changed_.wait(lock, [this] { return calls_.empty(); });
  return std::exchange(answers_, {});
}

Answers Flooder::so_far() {
  const std::lock_guard lock(mu_);
  return answers_;
}

void Flooder::EndAll() {
  {
    const std::lock_guard lock(mu_);
    for (const auto& call : calls_) call->context.TryCancel();
  }
  (void)WaitForAll();
}

void Flooder::Listen() {
  auto context = std::make_unique<grpc::ClientContext>();
  auto reader = sessions_->Events(context.get(), InSession<v1::EventsRequest>());
  streams_.emplace_back(std::move(context), std::move(reader));
}

grpc::ClientReaderWriter<v1::CallRequest, v1::CallReply>& Flooder::OpenCalls() {
  calls_context_ = std::make_unique<grpc::ClientContext>();
  stream_of_calls_ = v1::Calls::NewStub(channel_)->Stream(calls_context_.get());
  return *stream_of_calls_;
}

void Flooder::Heartbeat() {
  grpc::ClientContext context;
  v1::HeartbeatReply reply;
  EXPECT_TRUE(sessions_->Heartbeat(&context, InSession<v1::HeartbeatRequest>(), &reply).ok());
}

void Flooder::OnEnd(const std::shared_ptr<Call>& call, const grpc::Status& status) {
  // Every reply has its errno at the same place, in its header; Hello's alone has it in front.
  v1::EmptyReply reply;
  const bool read = status.ok() && wire::Decode(call->reply, reply).ok();
  const std::lock_guard lock(mu_);
  ++answers_.statuses[status.error_code()];
  if (read) ++answers_.errors[static_cast<Errno>(reply.header().error())];
  calls_.erase(call);
  changed_.notify_all();
}

}  // namespace tarn::testing
