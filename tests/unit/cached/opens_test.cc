// CachedFs in front of a server in this process: which opens the server gets to know, and that the
// others work as well.
#include <gtest/gtest.h>

#include "common/wait.h"
#include "tests/support/in_process_server.h"
#include "tests/unit/cached/client.h"

namespace tarn::cache {
namespace {

class OpensTest : public ::testing::Test {
 protected:
  static constexpr OpenId kOpen{7};

  static Caller As(Uid uid) {
    Caller caller;
    caller.uid = uid;
    caller.gid = uid;
    caller.groups.emplace();
    return caller;
  }
  template <class V>
  Result<typename V::Reply> Call(Client& client, typename V::Args args, Uid uid = 0) {
    return Wait<V>(*client.fs, As(uid), std::move(args));
  }
  void SetUp() override {
    auto made = Call<verbs::Create>(b_, {.dir = b_.remote->root().handle,
                                         .name = "f",
                                         .mode = 0644,
                                         .open = kOpen,
                                         .access = OpenAccess::kReadWrite});
    ASSERT_OK(made);
    file_ = made->entry.handle;
    ASSERT_OK(Write(b_, "content"));
    ASSERT_OK(Call<verbs::Release>(b_, {.inode = file_, .open = kOpen}));
    // A look, so that what follows is opened in place.
    ASSERT_OK(Call<verbs::GetAttr>(a_, {.inode = file_}));
    ASSERT_OK(Call<verbs::Open>(
        a_, {.inode = file_, .open = kOpen, .access = OpenAccess::kReadWrite}));
  }
  Result<WriteReply> Write(Client& client, const std::string& data, Uid uid = 0) {
    return Call<verbs::Write>(
        client, {.inode = file_, .open = kOpen, .data = Bytes::FromString(data)}, uid);
  }
  Result<std::string> Read(Client& client, Uid uid = 0) {
    ASSIGN_OR_RETURN(
        ReadReply reply,
        Call<verbs::Read>(client, {.inode = file_, .open = kOpen, .size = 100}, uid));
    return reply.data.ToString();
  }
  bool IsRegistered(Client& client) { return client.remote->AccessOf(kOpen).has_value(); }

  testing::InProcessServer server_;
  Client a_{server_.address()};
  Client b_{server_.address()};
  Handle file_;
};

TEST_F(OpensTest, ReadsAndWritesUnderALeaseNeedNoOpenAtTheServer) {
  EXPECT_EQ(*Read(a_), "content");
  ASSERT_OK(Write(a_, "CON"));
  EXPECT_EQ(*Read(a_), "CONtent");
  EXPECT_FALSE(IsRegistered(a_));
  ASSERT_OK(Call<verbs::Release>(a_, {.inode = file_, .open = kOpen}));
}

TEST_F(OpensTest, OpenIsRegisteredBeforeItsRightAndItsInodeMayGo) {
  EXPECT_EQ(*Read(a_), "content");
  ASSERT_OK(Call<verbs::SetAttr>(b_, {.inode = file_, .mode = 0}));
  EXPECT_TRUE(IsRegistered(a_));
  ASSERT_OK(Call<verbs::Unlink>(b_, {.dir = b_.remote->root().handle, .name = "f"}));
  ASSERT_OK(Write(a_, "CON"));
  EXPECT_EQ(*Read(a_), "CONtent");
}

TEST_F(OpensTest, DescriptorAllowsOnlyWhatItWasOpenedFor) {
  const OpenId reader{8};
  ASSERT_OK(Call<verbs::Open>(a_, {.inode = file_, .open = reader}));
  EXPECT_ERROR(kEBADF, Call<verbs::Write>(a_, {.inode = file_,
                                               .open = reader,
                                               .data = Bytes::FromString("x")}));
}

TEST_F(OpensTest, DescriptorInOtherHandsWorksByTheRightOfItsOpener) {
  ASSERT_OK(Call<verbs::SetAttr>(a_, {.inode = file_, .mode = 0600}));
  const OpenId again{8};
  ASSERT_OK(Call<verbs::GetAttr>(a_, {.inode = file_}));
  ASSERT_OK(Call<verbs::Open>(a_, {.inode = file_, .open = again}));
  EXPECT_FALSE(a_.remote->AccessOf(again).has_value());
  ASSERT_OK(Call<verbs::Read>(a_, {.inode = file_, .open = again, .size = 1}, /*uid=*/1000));
}

}  // namespace
}  // namespace tarn::cache
