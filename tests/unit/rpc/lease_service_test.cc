// Leases on the wire: what Hello agrees on, grants in headers, the stream of recalls, answers.
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

#include <future>

#include "common/limits.h"
#include "common/wait.h"
#include "common/wire/convert.h"
#include "common/wire/frame.h"
#include "proto/filesystem.pb.h"
#include "proto/session.grpc.pb.h"
#include "tests/support/eventually.h"
#include "tests/support/expect.h"
#include "tests/support/in_process_server.h"

namespace tarn::rpc {
namespace {

using grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A client written by hand: one session, one request at a time in slot 0.
class Client {
 public:
  explicit Client(const std::string& address, char nonce, uint64_t features = v1::FEATURE_LEASES)
      : channel_(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())),
        generic_(channel_), sessions_(v1::Session::NewStub(channel_)) {
    v1::HelloRequest request;
    request.set_version(kProtocolVersion);
    request.set_features(features);
    request.set_file_system("default");
    request.set_nonce(std::string(16, nonce));
    grpc::ClientContext context;
    EXPECT_TRUE(sessions_->Hello(&context, request, &hello_).ok());
  }

  const v1::HelloReply& hello() const { return hello_; }
  v1::Session::Stub& sessions() { return *sessions_; }

  template <class Message>
  Message Request() {
    Message message;
    v1::RequestHeader& header = *message.mutable_header();
    *header.mutable_session() = hello_.session();
    header.set_epoch(hello_.epoch());
    header.set_sequence(++sequence_);
    header.mutable_caller()->set_has_groups(true);
    return message;
  }
  v1::MakeDirRequest MakeDir(const std::string& name) {
    auto message = Request<v1::MakeDirRequest>();
    *message.mutable_dir() = hello_.root();
    message.set_name(name);
    message.set_mode(0755);
    return message;
  }

  // A call under way; its reply once the status is there.
  template <class Reply>
  struct Call {
    grpc::ClientContext context;
    grpc::ByteBuffer request, raw;
    std::promise<grpc::Status> done;
    std::future<grpc::Status> status = done.get_future();
    Reply Wait() {
      const grpc::Status ended = status.get();
      EXPECT_TRUE(ended.ok()) << ended.error_message();
      Reply reply;
      if (!ended.ok()) return reply;
      EXPECT_OK(wire::Decode(raw, reply));
      return reply;
    }
    bool IsParked() {
      return status.wait_for(std::chrono::milliseconds(20)) == std::future_status::timeout;
    }
  };
  template <class Reply, class Request>
  std::unique_ptr<Call<Reply>> Start(const std::string& verb, const Request& message) {
    auto call = std::make_unique<Call<Reply>>();
    call->request = wire::ToBuffer(Bytes::Copy(message.SerializeAsString()));
    generic_.UnaryCall(&call->context, "/tarn.v1.Filesystem/" + verb, {}, &call->request,
                       &call->raw, [c = call.get()](grpc::Status s) { c->done.set_value(s); });
    return call;
  }
  auto StartMakeDir(const std::string& name) {
    return Start<v1::EntryReply>("MakeDir", MakeDir(name));
  }
  v1::EntryReply Lookup(const std::string& name) {
    auto message = Request<v1::LookupRequest>();
    *message.mutable_dir() = hello_.root();
    message.set_name(name);
    return Start<v1::EntryReply>("Lookup", message)->Wait();
  }

  grpc::Status Return(const std::vector<uint64_t>& recalls,
                      const std::vector<v1::LeaseReturn>& leases = {}) {
    v1::ReturnLeasesRequest request;
    *request.mutable_session() = hello_.session();
    request.set_epoch(hello_.epoch());
    for (const uint64_t number : recalls) request.add_recalls(number);
    for (const auto& lease : leases) *request.add_leases() = lease;
    v1::ReturnLeasesReply reply;
    grpc::ClientContext context;
    return sessions_->ReturnLeases(&context, request, &reply);
  }

