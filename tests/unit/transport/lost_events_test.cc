// What is lost on its way although the connection is well: events, and requests for which the
// server has no room.
#include "common/fault.h"
#include "tests/unit/transport/remote_fixture.h"

namespace tarn::transport {
namespace {

// Gives back all that is asked for, at once.
class Answering final : public LeaseHolder {
 public:
  explicit Answering(RemoteFs& fs) : fs_(fs) { fs.SetLeaseHolder(this); }
  ~Answering() override { fs_.SetLeaseHolder(nullptr); }
  void OnRecall(uint64_t event, Recall recall) override {
    ++recalls_;
    fs_.AnswerRecall(event);
  }
  void OnLeasesLost(bool reclaim) override { ++lost_; }
  int recalls() const { return recalls_; }
  int lost() const { return lost_; }

 private:
  RemoteFs& fs_;
  std::atomic<int> recalls_ = 0, lost_ = 0;
};

class LostEventsTest : public RemoteFixture {
 protected:
  // Whoever leaves a recall unanswered is not fenced within the test's time; a client that has
  // nothing to say speaks every second.
  LostEventsTest()
      : RemoteFixture({.session_lifetime_nanos = 3 * kSecondNanos,
                       .recall_deadline_nanos = 3600 * kSecondNanos}) {}
  ~LostEventsTest() override { (void)ArmFaults(""); }

  std::unique_ptr<RemoteFs> ConnectHolder() {
    ConnectOptions options;
    options.server = server_.address();
    options.client_name = "holder";
    options.leases = true;
    auto fs = RemoteFs::Connect(options);
    EXPECT_OK(fs);
    return std::move(fs).value();
  }
  // The attributes, to be kept.
  Status Learn(RemoteFs& fs, Handle inode) {
    Caller caller = root_;
    caller.leases = std::make_shared<LeaseNews>();
    const auto reply = Wait<verbs::GetAttr>(fs, caller, {inode});
    if (!reply.ok()) return reply.error();
    EXPECT_EQ(caller.leases->grants.size(), 1u);
    return Ok();
  }
};

TEST_F(LostEventsTest, GapIsNoticedAndTheRecallHeardAgain) {
  const auto changer = Connect();
  const auto holder = ConnectHolder();
  Answering answering(*holder);
  const auto made = Create(*changer, "f");
  ASSERT_OK(made);
  const Handle file = made->entry.handle;
  ASSERT_OK(Learn(*holder, file));
  ASSERT_OK(ArmFaults("recall.send=fail@1"));
  auto changed = Start<verbs::SetAttr>(*changer, root_, {.inode = file, .mode = 0600});
  EXPECT_OK(changed.get());  // once the holder's heartbeat was told of an event that it missed
  EXPECT_EQ(answering.recalls(), 1);
  EXPECT_EQ(answering.lost(), 0) << "the session and all other leases are as they were";
}

TEST_F(LostEventsTest, RequestThatFindsNoRoomIsSentAgainOverTheSameConnection) {
  const auto holder = ConnectHolder();
  Answering answering(*holder);
  ASSERT_OK(ArmFaults("request.admit=fail@1;request.admit=fail@2"));
  ASSERT_OK(Create(*holder, "f"));
  EXPECT_TRUE(Exists("f"));
  EXPECT_EQ(Create(*holder, "g").code(), Errno::kOk);
  EXPECT_EQ(answering.lost(), 0);
}

}  // namespace
}  // namespace tarn::transport
