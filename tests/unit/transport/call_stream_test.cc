// The client's end of a stream of calls, before a server that does what each test wants.
#include "client/transport/call_stream.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "proto/calls.grpc.pb.h"
#include "tests/support/eventually.h"

namespace tarn::transport {
namespace {

using grpc::StatusCode;
using Wire = grpc::ServerReaderWriter<v1::CallReply, v1::CallRequest>;

// Runs `serve` for each stream.
class Server final : public v1::Calls::Service {
 public:
  using Serve = std::function<grpc::Status(grpc::ServerContext&, Wire&)>;
  explicit Server(Serve serve, int port = 0) : serve_(std::move(serve)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port),
                             grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~Server() override { server_->Shutdown(std::chrono::system_clock::now()); }

  int port() const { return port_; }
  int streams() const { return streams_; }

 private:
  grpc::Status Stream(grpc::ServerContext* context, Wire* wire) override {
    ++streams_;
    return serve_(*context, *wire);
  }

  const Serve serve_;
  std::atomic<int> streams_ = 0;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

v1::CallReply AnswerTo(const v1::CallRequest& call) {
  v1::CallReply reply;
  reply.mutable_head()->set_number(call.head().number());
  reply.set_reply(call.head().rpc() + ":" + call.request());
  return reply;
}

// Says each call back.
grpc::Status Echo(grpc::ServerContext& /*context*/, Wire& wire) {
  for (v1::CallRequest call; wire.Read(&call);) wire.Write(AnswerTo(call));
  return grpc::Status::OK;
}

// Hears calls, until it is cancelled, and says nothing.
grpc::Status Hear(grpc::ServerContext& /*context*/, Wire& wire) {
  for (v1::CallRequest call; wire.Read(&call);) continue;
  return grpc::Status::OK;
}

class CallStreamTest : public ::testing::Test {
 protected:
  using Answer = std::future<std::pair<StatusCode, std::string>>;

