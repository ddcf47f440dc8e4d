#include "common/posix/acl.h"

#include "tests/unit/posix/rules_fixture.h"

namespace tarn::posix {
namespace {

using E = AclEntry;
constexpr AclTag kOwner = AclTag::kOwner, kUser = AclTag::kUser, kGroupObj = AclTag::kOwningGroup,
                 kGroup = AclTag::kGroup, kMask = AclTag::kMask, kOther = AclTag::kOther;

const std::string kAccess(kAccessAclName), kDefault(kDefaultAclName);

class AclTest : public RulesFixture {
 protected:
  Status SetAcl(const std::string& path, const std::string& name, Acl acl,
                const Caller& caller = kRoot) {
    return SetX(path, name, EncodeAcl(acl), caller);
  }
  Acl GetAcl(const std::string& path, const std::string& name) {
    auto value = GetX(path, name);
    return value.ok() ? *ParseAcl(value->value) : Acl{};
  }
};

TEST_F(AclTest, EncodingIsLinuxs) {
  Acl acl{{E{kOwner, 7}, E{kUser, 5, 0x01020304}, E{kGroupObj, 4}, E{kMask, 5}, E{kOther, 0}}};
  const unsigned char golden[] = {2,    0, 0, 0,                          //
                                  1,    0, 7, 0, 0xff, 0xff, 0xff, 0xff,  //
                                  2,    0, 5, 0, 4,    3,    2,    1,     //
                                  4,    0, 4, 0, 0xff, 0xff, 0xff, 0xff,  //
                                  0x10, 0, 5, 0, 0xff, 0xff, 0xff, 0xff,  //
                                  0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
  std::string expected(reinterpret_cast<const char*>(golden), sizeof(golden));
  EXPECT_EQ(EncodeAcl(acl), expected);
  EXPECT_EQ(*ParseAcl(expected), acl);
}

TEST_F(AclTest, ParseRefusesWhatIsNone) {
  std::string good = EncodeAcl({{E{kOwner, 7}, E{kGroupObj, 4}, E{kOther, 0}}});
  EXPECT_TRUE(ParseAcl("")->entries.empty());
  EXPECT_TRUE(ParseAcl(good.substr(0, 4))->entries.empty());
  EXPECT_EQ(ParseAcl("abc").code(), Errno::kEINVAL);
  EXPECT_EQ(ParseAcl(good + "x").code(), Errno::kEINVAL);
  std::string version = good, tag = good;
  version[0] = 1;
  tag[4] = 3;
  EXPECT_EQ(ParseAcl(version).code(), Errno::kEOPNOTSUPP);
  EXPECT_EQ(ParseAcl(tag).code(), Errno::kEINVAL);
}

TEST_F(AclTest, CheckWantsEachEntryInItsPlace) {
  const E o{kOwner, 7}, u{kUser, 7, 5}, g{kGroupObj, 7}, n{kGroup, 7, 6}, m{kMask, 7}, t{kOther, 7};
  const struct {
    std::vector<E> entries;
    bool valid;
  } cases[] = {
      {{o, g, t}, true},
      {{o, u, g, n, m, t}, true},
      {{o, u, u, g, m, t}, true},
      {{o, g, m, t}, true},
      {{}, false},
      {{o, g}, false},
      {{g, o, t}, false},
      {{o, o, g, t}, false},
      {{o, u, g, t}, false},
      {{o, g, n, t}, false},
      {{o, g, n, u, m, t}, false},
      {{o, g, m, m, t}, false},
      {{o, g, t, m}, false},
      {{o, m, t}, false},
      {{o, g, t, t}, false},
      {{E{kOwner, 8}, g, t}, false},
      {{o, E{kUser, 7}, g, m, t}, false},
  };
  int i = 0;
  for (const auto& c : cases) EXPECT_EQ(CheckAcl({c.entries}).ok(), c.valid) << i++;
}

// The file is of uid 10, gid 20; modes and ACL say different things of everybody.
TEST_F(AclTest, EnforcementFollowsTheDraftsAlgorithm) {
  Must(File("/f"));
  Own("/f", 10, 20);
  ASSERT_TRUE(SetAcl("/f", kAccess,
                     {{E{kOwner, 6}, E{kUser, 7, 11}, E{kUser, 0, 12}, E{kGroupObj, 4},
                       E{kGroup, 2, 21}, E{kGroup, 7, 22}, E{kMask, 6}, E{kOther, 1}}})
                  .ok());
  EXPECT_EQ(AttrOf("/f").mode, 0661u);
  const struct {
    Caller caller;
    uint32_t allowed;  // bits that are granted alone
  } cases[] = {
      {User(10), 6},            // owner: not masked
      {User(11), 6},            // named, masked
      {User(12, {22}), 0},      // named with nothing: groups do not help
      {User(30, {20}), 4},      // owning group
      {User(30, {21}), 2},      // named group
      {User(30, {20, 21}), 6},  // either, one at a time
      {User(30, {22}), 6},      // named group, masked
      {User(30), 1},            // other: not masked
      {User(30, {21, 20}), 6},
  };
  for (const auto& c : cases) {
    for (uint32_t bit : {1u, 2u, 4u}) {
      Errno expected = (c.allowed & bit) != 0 ? Errno::kOk : Errno::kEACCES;
      EXPECT_EQ(Check("/f", bit, c.caller).code(), expected) << c.caller.uid << " " << bit;
    }
  }
  // Read and write are granted by two groups, but by none together.
  EXPECT_EQ(Check("/f", 6, User(30, {20, 21})).code(), Errno::kEACCES);
  EXPECT_TRUE(Check("/f", 6, User(30, {22})).ok());
}

TEST_F(AclTest, EmptyGroupClassSilencesNamedEntriesAsOnLinux) {
  Must(File("/f"));
  Own("/f", 10, 20);
  Must(SetAcl("/f", kAccess,
              {{E{kOwner, 6}, E{kUser, 7, 11}, E{kGroupObj, 7}, E{kMask, 0}, E{kOther, 4}}}));
  EXPECT_TRUE(Check("/f", 4, User(11)).ok());
  EXPECT_EQ(Check("/f", 4, User(30, {20})).code(), Errno::kEACCES);
}

TEST_F(AclTest, SettingAccessAclSetsTheMode) {
  Must(File("/f", 04640));
  uint64_t version = AttrOf("/f").version;
  EXPECT_TRUE(SetAcl("/f", kAccess,
                     {{E{kOwner, 7}, E{kUser, 6, 11}, E{kGroupObj, 1}, E{kMask, 5}, E{kOther, 4}}})
                  .ok());
  EXPECT_EQ(AttrOf("/f").mode, 04754u);
  EXPECT_EQ(AttrOf("/f").ctime, now);
  EXPECT_EQ(AttrOf("/f").version, version + 1);
  // A minimal one is only a mode.
  EXPECT_TRUE(SetAcl("/f", kAccess, {{E{kOwner, 6}, E{kGroupObj, 4}, E{kOther, 0}}}).ok());
  EXPECT_EQ(AttrOf("/f").mode, 04640u);
  EXPECT_EQ(GetX("/f", kAccess).code(), Errno::kENODATA);
}

TEST_F(AclTest, RemovingAclLeavesTheMode) {
  Must(Dir("/d"));
  Acl acl{{E{kOwner, 7}, E{kUser, 6, 11}, E{kGroupObj, 1}, E{kMask, 5}, E{kOther, 4}}};
  for (const std::string& name : {kAccess, kDefault}) {
    Must(SetAcl("/d", name, acl));
    EXPECT_EQ(GetAcl("/d", name), acl);
    uint32_t mode = AttrOf("/d").mode;
    auto drop = [&](MetaTxn& txn) { return RemoveXattr(txn, kRoot, {At("/d"), name}); };
    EXPECT_TRUE(Run(drop).ok());
    EXPECT_EQ(AttrOf("/d").mode, mode);
    EXPECT_EQ(GetX("/d", name).code(), Errno::kENODATA);
    EXPECT_TRUE(Run(drop).ok());
    Must(SetAcl("/d", name, acl));
    EXPECT_TRUE(SetX("/d", name, "").ok());
    EXPECT_EQ(GetX("/d", name).code(), Errno::kENODATA);
  }
}

TEST_F(AclTest, OnlyOwnersSetAndOnlyWhereItMakesSense) {
  Acl acl{{E{kOwner, 7}, E{kGroupObj, 5}, E{kOther, 5}}};
  Must(File("/f", 0666));
  Must(Dir("/d", 0777));
  Must(Sym("/s", "t"));
  EXPECT_EQ(SetAcl("/f", kAccess, acl, kAlice).code(), Errno::kEPERM);
  EXPECT_EQ(SetAcl("/d", kDefault, acl, kAlice).code(), Errno::kEPERM);
  EXPECT_EQ(SetAcl("/f", kDefault, acl).code(), Errno::kEACCES);
  EXPECT_TRUE(SetX("/f", kDefault, "").ok());
  EXPECT_EQ(SetAcl("/s", kAccess, acl).code(), Errno::kEOPNOTSUPP);
  EXPECT_EQ(GetX("/s", kAccess).code(), Errno::kEOPNOTSUPP);
  EXPECT_EQ(SetAcl("/f", kAccess, {{E{kOwner, 7}}}).code(), Errno::kEINVAL);
  Own("/f", 1000, 500);
  Mode("/f", 02755);
  EXPECT_TRUE(SetAcl("/f", kAccess, acl, kAlice).ok());
  EXPECT_EQ(AttrOf("/f").mode, 0755u);  // not in the group: S_ISGID goes, as with chmod
}

TEST_F(AclTest, ChmodChangesTheAcl) {
  Must(File("/f"));
  Must(SetAcl("/f", kAccess,
              {{E{kOwner, 7}, E{kUser, 6, 11}, E{kGroupObj, 1}, E{kMask, 5}, E{kOther, 4}}}));
  Must(Set("/f", {.mode = 0623}));
  EXPECT_EQ(AttrOf("/f").mode, 0623u);
  EXPECT_EQ(GetAcl("/f", kAccess),
            (Acl{{E{kOwner, 6}, E{kUser, 6, 11}, E{kGroupObj, 1}, E{kMask, 2}, E{kOther, 3}}}));
}

TEST_F(AclTest, ChildrenInheritTheDefaultInPlaceOfTheUmask) {
  Must(Dir("/d"));
  Acl inherited{{E{kOwner, 7}, E{kUser, 7, 11}, E{kGroupObj, 5}, E{kMask, 7}, E{kOther, 5}}};
  Must(SetAcl("/d", kDefault, inherited));
  auto create = [&](const std::string& name, uint32_t mode) {
    return Run([&](MetaTxn& txn) {
      return Create(txn, kRoot, {.dir = At("/d"), .name = name, .mode = mode, .umask = 077});
    });
  };
  Must(create("f", 0640));
  EXPECT_EQ(AttrOf("/d/f").mode, 0640u);
  EXPECT_EQ(GetAcl("/d/f", kAccess),
            (Acl{{E{kOwner, 6}, E{kUser, 7, 11}, E{kGroupObj, 5}, E{kMask, 4}, E{kOther, 0}}}));
  EXPECT_EQ(GetX("/d/f", kDefault).code(), Errno::kENODATA);

  Must(Run([&](MetaTxn& txn) { return MakeDir(txn, kRoot, {At("/d"), "sub", 0777, 077}); }));
  EXPECT_EQ(AttrOf("/d/sub").mode, 0775u);
  EXPECT_EQ(GetAcl("/d/sub", kDefault), inherited);
  EXPECT_EQ(GetAcl("/d/sub", kAccess), inherited);

  Must(Sym("/d/s", "t"));
  EXPECT_EQ(AttrOf("/d/s").mode, 0777u);
  for (const auto& [key, value] : meta.xattrs) EXPECT_NE(key.first, At("/d/s").ino);

  // A default that is no more than a mode leaves nothing but the mode.
  Must(SetAcl("/d", kDefault, {{E{kOwner, 7}, E{kGroupObj, 5}, E{kOther, 0}}}));
  Must(create("g", 0666));
  EXPECT_EQ(AttrOf("/d/g").mode, 0640u);
  EXPECT_EQ(GetX("/d/g", kAccess).code(), Errno::kENODATA);
}

TEST_F(AclTest, MalformedStoredAclIsCorruption) {
  Must(File("/f", 0666));
  Must(SetAcl("/f", kAccess, {{E{kOwner, 6}, E{kUser, 6, 5}, E{kGroupObj, 6}, E{kMask, 6},
                               E{kOther, 6}}}));
  meta.xattrs[{At("/f").ino, kAccess}] = "junk";
  EXPECT_EQ(Check("/f", 4, kAlice).code(), Errno::kEIO);
  EXPECT_TRUE(Check("/f", 4, kRoot).ok());
}

}  // namespace
}  // namespace tarn::posix
