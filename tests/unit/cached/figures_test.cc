// A CachedFs in front of a server in this process: statfs by what was told, and no longer than it
// is true.
#include <gtest/gtest.h>

#include "tests/support/in_process_server.h"
#include "tests/unit/cached/client.h"

namespace tarn::cache {
namespace {

class FiguresTest : public ::testing::Test {
 protected:
  Handle root() { return a_.remote->root().handle; }
  uint64_t InodesUsed(Client& client) {
    auto reply = Call<verbs::StatFs>(client, {root()});
    EXPECT_OK(reply);
    return reply.ok() ? reply->inodes_used : 0;
  }
  uint64_t BytesUsed(Client& client) {
    auto reply = Call<verbs::StatFs>(client, {root()});
    EXPECT_OK(reply);
    return reply.ok() ? reply->bytes_used : 0;
  }
  void MakeDir(Client& client, const std::string& name) {
    ASSERT_OK(Call<verbs::MakeDir>(client, {.dir = root(), .name = name, .mode = 0755}));
  }

  testing::InProcessServer server_;
  Client a_{server_.address()};
  Client b_{server_.address()};
};

TEST_F(FiguresTest, AskedAgainTheyAreKnown) {
  ASSERT_OK(Call<verbs::GetAttr>(a_, {.inode = root()}));
  const uint64_t before = InodesUsed(a_);
  server_.Stop();
  EXPECT_EQ(InodesUsed(a_), before);
  server_.Start();
}

TEST_F(FiguresTest, OwnChangesAndOthersShow) {
  ASSERT_OK(Call<verbs::GetAttr>(a_, {.inode = root()}));
  const uint64_t before = InodesUsed(a_);
  MakeDir(a_, "one");
  EXPECT_EQ(InodesUsed(a_), before + 1);
  MakeDir(b_, "two");
  EXPECT_EQ(InodesUsed(a_), before + 2);
  MakeDir(b_, "three");
  EXPECT_EQ(InodesUsed(b_), before + 3);
  EXPECT_EQ(InodesUsed(a_), before + 3);
}

TEST_F(FiguresTest, WhatIsWrittenHereOnlyCounts) {
  constexpr OpenId kOpen{1};
  ASSERT_OK_AND_ASSIGN(CreateReply made, Call<verbs::Create>(a_, {.dir = root(),
                                                                  .name = "f",
                                                                  .mode = 0644,
                                                                  .open = kOpen,
                                                                  .access = OpenAccess::kWrite}));
  ASSERT_OK(Call<verbs::GetAttr>(a_, {.inode = root()}));
  const uint64_t before = BytesUsed(a_);
  for (uint64_t i = 1; i <= 10; ++i) {
    ASSERT_OK(Call<verbs::Write>(a_, {.inode = made.entry.handle,
                                      .open = kOpen,
                                      .offset = i << 20,
                                      .data = Bytes::FromString("x")}));
    EXPECT_GT(BytesUsed(a_), before + (i - 1) * 4096);
  }
  EXPECT_EQ(BytesUsed(b_), BytesUsed(a_));
}

TEST_F(FiguresTest, AHandleThatIsNotKnownIsTheServersToJudge) {
  ASSERT_OK(Call<verbs::GetAttr>(a_, {.inode = root()}));
  ASSERT_OK(Call<verbs::StatFs>(a_, {root()}));
  EXPECT_ERROR(kESTALE, Call<verbs::StatFs>(a_, {Handle{root().ino, root().tag + 1}}));
}

}  // namespace
}  // namespace tarn::cache