  void Serve(Server::Serve serve, int port = 0) {
    server_ = std::make_unique<Server>(std::move(serve), port);
    if (channel_ != nullptr) return;
    channel_ = grpc::CreateChannel("127.0.0.1:" + std::to_string(server_->port()),
                                   grpc::InsecureChannelCredentials());
    stub_ = std::make_unique<grpc::GenericStub>(channel_);
    calls_ = std::make_unique<CallStream>(*stub_);
  }
  Answer Call(const char* rpc, const std::string& request) {
    auto promise = std::make_shared<std::promise<std::pair<StatusCode, std::string>>>();
    calls_->Call(rpc, Bytes::Copy(request), [promise](const grpc::Status& status, Bytes reply) {
      promise->set_value({status.error_code(), reply.ToString()});
    });
    return promise->get_future();
  }
  void ExpectEcho() {
    EXPECT_EQ(Call("a", "1").get(), std::pair(StatusCode::OK, std::string("a:1")));
  }

  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<grpc::GenericStub> stub_;
  std::unique_ptr<CallStream> calls_;
};

TEST_F(CallStreamTest, CallsShareOneStream) {
  Serve(Echo);
  std::vector<Answer> answers;
  for (int i = 0; i < 1000; ++i) answers.push_back(Call("rpc", std::to_string(i)));
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(answers[static_cast<size_t>(i)].get().second, "rpc:" + std::to_string(i));
  }
  EXPECT_EQ(server_->streams(), 1);
}

TEST_F(CallStreamTest, AnswersComeInAnyOrderAndStrangersAreIgnored) {
  Serve([](grpc::ServerContext& context, Wire& wire) {
    v1::CallRequest first, second;
    wire.Read(&first);
    wire.Read(&second);
    wire.Write(AnswerTo(second));
    wire.Write(AnswerTo(second));
    v1::CallReply stranger = AnswerTo(first);
    stranger.mutable_head()->set_number(4711);
    wire.Write(stranger);
    wire.Write(AnswerTo(first));
    return Echo(context, wire);
  });
  Answer first = Call("a", "1");
  Answer second = Call("b", "2");
  EXPECT_EQ(second.get().second, "b:2");
  EXPECT_EQ(first.get().second, "a:1");
}

TEST_F(CallStreamTest, StatusOfACallIsItsOwn) {
  Serve([](grpc::ServerContext& context, Wire& wire) {
    v1::CallRequest call;
    wire.Read(&call);
    v1::CallReply refusal = AnswerTo(call);
    refusal.mutable_head()->set_status(StatusCode::FAILED_PRECONDITION);
    wire.Write(refusal);
    return Echo(context, wire);
  });
  EXPECT_EQ(Call("a", "1").get().first, StatusCode::FAILED_PRECONDITION);
  ExpectEcho();
  EXPECT_EQ(server_->streams(), 1);
}

TEST_F(CallStreamTest, WhatIsUnansweredWhenTheStreamEndsHasNoAnswerAndTheNextOpensAnother) {
  std::atomic<bool> good = false;
  Serve([&](grpc::ServerContext& context, Wire& wire) {
    if (good) return Echo(context, wire);
    v1::CallRequest call;
    for (int i = 0; i < 3; ++i) wire.Read(&call);
    return grpc::Status(StatusCode::UNAVAILABLE, "enough");
  });
  std::vector<Answer> answers;
  for (int i = 0; i < 3; ++i) answers.push_back(Call("a", "1"));
  for (Answer& answer : answers) EXPECT_EQ(answer.get().first, StatusCode::UNAVAILABLE);
  good = true;
  ExpectEcho();
  EXPECT_EQ(server_->streams(), 2);
}

TEST_F(CallStreamTest, EndWithoutAStatusIsNoAnswerEither) {
  Serve([](grpc::ServerContext&, Wire& wire) {
    v1::CallRequest call;
    wire.Read(&call);
    return grpc::Status::OK;
  });
  EXPECT_EQ(Call("a", "1").get().first, StatusCode::UNAVAILABLE);
}

TEST_F(CallStreamTest, WhatIsNoAnswerEndsTheStream) {
  std::atomic<bool> good = false;
  Serve([&](grpc::ServerContext& context, Wire& wire) {
    if (good) return Echo(context, wire);
    v1::CallRequest call;
    wire.Read(&call);
    v1::CallReply bad = AnswerTo(call);
    bad.GetReflection()->MutableUnknownFields(&bad)->AddVarint(9, 9);
    wire.Write(bad);
    return Hear(context, wire);
  });
  EXPECT_EQ(Call("a", "1").get().first, StatusCode::CANCELLED);
  good = true;
  ExpectEcho();
}

TEST_F(CallStreamTest, StoppedItAnswersAllUntilItIsStartedAgain) {
  std::atomic<bool> good = false;
  Serve([&](grpc::ServerContext& context, Wire& wire) {
    return good ? Echo(context, wire) : Hear(context, wire);
  });
  Answer pending = Call("a", "1");
  calls_->Stop();
  EXPECT_EQ(pending.get().first, StatusCode::CANCELLED);
  EXPECT_EQ(Call("a", "1").get().first, StatusCode::CANCELLED);
  good = true;
  calls_->Start();
  ExpectEcho();
}

TEST_F(CallStreamTest, CallsWaitForTheServer) {
  Serve(Echo);
  const int port = server_->port();
  server_.reset();
  Answer waiting = Call("a", "1");
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  Serve(Echo, port);
  EXPECT_EQ(waiting.get().second, "a:1");
}

// While nothing is unanswered nobody looks.
TEST_F(CallStreamTest, IdleStreamThatBrokeIsRenewed) {
  Serve(Echo);
  ExpectEcho();
  const int port = server_->port();
  server_.reset();
  Serve(Echo, port);
  calls_->Renew();
  ExpectEcho();
  calls_->Renew();  // none is broken: it does no harm
  ExpectEcho();
}

TEST_F(CallStreamTest, RenewLeavesAStreamThatIsInUse) {
  std::promise<void> go;
  Serve([&](grpc::ServerContext& context, Wire& wire) {
    go.get_future().wait();
    return Echo(context, wire);
  });
  Answer answer = Call("a", "1");
  calls_->Renew();
  go.set_value();
  EXPECT_EQ(answer.get().second, "a:1");
}

TEST_F(CallStreamTest, CountsWhatIsUnanswered) {
  std::promise<void> go;
  Serve([&](grpc::ServerContext& context, Wire& wire) {
    go.get_future().wait();
    return Echo(context, wire);
  });
  std::vector<Answer> answers;
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(calls_->unanswered(), i);
    answers.push_back(Call("a", "1"));
  }
  go.set_value();
  for (Answer& answer : answers) EXPECT_EQ(answer.get().first, StatusCode::OK);
  EXPECT_EQ(calls_->unanswered(), 0u);
  server_.reset();
  Answer lost = Call("a", "1");
  calls_->Stop();
  EXPECT_NE(lost.get().first, StatusCode::OK);
  EXPECT_TRUE(testing::Eventually([&] { return calls_->unanswered() == 0; }));
}

TEST_F(CallStreamTest, ItsEndAnswersWhatIsUnanswered) {
  Serve(Hear);
  Answer answer = Call("a", "1");
  calls_.reset();
  EXPECT_EQ(answer.get().first, StatusCode::CANCELLED);
}

TEST_F(CallStreamTest, ManyThreadsCallWhileStreamsBreak) {
  Serve([](grpc::ServerContext&, Wire& wire) {
    v1::CallRequest call;
    for (int i = 0; i < 50 && wire.Read(&call); ++i) wire.Write(AnswerTo(call));
    return grpc::Status(StatusCode::UNAVAILABLE, "enough");
  });
  std::atomic<int> answered = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 500;) {
        const std::string request = std::to_string(thread) + "." + std::to_string(i);
        const auto [status, reply] = Call("a", request).get();
        if (status != StatusCode::OK) continue;
        EXPECT_EQ(reply, "a:" + request);
        ++i;
        ++answered;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, 2000);
  EXPECT_GE(server_->streams(), 2000 / 50);
}

}  // namespace
}  // namespace tarn::transport
