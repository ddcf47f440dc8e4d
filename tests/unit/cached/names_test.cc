// A CachedFs in front of a server in this process: what it knows of directories after its own
// changes, asked while the server is away.
#include <gtest/gtest.h>

#include "tests/support/in_process_server.h"
#include "tests/unit/cached/client.h"

namespace tarn::cache {
namespace {

class NamesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(
        EntryReply made,
        Call<verbs::MakeDir>(a_, {.dir = a_.remote->root().handle, .name = "d", .mode = 0755}));
    dir_ = made.handle;
  }
  Result<CreateReply> Create(Client& client, const std::string& name, uint64_t open) {
    return Call<verbs::Create>(client, {.dir = dir_,
                                        .name = name,
                                        .mode = 0644,
                                        .open = OpenId{open},
                                        .access = OpenAccess::kWrite});
  }
  Result<EntryReply> Lookup(Client& client, const std::string& name) {
    return Call<verbs::Lookup>(client, {.dir = dir_, .name = name});
  }
  Result<Attr> AttrIn(Client& client) {
    ASSIGN_OR_RETURN(AttrReply reply, Call<verbs::GetAttr>(client, {.inode = dir_}));
    return reply.attr;
  }

  testing::InProcessServer server_;
  Client a_{server_.address()};
  Client b_{server_.address()};
  Handle dir_;
};

TEST_F(NamesTest, AfterOwnChangesNothingNeedsToBeAsked) {
  ASSERT_OK(Create(a_, "f", 1));
  ASSERT_OK(Create(a_, "g", 2));
  ASSERT_OK(Call<verbs::Unlink>(a_, {.dir = dir_, .name = "g"}));
  ASSERT_OK(Call<verbs::MakeDir>(a_, {.dir = dir_, .name = "sub", .mode = 0755}));
  ASSERT_OK(Call<verbs::Rename>(
      a_, {.dir = dir_, .name = "f", .new_dir = dir_, .new_name = "h"}));
  server_.Stop();
  ASSERT_OK_AND_ASSIGN(const Attr known, AttrIn(a_));
  EXPECT_EQ(known.nlink, 3u);
  EXPECT_ERROR(kENOENT, Lookup(a_, "f"));
  EXPECT_ERROR(kENOENT, Lookup(a_, "g"));
  EXPECT_ERROR(kENOENT, Lookup(a_, "never"));
  server_.Start();
  ASSERT_OK_AND_ASSIGN(const Attr truth, AttrIn(b_));
  EXPECT_EQ(known, truth);
}

TEST_F(NamesTest, DirectoryThatMovedHasAnotherParent) {
  const Handle top = a_.remote->root().handle;
  for (Client* mover : {&a_, &b_}) {
    ASSERT_OK_AND_ASSIGN(EntryReply sub,
                         Call<verbs::MakeDir>(a_, {.dir = dir_, .name = "sub", .mode = 0755}));
    ASSERT_OK_AND_ASSIGN(EntryReply before, Call<verbs::Lookup>(a_, {sub.handle, ".."}));
    EXPECT_EQ(before.handle.ino, dir_.ino);
    ASSERT_OK(Call<verbs::Rename>(
        *mover, {.dir = dir_, .name = "sub", .new_dir = top, .new_name = "moved"}));
    ASSERT_OK_AND_ASSIGN(EntryReply after, Call<verbs::Lookup>(a_, {sub.handle, ".."}));
    EXPECT_EQ(after.handle.ino, kRootIno);
    ASSERT_OK(Call<verbs::RemoveDir>(a_, {.dir = top, .name = "moved"}));
  }
}

TEST_F(NamesTest, ChangesOfOthersEndThat) {
  ASSERT_OK(Create(a_, "f", 1));
  ASSERT_OK_AND_ASSIGN(const Attr before, AttrIn(a_));
  EXPECT_ERROR(kENOENT, Lookup(a_, "g"));
  ASSERT_OK(Create(b_, "g", 1));
  ASSERT_OK(Lookup(a_, "g"));
  ASSERT_OK_AND_ASSIGN(const Attr after, AttrIn(a_));
  EXPECT_GT(after.mtime.ns, before.mtime.ns);
  ASSERT_OK_AND_ASSIGN(const Attr truth, AttrIn(b_));
  EXPECT_EQ(after, truth);
}

}  // namespace
}  // namespace tarn::cache
