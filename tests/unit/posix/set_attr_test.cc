// GetAttr and SetAttr.
#include "tests/unit/posix/rules_fixture.h"

namespace tarn::posix {
namespace {

class SetAttrTest : public RulesFixture {
 protected:
  // A file of alice (uid and gid 1000), of another group if given.
  void AlicesFile(uint32_t mode, Gid gid = 1000) {
    meta = testing::MemMeta();
    Must(File("/f"));
    Own("/f", 1000, gid);
    Mode("/f", mode);
  }
};

TEST_F(SetAttrTest, GetAttrShowsAnyInode) {
  Must(File("/f", 0));
  auto get = [&](Handle h) { return Run([&](MetaTxn& txn) { return GetAttr(txn, kAlice, {h}); }); };
  EXPECT_EQ(get(At("/f"))->attr, AttrOf("/f"));
  EXPECT_EQ(get(Handle{Ino{99}}).code(), Errno::kESTALE);
}

TEST_F(SetAttrTest, NothingToChangeOnlyReads) {
  Must(File("/f"));
  auto before = meta;
  EXPECT_EQ(Set("/f", {}, ReadOnly(kAlice))->attr, AttrOf("/f"));
  EXPECT_TRUE(meta == before);
}

TEST_F(SetAttrTest, ModeIsForOwnerAndRoot) {
  AlicesFile(0644);
  uint64_t version = AttrOf("/f").version;
  AttrReply reply = Must(Set("/f", {.mode = 0600}, kAlice));
  EXPECT_EQ(reply.attr, AttrOf("/f"));
  EXPECT_EQ(AttrOf("/f").mode, 0600u);
  EXPECT_EQ(AttrOf("/f").ctime, now);
  EXPECT_EQ(AttrOf("/f").version, version + 1);
  EXPECT_EQ(Set("/f", {.mode = 0666}, kBob).code(), Errno::kEPERM);
  EXPECT_EQ(Set("/f", {.mode = 0666}, ReadOnly(kBob)).code(), Errno::kEROFS);
  EXPECT_TRUE(Set("/f", {.mode = 07777}, kRoot).ok());
  EXPECT_EQ(AttrOf("/f").mode, 07777u);
  Must(Sym("/s", "t"));
  EXPECT_EQ(Set("/s", {.mode = 0600}).code(), Errno::kEOPNOTSUPP);
}

TEST_F(SetAttrTest, SetGidIsForMembersOfTheGroup) {
  AlicesFile(0644, 500);
  Must(Set("/f", {.mode = 02755}, kAlice));
  EXPECT_EQ(AttrOf("/f").mode, 0755u);
  Must(Set("/f", {.mode = 02755}, User(1000, {500})));
  EXPECT_EQ(AttrOf("/f").mode, 02755u);
  Must(Set("/f", {.mode = 02711}, kRoot));
  EXPECT_EQ(AttrOf("/f").mode, 02711u);
}

TEST_F(SetAttrTest, OwnerIsForRootAndGroupForOwnersInIt) {
  using OptId = std::optional<uint32_t>;
  const struct {
    Caller caller;
    OptId uid, gid;
    Errno expected;
  } cases[] = {
      {kRoot, 5, 6, Errno::kOk},
      {kAlice, 1000, {}, Errno::kOk},
      {kAlice, {}, 1000, Errno::kOk},
      {kAlice, 1000, 1000, Errno::kOk},
      {kAlice, 1001, {}, Errno::kEPERM},
      {kAlice, {}, 500, Errno::kEPERM},
      {User(1000, {500}), {}, 500, Errno::kOk},
      {User(1000, {500}), 1001, 500, Errno::kEPERM},
      {User(1001, {1000, 500}), {}, 500, Errno::kEPERM},
      {kBob, 1000, {}, Errno::kEPERM},
      {kRoot, UINT32_MAX, {}, Errno::kEINVAL},
  };
  for (const auto& c : cases) {
    AlicesFile(0644);
    Errno code = Set("/f", {.uid = c.uid, .gid = c.gid}, c.caller).code();
    EXPECT_EQ(code, c.expected) << c.caller.uid << " " << c.uid.value_or(0) << " "
                                << c.gid.value_or(0);
    EXPECT_EQ(AttrOf("/f").ctime == now, code == Errno::kOk);
  }
}

TEST_F(SetAttrTest, OwnerChangeTakesPrivileges) {
  const struct {
    uint32_t before;
    Caller caller;
    uint32_t after;
  } cases[] = {
      {06755, kRoot, 0755},  {06755, kAlice, 0755},  {04644, kRoot, 0644},
      {02644, kRoot, 02644}, {02644, kAlice, 02644}, {01777, kRoot, 01777},
  };
  for (const auto& c : cases) {
    AlicesFile(c.before);
    Must(SetX("/f", "security.capability", "caps"));
    EXPECT_TRUE(Set("/f", {.gid = 1000}, c.caller).ok());
    EXPECT_EQ(AttrOf("/f").mode, c.after) << c.before << " " << c.caller.uid;
    EXPECT_EQ(GetX("/f", "security.capability").code(), Errno::kENODATA);
  }
  Must(Dir("/d"));
  Mode("/d", 06755);
  Must(Set("/d", {.uid = 5}));
  EXPECT_EQ(AttrOf("/d").mode, 06755u);
}

TEST_F(SetAttrTest, SizeNeedsAFileAndTheRightToWrite) {
  AlicesFile(0644);
  Must(Dir("/d"));
  Must(Node("/p", FileType::kFifo));
  EXPECT_EQ(Set("/d", {.size = 0}).code(), Errno::kEISDIR);
  EXPECT_EQ(Set("/p", {.size = 0}).code(), Errno::kEINVAL);
  EXPECT_EQ(Set("/d", {.size = 0}, ReadOnly(kRoot)).code(), Errno::kEISDIR);
  EXPECT_EQ(Set("/f", {.size = 0}, ReadOnly(kRoot)).code(), Errno::kEROFS);
  EXPECT_EQ(Set("/f", {.size = 0}, kBob).code(), Errno::kEACCES);
  EXPECT_EQ(Set("/f", {.size = kFileMaxBytes + 1}).code(), Errno::kEFBIG);
  EXPECT_TRUE(Set("/f", {.size = kFileMaxBytes}, kAlice).ok());
  EXPECT_EQ(AttrOf("/f").size, kFileMaxBytes);
  EXPECT_EQ(AttrOf("/f").mtime, now);
  EXPECT_EQ(AttrOf("/f").ctime, now);
  // The times change even where the size does not.
  Must(Set("/f", {.size = kFileMaxBytes}, kAlice));
  EXPECT_EQ(AttrOf("/f").mtime, now);
}

TEST_F(SetAttrTest, SizeThroughADescriptorNeedsOnlyIts) {
  AlicesFile(0400);
  SetAttrArgs args{.open = OpenId{1}, .size = 5, .mtime_now = true};
  EXPECT_TRUE(Set("/f", args, kBob, OpenAccess::kWrite).ok());
  EXPECT_EQ(AttrOf("/f").size, 5u);
  EXPECT_EQ(Set("/f", args, kRoot, OpenAccess::kRead).code(), Errno::kEBADF);
}

TEST_F(SetAttrTest, SizeTakesPrivilegesFromOthersThanRoot) {
  const struct {
    uint32_t before;
    Caller caller;
    bool kill;
    uint32_t after;
  } cases[] = {
      {06777, kRoot, false, 06777}, {06777, kRoot, true, 0777},    {06777, kBob, false, 0777},
      {02666, kBob, false, 0666},   {02666, kAlice, false, 02666},
  };
  for (const auto& c : cases) {
    AlicesFile(c.before);
    EXPECT_TRUE(Set("/f", {.size = 1, .kill_privileges = c.kill}, c.caller).ok());
    EXPECT_EQ(AttrOf("/f").mode, c.after) << c.before << " " << c.caller.uid;
  }
}

TEST_F(SetAttrTest, KillPrivilegesAloneIsForWriters) {
  AlicesFile(06755);
  EXPECT_EQ(Set("/f", {.kill_privileges = true}, kBob).code(), Errno::kEACCES);
  EXPECT_TRUE(Set("/f", {.kill_privileges = true}, kAlice).ok());
  EXPECT_EQ(AttrOf("/f").mode, 0755u);
  auto before = meta;
  EXPECT_TRUE(Set("/f", {.kill_privileges = true}, kAlice).ok());
  EXPECT_TRUE(meta == before);  // nothing to take: not even ctime
}

TEST_F(SetAttrTest, TimesNeedTheOwnerOrToNowAWriter) {
  const Timestamp kThen{5};
  const struct {
    SetAttrArgs args;
    Errno stranger, writer;
  } cases[] = {
      {{.atime_now = true, .mtime_now = true}, Errno::kEACCES, Errno::kOk},
      {{.atime_now = true}, Errno::kEPERM, Errno::kEPERM},
      {{.mtime_now = true}, Errno::kEPERM, Errno::kEPERM},
      {{.atime = kThen, .mtime = kThen}, Errno::kEPERM, Errno::kEPERM},
      {{.atime_now = true, .mtime = kThen}, Errno::kEPERM, Errno::kEPERM},
  };
  for (const auto& c : cases) {
    AlicesFile(0644);
    EXPECT_EQ(Set("/f", c.args, kBob).code(), c.stranger);
    EXPECT_EQ(Set("/f", c.args, ReadOnly(kAlice)).code(), Errno::kEROFS);
    EXPECT_TRUE(Set("/f", c.args, kAlice).ok());
    EXPECT_TRUE(Set("/f", c.args, kRoot).ok());
    Mode("/f", 0666);
    EXPECT_EQ(Set("/f", c.args, kBob).code(), c.writer);
  }
}

TEST_F(SetAttrTest, EachTimeIsSetByItself) {
  Must(File("/f"));
  const Attr before = AttrOf("/f");
  Must(Set("/f", {.atime = Timestamp{-1}}));
  EXPECT_EQ(AttrOf("/f").atime, Timestamp{-1});
  EXPECT_EQ(AttrOf("/f").mtime, before.mtime);
  EXPECT_EQ(AttrOf("/f").ctime, now);
  Must(Set("/f", {.mtime_now = true, .atime = Timestamp{77}}));
  EXPECT_EQ(AttrOf("/f").atime, Timestamp{77});
  EXPECT_EQ(AttrOf("/f").mtime, now);
  Must(Set("/f", {.size = 3, .mtime = Timestamp{88}}));
  EXPECT_EQ(AttrOf("/f").mtime, Timestamp{88});
  EXPECT_EQ(AttrOf("/f").btime, before.btime);
}

}  // namespace
}  // namespace tarn::posix
