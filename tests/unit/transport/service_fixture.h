// A server's services as any client may use them, well or badly: calls with raw bytes.
#pragma once

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

#include <memory>
#include <string>
#include <vector>

#include "common/limits.h"
#include "common/wire/convert.h"
#include "common/wire/frame.h"
#include "proto/session.grpc.pb.h"
#include "tests/unit/transport/remote_fixture.h"

namespace tarn::transport {

using grpc::StatusCode;

// One unary call with raw bytes.
struct RawCall {
  grpc::ClientContext context;
  grpc::ByteBuffer request;
  grpc::ByteBuffer reply;
  std::promise<grpc::Status> status;
};

class ServiceTest : public RemoteFixture {
 protected:
  explicit ServiceTest(const Timing& timing = {}) : RemoteFixture(timing) { Dial(); }
  void Dial() {
    channel_ = grpc::CreateChannel(server_.address(), grpc::InsecureChannelCredentials());
    generic_ = std::make_unique<grpc::GenericStub>(channel_);
    sessions_ = v1::Session::NewStub(channel_);
  }

  v1::HelloRequest HelloRequest() const {
    v1::HelloRequest request;
    request.set_version(kProtocolVersion);
    request.set_file_system("default");
    request.set_nonce(std::string(16, static_cast<char>('a')));
    return request;
  }
  grpc::Status Hello(const v1::HelloRequest& request, v1::HelloReply& reply) {
    grpc::ClientContext context;
    return sessions_->Hello(&context, request, &reply);
  }
  void Hello() { ASSERT_TRUE(Hello(HelloRequest(), hello_).ok()); }

  // The call lives as long as the fixture: its context holds the channel, which must not end on a
  // thread of gRPC's.
  RawCall* StartRaw(const std::string& method, const std::string& bytes) {
    RawCall* const call = calls_.emplace_back(std::make_unique<RawCall>()).get();
    call->request = wire::ToBuffer(Bytes::Copy(bytes));
    generic_->UnaryCall(&call->context, method, {}, &call->request, &call->reply,
                       [call](grpc::Status status) { call->status.set_value(status); });
    return call;
  }
  StatusCode Raw(const std::string& method, const std::string& bytes) {
    return StartRaw(method, bytes)->status.get_future().get().error_code();
  }

  // A request under the session's slot 0 (or another) and `sequence`.
  template <class Message>
  Message InSlot(uint64_t sequence, uint32_t slot = 0) const {
    Message message;
    v1::RequestHeader& header = *message.mutable_header();
    *header.mutable_session() = hello_.session();
    header.set_epoch(hello_.epoch());
    header.set_slot(slot);
    header.set_sequence(sequence);
    header.mutable_caller()->set_has_groups(true);
    return message;
  }
  v1::MakeDirRequest MakeDir(const std::string& name, uint64_t sequence, uint32_t slot = 0) const {
    auto message = InSlot<v1::MakeDirRequest>(sequence, slot);
    *message.mutable_dir() = hello_.root();
    message.set_name(name);
    message.set_mode(0755);
    return message;
  }
  // Sends a MakeDir: the status, or if that is OK the errno as a negative number.
  int SendMakeDir(const v1::MakeDirRequest& message) {
    RawCall* const call = StartRaw("/tarn.v1.Filesystem/MakeDir", message.SerializeAsString());
    const grpc::Status status = call->status.get_future().get();
    if (!status.ok()) return status.error_code();
    v1::EntryReply reply;
    EXPECT_OK(wire::Decode(call->reply, reply));
    return -reply.header().error();
  }

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<grpc::GenericStub> generic_;
  std::unique_ptr<v1::Session::Stub> sessions_;
  std::vector<std::unique_ptr<RawCall>> calls_;
  v1::HelloReply hello_;
};

}  // namespace tarn::transport
