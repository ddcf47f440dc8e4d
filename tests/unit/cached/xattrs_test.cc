// A CachedFs in front of a server in this process: extended attributes and ACLs under leases, asked
// while the server is away.
#include <gtest/gtest.h>

#include "common/posix/acl.h"
#include "common/posix/permissions.h"
#include "tests/support/in_process_server.h"
#include "tests/unit/cached/client.h"

namespace tarn::cache {
namespace {

constexpr Uid kUser = 1000;

class XattrsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(
        EntryReply made,
        Call<verbs::MakeDir>(a_, {.dir = a_.remote->root().handle, .name = "d", .mode = 0750}));
    dir_ = made.handle;
    ASSERT_OK_AND_ASSIGN(CreateReply file, Call<verbs::Create>(a_, {.dir = dir_,
                                                                    .name = "f",
                                                                    .mode = 0640,
                                                                    .open = OpenId{1},
                                                                    .access = OpenAccess::kWrite}));
    file_ = file.entry.handle;
    Look();
  }
  // So that the attributes are known.
  void Look() {
    for (const Handle inode : {a_.remote->root().handle, dir_, file_}) {
      ASSERT_OK(Call<verbs::GetAttr>(a_, {.inode = inode}));
    }
    ASSERT_OK(Call<verbs::Lookup>(a_, {.dir = dir_, .name = "f"}));
  }
  Status Set(Client& client, Handle inode, const std::string& name, const std::string& value) {
    RETURN_IF_ERROR(Call<verbs::SetXattr>(client, {.inode = inode, .name = name, .value = value}));
    return Ok();
  }
  std::string Get(Client& client, const std::string& name) {
    const auto reply = Call<verbs::GetXattr>(client, {.inode = file_, .name = name});
    return reply.ok() ? reply->value : std::string(ErrnoName(reply.code()));
  }
  std::vector<std::string> List(Client& client) {
    auto reply = Call<verbs::ListXattr>(client, {.inode = file_});
    EXPECT_OK(reply);
    return reply.ok() ? reply->names : std::vector<std::string>();
  }
  template <class V>
  Result<typename V::Reply> CallAs(Uid uid, typename V::Args args) {
    Caller caller;
    caller.uid = uid;
    caller.gid = uid;
    caller.groups.emplace();
    caller.patience_nanos = kSecondNanos;
    return Wait<V>(*a_.fs, caller, std::move(args));
  }

  testing::InProcessServer server_;
  Client a_{server_.address()};
  Client b_{server_.address()};
  Handle dir_, file_;
};

TEST_F(XattrsTest, WhatWasReadIsKnown) {
  ASSERT_OK(Set(b_, file_, "user.x", "one"));
  ASSERT_OK(Set(b_, file_, "trusted.y", "two"));
  Look();
  EXPECT_EQ(Get(a_, "user.x"), "one");
  const std::vector<std::string> all = List(a_);
  EXPECT_EQ(all.size(), 2u);
  server_.Stop();
  EXPECT_EQ(Get(a_, "user.x"), "one");
  EXPECT_EQ(Get(a_, "user.none"), "ENODATA");
  EXPECT_EQ(List(a_), all);
  const auto others = CallAs<verbs::ListXattr>(kUser, {.inode = file_});
  ASSERT_OK(others);
  EXPECT_EQ(others->names, std::vector<std::string>{"user.x"});
  server_.Start();
}

TEST_F(XattrsTest, AttributesTellThatThereAreNone) {
  server_.Stop();
  EXPECT_EQ(Get(a_, "user.x"), "ENODATA");
  EXPECT_TRUE(List(a_).empty());
  EXPECT_ERROR(kEACCES, CallAs<verbs::Lookup>(kUser, {.dir = dir_, .name = "f"}));
  server_.Start();
  ASSERT_OK(Set(b_, file_, "user.x", "one"));
  Look();
  EXPECT_EQ(Get(a_, "user.x"), "one");
}

TEST_F(XattrsTest, ChangesShowAtOnceWhoeverMakesThem) {
  for (Client* changes : {&a_, &b_}) {
    for (const std::string value : {"one", "two"}) {
      ASSERT_OK(Set(*changes, file_, "user.x", value));
      Look();
      for (int again = 0; again < 2; ++again) {
        EXPECT_EQ(Get(a_, "user.x"), value);
        EXPECT_EQ(List(a_), std::vector<std::string>{"user.x"});
      }
    }
    ASSERT_OK(Call<verbs::RemoveXattr>(*changes, {.inode = file_, .name = "user.x"}));
    Look();
    EXPECT_EQ(Get(a_, "user.x"), "ENODATA");
    EXPECT_TRUE(List(a_).empty());
  }
}

TEST_F(XattrsTest, WhoMaySeeLittleTeachesNothingOfTheRest) {
  ASSERT_OK(Set(b_, file_, "trusted.y", "two"));
  Look();
  ASSERT_OK(CallAs<verbs::ListXattr>(kUser, {.inode = file_}));
  EXPECT_ERROR(kENODATA, CallAs<verbs::GetXattr>(kUser, {.inode = file_, .name = "trusted.y"}));
  EXPECT_EQ(List(a_), std::vector<std::string>{"trusted.y"});
  EXPECT_EQ(Get(a_, "trusted.y"), "two");
}

TEST_F(XattrsTest, AclsDecideHere) {
  using posix::AclEntry;
  using posix::AclTag;
  const posix::Acl acl{{{AclTag::kOwner, 7},
                        {AclTag::kUser, 5, kUser},
                        {AclTag::kOwningGroup, 0},
                        {AclTag::kMask, 5},
                        {AclTag::kOther, 0}}};
  ASSERT_OK(Set(b_, dir_, std::string(posix::kAccessAclName), posix::EncodeAcl(acl)));
  Look();
  const GetXattrArgs of_acl{.inode = dir_, .name = std::string(posix::kAccessAclName)};
  ASSERT_OK(Call<verbs::GetXattr>(a_, of_acl));
  server_.Stop();
  EXPECT_OK(CallAs<verbs::Lookup>(kUser, {.dir = dir_, .name = "f"}));
  EXPECT_ERROR(kEACCES, CallAs<verbs::Lookup>(kUser + 1, {.dir = dir_, .name = "f"}));
  server_.Start();
}

// It goes with a write, of which only the server can take it away.
TEST_F(XattrsTest, CapabilityGoesWithAWrite) {
  const std::string name(posix::kCapabilityName);
  const auto write = [&] {
    return Call<verbs::Write>(
        a_, {.inode = file_, .open = OpenId{1}, .data = Bytes::FromString("x")});
  };
  for (int i = 0; i < 3; ++i) ASSERT_OK(write());  // by now the file is ours alone
  ASSERT_OK(Set(a_, file_, name, "capability"));
  Look();
  EXPECT_EQ(Get(a_, name), "capability");
  EXPECT_EQ(List(a_), std::vector<std::string>{name});
  for (int i = 0; i < 3; ++i) ASSERT_OK(write());
  EXPECT_EQ(Get(b_, name), "ENODATA");
  EXPECT_EQ(Get(a_, name), "ENODATA");
}

}  // namespace
}  // namespace tarn::cache
