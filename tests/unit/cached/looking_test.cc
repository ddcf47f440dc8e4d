// A CachedFs in front of a server in this process: names that are looked up after a listing.
#include <gtest/gtest.h>

#include "tests/support/in_process_server.h"
#include "tests/unit/cached/client.h"

namespace tarn::cache {
namespace {

constexpr size_t kFiles = 150;  // whose attributes come with one listing
constexpr Uid kUser = 1000;

class LookingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(EntryReply made, Call<verbs::MakeDir>(b_, {.dir = a_.remote->root().handle,
                                                                    .name = "d",
                                                                    .mode = 0755}));
    dir_ = made.handle;
    for (size_t i = 0; i < kFiles; ++i) Make("f" + std::to_string(i));
  }
  void Make(const std::string& name) {
    ASSERT_OK(Call<verbs::MakeNode>(
        b_, {.dir = dir_, .name = name, .type = FileType::kRegular, .mode = 0644}));
  }
  // Names in the order in which they are listed, as readdir(3) has them: without attributes.
  std::vector<std::string> List() {
    std::vector<std::string> names;
    EXPECT_OK(Call<verbs::GetAttr>(a_, {.inode = dir_}));
    auto reply = Call<verbs::ReadDir>(a_, {.dir = dir_, .max_bytes = 100'000});
    EXPECT_OK(reply);
    if (!reply.ok()) return names;
    EXPECT_TRUE(reply->end);
    for (const DirEntry& entry : reply->entries) {
      if (entry.name[0] != '.') names.push_back(entry.name);
    }
    return names;
  }
  Result<EntryReply> Look(const std::string& name) {
    return Call<verbs::Lookup>(a_, {.dir = dir_, .name = name});
  }

  testing::InProcessServer server_;
  Client a_{server_.address()};
  Client b_{server_.address()};
  Handle dir_;
};

TEST_F(LookingTest, SeveralBringThoseThatFollow) {
  const std::vector<std::string> names = List();
  ASSERT_EQ(names.size(), kFiles);
  for (size_t i = 0; i <= Directory::kAtFirst; ++i) ASSERT_OK(Look(names[i]));
  server_.Stop();
  for (const std::string& name : names) EXPECT_OK(Look(name)) << name;
  server_.Start();
}

TEST_F(LookingTest, FewBringNothingMore) {
  const std::vector<std::string> names = List();
  for (size_t i = 0; i < Directory::kAtFirst; ++i) ASSERT_OK(Look(names[i]));
  server_.Stop();
  EXPECT_FALSE(Look(names[Directory::kAtFirst + 1]).ok());
  server_.Start();
}

TEST_F(LookingTest, ChangesElsewhereShow) {
  const std::vector<std::string> names = List();
  for (size_t i = 0; i <= Directory::kAtFirst; ++i) ASSERT_OK(Look(names[i]));
  const std::string& last = names.back();
  ASSERT_OK_AND_ASSIGN(const EntryReply known, Look(last));
  ASSERT_OK(Call<verbs::SetAttr>(b_, {.inode = known.handle, .mode = 0600}));
  ASSERT_OK_AND_ASSIGN(const EntryReply changed, Look(last));
  EXPECT_EQ(changed.attr.mode, 0600u);
  ASSERT_OK(Call<verbs::Unlink>(b_, {.dir = dir_, .name = last}));
  EXPECT_ERROR(kENOENT, Look(last));
}

// Of what another host is writing to a listing has no attributes.
TEST_F(LookingTest, WhatIsHeldExclusivelyIsLookedUpByItself) {
  ASSERT_OK_AND_ASSIGN(const EntryReply file,
                       Call<verbs::Lookup>(b_, {.dir = dir_, .name = "f7"}));
  ASSERT_OK(Call<verbs::Open>(
      b_, {.inode = file.handle, .open = OpenId{1}, .access = OpenAccess::kWrite}));
  for (uint64_t at = 0; at < 5; ++at) {
    ASSERT_OK(Call<verbs::Write>(b_, {.inode = file.handle,
                                      .open = OpenId{1},
                                      .offset = at,
                                      .data = Bytes::FromString("x")}));
  }
  for (const std::string& name : List()) {
    ASSERT_OK_AND_ASSIGN(const EntryReply entry, Look(name));
    EXPECT_EQ(entry.attr.size, name == "f7" ? 5u : 0u);
  }
}

// Who may search a directory that another has listed, and may not list it himself.
TEST_F(LookingTest, WhoMayNotListLooksUp) {
  const std::vector<std::string> names = List();
  ASSERT_OK(Call<verbs::SetAttr>(a_, {.inode = dir_, .mode = 0711}));
  ASSERT_EQ(List(), names);
  Caller caller;
  caller.uid = caller.gid = kUser;
  caller.groups.emplace();
  for (const std::string& name : names) {
    EXPECT_OK(Wait<verbs::Lookup>(*a_.fs, caller, {.dir = dir_, .name = name})) << name;
  }
}

}  // namespace
}  // namespace tarn::cache
