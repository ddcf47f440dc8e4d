// A client that lives on while its server loses power: an fsync does not say that what is lost is
// safe.
#include <gtest/gtest.h>

#include "common/wait.h"
#include "tests/support/in_process_server.h"
#include "tests/unit/cached/client.h"

namespace tarn::cache {
namespace {

class IncarnationTest : public ::testing::Test {
 protected:
  static Caller Root() {
    Caller caller;
    caller.groups.emplace();
    return caller;
  }
  template <class V>
  Result<typename V::Reply> Call(typename V::Args args) {
    return Wait<V>(*a_.fs, Root(), std::move(args));
  }
  Handle root() const { return a_.remote->root().handle; }
  Handle Create(const std::string& name, OpenId open) {
    auto made = Call<verbs::Create>({.dir = root(),
                                     .name = name,
                                     .mode = 0644,
                                     .open = open,
                                     .access = OpenAccess::kReadWrite});
    EXPECT_OK(made);
    return made.ok() ? made->entry.handle : Handle{};
  }
  Result<Unit> Fsync(Handle inode, OpenId open) {
    return Call<verbs::Fsync>({.inode = inode, .open = open});
  }
  Result<WriteReply> Write(Handle inode, OpenId open, const std::string& data) {
    return Call<verbs::Write>(
        {.inode = inode, .open = open, .data = Bytes::FromString(data)});
  }
  void LosePower() {
    server_.LosePower();
    server_.Start();
  }

  testing::InProcessServer server_;
  Client a_{server_.address()};
};

TEST_F(IncarnationTest, FsyncOfWhatIsLostFailsOnceForEachDescriptor) {
  const Handle file = Create("f", OpenId{1});
  ASSERT_OK(Call<verbs::Open>({.inode = file, .open = OpenId{2}}));
  ASSERT_OK(Fsync(file, OpenId{1}));
  ASSERT_OK(Write(file, OpenId{1}, "lost"));
  LosePower();
  EXPECT_ERROR(kEIO, Fsync(file, OpenId{1}));
  EXPECT_ERROR(kEIO, Fsync(file, OpenId{2}));
  ASSERT_OK(Fsync(file, OpenId{1}));
  ASSERT_OK(Fsync(file, OpenId{2}));
  ASSERT_OK(Write(file, OpenId{1}, "again"));
  ASSERT_OK(Fsync(file, OpenId{1}));
}

TEST_F(IncarnationTest, WhatWasSyncedIsSafe) {
  const Handle file = Create("f", OpenId{1});
  ASSERT_OK(Write(file, OpenId{1}, "kept"));
  ASSERT_OK(Fsync(file, OpenId{1}));
  LosePower();
  ASSERT_OK(Fsync(file, OpenId{1}));
  const auto read = Call<verbs::Read>({.inode = file, .open = OpenId{1}, .size = 9});
  ASSERT_OK(read);
  EXPECT_EQ(read->data.ToString(), "kept");
}

TEST_F(IncarnationTest, WhatOthersSyncedIsSafeToo) {
  const Handle file = Create("f", OpenId{1}), other = Create("g", OpenId{2});
  ASSERT_OK(Write(file, OpenId{1}, "kept"));
  ASSERT_OK(Fsync(other, OpenId{2}));
  LosePower();
  ASSERT_OK(Fsync(file, OpenId{1}));
}

TEST_F(IncarnationTest, NamesAreLostLikewise) {
  ASSERT_OK_AND_ASSIGN(EntryReply dir,
                       Call<verbs::MakeDir>({.dir = root(), .name = "d", .mode = 0755}));
  ASSERT_OK(Fsync(dir.handle, kNoOpen));
  ASSERT_OK(Call<verbs::MakeDir>({.dir = dir.handle, .name = "lost", .mode = 0755}));
  LosePower();
  EXPECT_ERROR(kEIO, Fsync(dir.handle, kNoOpen));
  ASSERT_OK(Fsync(dir.handle, kNoOpen));
  EXPECT_ERROR(kENOENT, Call<verbs::Lookup>({.dir = dir.handle, .name = "lost"}));
}

TEST_F(IncarnationTest, SyncOfAllSaysItOfAll) {
  const Handle file = Create("f", OpenId{1});
  ASSERT_OK(Fsync(file, OpenId{1}));
  ASSERT_OK(Write(file, OpenId{1}, "lost"));
  LosePower();
  EXPECT_ERROR(kEIO, Fsync(root(), kNoOpen));
  ASSERT_OK(Fsync(root(), kNoOpen));
}

TEST_F(IncarnationTest, RestartOfTheProcessLosesNothing) {
  const Handle file = Create("f", OpenId{1});
  ASSERT_OK(Write(file, OpenId{1}, "kept"));
  server_.Stop();
  server_.Start();
  ASSERT_OK(Fsync(file, OpenId{1}));
}

}  // namespace
}  // namespace tarn::cache