  struct Events {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::Event>> reader;
    v1::Event Next() {
      v1::Event event;
      EXPECT_TRUE(reader->Read(&event));
      return event;
    }
    grpc::Status End() {
      v1::Event event;
      while (reader->Read(&event)) {
      }
      return reader->Finish();
    }
  };
  std::unique_ptr<Events> Listen() {
    v1::EventsRequest request;
    *request.mutable_session() = hello_.session();
    request.set_epoch(hello_.epoch());
    auto events = std::make_unique<Events>();
    events->reader = sessions_->Events(&events->context, request);
    return events;
  }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  grpc::GenericStub generic_;
  std::unique_ptr<v1::Session::Stub> sessions_;
  v1::HelloReply hello_;
  uint64_t sequence_ = 0;
};

class LeaseServiceTest : public ::testing::Test {
 protected:
  bool Exists(const std::string& name) {
    Caller caller;
    caller.groups.emplace();
    ops::LocalFs& fs = server_.fs();
    return Wait<verbs::Lookup>(fs, caller, {fs.MakeHandle(kRootIno, 0), name}).ok();
  }
  static std::vector<uint64_t> Granted(const v1::ReplyHeader& header) {
    std::vector<uint64_t> out;
    for (const v1::Grant& grant : header.grants()) out.push_back(grant.ino());
    return out;
  }
  testing::InProcessServer server_;
  Client a_{server_.address(), 'a'}, b_{server_.address(), 'b'};
};

TEST_F(LeaseServiceTest, FeatureIsAgreedOnAndOnlyThenAnythingIsGranted) {
  EXPECT_EQ(a_.hello().features(), v1::FEATURE_LEASES);
  EXPECT_THAT(Granted(a_.Lookup(".").header()), ElementsAre(Raw(kRootIno)));
  Client plain(server_.address(), 'c', v1::FEATURE_NONE);
  EXPECT_EQ(plain.hello().features(), v1::FEATURE_NONE);
  EXPECT_THAT(Granted(plain.Lookup(".").header()), IsEmpty());
}

TEST_F(LeaseServiceTest, NewsComeWithErrorsAndWithMutations) {
  const v1::EntryReply none = a_.Lookup("d");
  EXPECT_EQ(none.header().error(), static_cast<int>(Errno::kENOENT));
  EXPECT_THAT(Granted(none.header()), ElementsAre(Raw(kRootIno)));
  const v1::EntryReply made = a_.StartMakeDir("d")->Wait();
  EXPECT_THAT(Granted(made.header()), ElementsAre(made.attr().ino(), Raw(kRootIno)));
  EXPECT_THAT(made.header().changed(), ElementsAre(Raw(kRootIno)));
}

TEST_F(LeaseServiceTest, RecallArrivesAndItsAnswerLetsTheChangeGoOn) {
  const auto events = b_.Listen();
  b_.Lookup("d");
  const auto made = a_.StartMakeDir("d");
  const v1::Event event = events->Next();
  EXPECT_EQ(event.recall().ino(), Raw(kRootIno));
  EXPECT_EQ(event.recall().to(), v1::LEASE_MODE_SHARED);
  EXPECT_THAT(event.recall().names(), ElementsAre("d"));
  EXPECT_TRUE(made->IsParked());
  EXPECT_FALSE(Exists("d"));
  EXPECT_EQ(b_.Lookup("d").header().last_event(), event.number());
  ASSERT_TRUE(b_.Return({event.number()}).ok());
  EXPECT_EQ(made->Wait().header().error(), 0);
}

TEST_F(LeaseServiceTest, OpenRecallsAreSentAgainWhenTheStreamIsReopened) {
  b_.Lookup("d");
  const auto first = a_.StartMakeDir("d");  // nobody listens yet
  auto events = b_.Listen();
  const uint64_t number = events->Next().number();
  auto again = b_.Listen();
  EXPECT_EQ(events->End().error_code(), StatusCode::ABORTED);
  EXPECT_EQ(again->Next().number(), number);
  ASSERT_TRUE(b_.Return({number}).ok());
  EXPECT_EQ(first->Wait().header().error(), 0);
  // What was answered is not said again.
  b_.Lookup("d");
  const auto second = a_.StartMakeDir("e");
  auto third = b_.Listen();
  const v1::Event event = third->Next();
  EXPECT_EQ(event.number(), number + 1);
  ASSERT_TRUE(b_.Return({event.number()}).ok());
  EXPECT_EQ(second->Wait().header().error(), 0);
}

TEST_F(LeaseServiceTest, ReturnedLeaseIsNotRecalled) {
  const v1::EntryReply none = b_.Lookup("d");
  v1::LeaseReturn lease;
  lease.set_ino(none.header().grants(0).ino());
  lease.set_sequence(none.header().grants(0).sequence());
  ASSERT_TRUE(b_.Return({}, {lease}).ok());
  EXPECT_EQ(a_.StartMakeDir("d")->Wait().header().error(), 0);
}

TEST_F(LeaseServiceTest, ReturnOfAnUnknownSessionIsUnauthenticated) {
  v1::ReturnLeasesReply reply;
  grpc::ClientContext context;
  EXPECT_EQ(a_.sessions().ReturnLeases(&context, {}, &reply).error_code(),
            StatusCode::UNAUTHENTICATED);
}

TEST_F(LeaseServiceTest, GoodbyeOfTheHolderLetsTheChangeGoOn) {
  b_.Lookup("d");
  const auto made = a_.StartMakeDir("d");
  EXPECT_TRUE(made->IsParked());
  v1::GoodbyeRequest request;
  *request.mutable_session() = b_.hello().session();
  request.set_epoch(b_.hello().epoch());
  v1::GoodbyeReply reply;
  grpc::ClientContext context;
  ASSERT_TRUE(b_.sessions().Goodbye(&context, request, &reply).ok());
  EXPECT_EQ(made->Wait().header().error(), 0);
}

TEST_F(LeaseServiceTest, CancelEndsAParkedCallWithEINTR) {
  b_.Lookup("d");
  const v1::MakeDirRequest message = a_.MakeDir("d");
  const auto made = a_.Start<v1::EntryReply>("MakeDir", message);
  EXPECT_TRUE(made->IsParked());
  v1::CancelRequest request;
  *request.mutable_session() = a_.hello().session();
  request.set_epoch(a_.hello().epoch());
  request.set_sequence(message.header().sequence());
  v1::CancelReply reply;
  grpc::ClientContext context;
  ASSERT_TRUE(a_.sessions().Cancel(&context, request, &reply).ok());
  EXPECT_EQ(made->Wait().header().error(), static_cast<int>(Errno::kEINTR));
  EXPECT_FALSE(Exists("d"));
}

TEST_F(LeaseServiceTest, StopDropsParkedCallsUnansweredAndDoesNotHang) {
  const auto events = b_.Listen();
  b_.Lookup("d");
  const auto made = a_.StartMakeDir("d");
  events->Next();
  server_.Stop();
  EXPECT_EQ(made->status.get().error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(events->End().error_code(), StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace tarn::rpc
