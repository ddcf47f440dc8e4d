// Contents that come with attributes: to whom, and what becomes of the access.
#include <future>

#include "tests/unit/ops/local_fs_fixture.h"

namespace tarn::ops {
namespace {

class PrefetchTest : public LocalFsFixture {
 protected:
  static constexpr Uid kOwner = 1000, kOther = 1001;
  static constexpr Prefetch kAll{0, kPrefetchMaxBytes};

  void SetUp() override {
    file_ = Create("f", OpenId{1});
    ASSERT_OK(Write(file_, OpenId{1}, "content"));
    ASSERT_OK(Call<verbs::Release>(As(kA), {.inode = file_, .open = OpenId{1}}));
    ASSERT_OK(Call<verbs::SetAttr>(As(kA), {.inode = file_, .mode = 0600, .uid = kOwner}));
    clock_.Advance(kSecondNanos);
  }
  static Caller Caching(SessionId session, Uid uid = kOwner) {
    Caller caller = As(session, uid);
    caller.leases = std::make_shared<LeaseNews>();
    return caller;
  }
  static std::string Came(const Caller& caller) {
    const auto& contents = caller.leases->contents;
    if (!contents.has_value()) return "nothing";
    return std::to_string(contents->offset) + ":" + contents->data.ToString();
  }
  std::string Look(const Caller& caller, Prefetch wished = kAll) {
    EXPECT_OK(Call<verbs::GetAttr>(caller, {.inode = file_, .prefetch = wished}));
    return Came(caller);
  }
  Timestamp AccessTime() {
    auto reply = Call<verbs::GetAttr>(As(kA), {.inode = file_});
    EXPECT_OK(reply);
    return reply->attr.atime;
  }

  Handle file_;
};

TEST_F(PrefetchTest, ComesWithNameAndAttributesAsWished) {
  const Caller caller = Caching(kB);
  ASSERT_OK(Call<verbs::Lookup>(caller, {.dir = root(), .name = "f", .prefetch = kAll}));
  EXPECT_EQ(Came(caller), "0:content");
  EXPECT_EQ(caller.leases->contents->ino, file_.ino);
  EXPECT_EQ(Look(Caching(kB)), "0:content");
  EXPECT_EQ(Look(Caching(kB), {3, 2}), "3:te");
  EXPECT_EQ(Look(Caching(kB), {3, 100}), "3:tent");
}

TEST_F(PrefetchTest, NothingComesUnasked) {
  EXPECT_EQ(Look(Caching(kB), {}), "nothing");
  EXPECT_EQ(Look(Caching(kB), {7, 100}), "nothing");  // the end
  ASSERT_OK(Call<verbs::GetAttr>(As(kB, kOwner), {.inode = file_, .prefetch = kAll}));
}

TEST_F(PrefetchTest, WhoMayNotReadGetsNothing) {
  EXPECT_EQ(Look(Caching(kB, kOther)), "nothing");
}

TEST_F(PrefetchTest, DirectoriesHaveNone) {
  const Caller caller = Caching(kB, 0);
  ASSERT_OK(Call<verbs::GetAttr>(caller, {.inode = root(), .prefetch = kAll}));
  EXPECT_EQ(Came(caller), "nothing");
}

TEST_F(PrefetchTest, WhatIsNotGrantedDoesNotCome) {
  // By turns, so that it is nobody's to keep.
  for (int i = 0; i < 4; ++i) {
    for (const SessionId session : {kA, kB}) {
      const Caller caller = Caching(session, 0);
      ASSERT_OK(Open(file_, OpenId{9}, session));
      std::future<void> answered = std::async(std::launch::async, [&] {
        EXPECT_OK(Call<verbs::Write>(caller, {.inode = file_,
                                              .open = OpenId{9},
                                              .data = Bytes::FromString("CONTENT")}));
      });
      while (answered.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
        for (const SessionId other : {kA, kB}) {
          std::vector<uint64_t> numbers;
          for (auto& one : fs_->RecallsOf(other, 0, 100)) numbers.push_back(one.number);
          fs_->ReturnLeases(other, {.recalls = numbers});
        }
      }
      (void)Look(Caching(session, 0));
    }
  }
  const Caller caller = Caching(kB, 0);
  EXPECT_EQ(Look(caller), "nothing");
  EXPECT_TRUE(caller.leases->grants.empty());
}

TEST_F(PrefetchTest, IsAnAccessOnceThatIsSaid) {
  const Timestamp before = AccessTime();
  EXPECT_EQ(Look(Caching(kB)), "0:content");
  EXPECT_EQ(AccessTime(), before);
  const ReleaseArgs ended{.inode = file_, .open = OpenId{77}};  // which is not known here
  ASSERT_OK(Call<verbs::Release>(As(kB, kOwner), ended));
  EXPECT_EQ(AccessTime(), before);
  ReleaseArgs accessed = ended;
  accessed.accessed = true;
  Caller reader = As(kB, kOwner);
  reader.read_only = true;
  ASSERT_OK(Call<verbs::Release>(reader, accessed));
  EXPECT_EQ(AccessTime(), before);
  ASSERT_OK(Call<verbs::Release>(As(kB, kOwner), accessed));
  EXPECT_EQ(AccessTime(), clock_.Now());
}

}  // namespace
}  // namespace tarn::ops
