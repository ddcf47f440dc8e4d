#include "common/posix/acl.h"
#include "tests/unit/posix/rules_fixture.h"

namespace tarn::posix {
namespace {

class XattrsTest : public RulesFixture {
 protected:
  Result<ListXattrReply> List(const std::string& path, const Caller& caller = kRoot) {
    return Run([&](MetaTxn& txn) { return ListXattr(txn, caller, {At(path)}); });
  }
  Status Drop(const std::string& path, const std::string& name, const Caller& caller = kRoot) {
    return Run([&](MetaTxn& txn) { return RemoveXattr(txn, caller, {At(path), name}); });
  }
};

TEST_F(XattrsTest, ValuesComeAndGo) {
  Must(File("/f"));
  Attr before = AttrOf("/f");
  EXPECT_TRUE(SetX("/f", "user.a", std::string("x\0y", 3)).ok());
  EXPECT_EQ(AttrOf("/f").ctime, now);
  EXPECT_EQ(AttrOf("/f").mtime, before.mtime);
  EXPECT_EQ(AttrOf("/f").version, before.version + 1);
  EXPECT_EQ(GetX("/f", "user.a")->value, std::string("x\0y", 3));
  EXPECT_TRUE(SetX("/f", "user.a", "").ok());
  EXPECT_EQ(GetX("/f", "user.a")->value, "");
  EXPECT_TRUE(SetX("/f", "user.b", "2").ok());
  EXPECT_EQ(List("/f")->names, (std::vector<std::string>{"user.a", "user.b"}));
  EXPECT_TRUE(Drop("/f", "user.a").ok());
  EXPECT_EQ(AttrOf("/f").ctime, now);
  EXPECT_EQ(GetX("/f", "user.a").code(), Errno::kENODATA);
  EXPECT_EQ(Drop("/f", "user.a").code(), Errno::kENODATA);
}

TEST_F(XattrsTest, AttributesTellThatThereAreNone) {
  Must(File("/f"));
  Must(Dir("/d"));
  EXPECT_TRUE(AttrOf("/f").no_xattrs);
  EXPECT_TRUE(AttrOf("/d").no_xattrs);
  EXPECT_TRUE(SetX("/f", "user.a", "1").ok());
  EXPECT_FALSE(AttrOf("/f").no_xattrs);
  const Acl acl{{{AclTag::kOwner, 7},
                 {AclTag::kUser, 5, 1000},
                 {AclTag::kOwningGroup, 5},
                 {AclTag::kMask, 5},
                 {AclTag::kOther, 0}}};
  EXPECT_TRUE(SetX("/d", std::string(kDefaultAclName), EncodeAcl(acl)).ok());
  EXPECT_FALSE(AttrOf("/d").no_xattrs);
  Must(File("/d/inherits"));
  EXPECT_FALSE(AttrOf("/d/inherits").no_xattrs);
  EXPECT_TRUE(GetX("/d/inherits", std::string(kAccessAclName)).ok());
}

TEST_F(XattrsTest, CreateAndReplaceLookFirst) {
  Must(File("/f"));
  EXPECT_EQ(SetX("/f", "user.a", "1", kRoot, XattrMode::kReplace).code(), Errno::kENODATA);
  EXPECT_TRUE(SetX("/f", "user.a", "1", kRoot, XattrMode::kCreate).ok());
  EXPECT_EQ(SetX("/f", "user.a", "2", kRoot, XattrMode::kCreate).code(), Errno::kEEXIST);
  EXPECT_TRUE(SetX("/f", "user.a", "3", kRoot, XattrMode::kReplace).ok());
}

TEST_F(XattrsTest, NamesAreCheckedByNamespace) {
  Must(File("/f", 0666));
  const struct {
    std::string name;
    Errno expected;
  } cases[] = {
      {"", Errno::kERANGE},
      {"user." + std::string(251, 'x'), Errno::kERANGE},
      {"user." + std::string(250, 'x'), Errno::kOk},
      {std::string("user.a\0b", 8), Errno::kEINVAL},
      {"user.", Errno::kEINVAL},
      {"trusted.", Errno::kEINVAL},
      {"user", Errno::kEOPNOTSUPP},
      {"other.a", Errno::kEOPNOTSUPP},
      {"system.a", Errno::kEOPNOTSUPP},
      {"system.posix_acl_accessory", Errno::kEOPNOTSUPP},
      {"trusted.a", Errno::kOk},
      {"security.a", Errno::kOk},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(SetX("/f", c.name, "v").code(), c.expected) << c.name;
    EXPECT_EQ(GetX("/f", c.name).code(), c.expected) << c.name;
    EXPECT_EQ(Drop("/f", c.name).code(), c.expected) << c.name;
  }
}

TEST_F(XattrsTest, EachNamespaceHasItsOwnRights) {
  const struct {
    std::string name;
    uint32_t mode;
    Errno get, set;
  } cases[] = {
      {"user.a", 0666, Errno::kOk, Errno::kOk},
      {"user.a", 0444, Errno::kOk, Errno::kEACCES},
      {"user.a", 0222, Errno::kEACCES, Errno::kOk},
      {"security.a", 0666, Errno::kOk, Errno::kEPERM},
      {"security.capability", 0, Errno::kOk, Errno::kEPERM},
      {"trusted.a", 0666, Errno::kENODATA, Errno::kEPERM},
      {"other.a", 0, Errno::kEACCES, Errno::kEACCES},
  };
  for (const auto& c : cases) {
    meta = testing::MemMeta();
    Must(File("/f"));
    if (!c.name.starts_with("other")) Must(SetX("/f", c.name, "v"));
    Mode("/f", c.mode);
    EXPECT_EQ(GetX("/f", c.name, kAlice).code(), c.get) << c.name;
    EXPECT_EQ(SetX("/f", c.name, "w", kAlice).code(), c.set) << c.name;
    EXPECT_EQ(Drop("/f", c.name, kAlice).code(), c.set) << c.name;
  }
}

TEST_F(XattrsTest, UserNamesAreForFilesAndDirectories) {
  Must(Sym("/s", "t"));
  Must(Node("/p", FileType::kFifo));
  Must(Dir("/d", 0777));
  for (const char* path : {"/s", "/p"}) {
    EXPECT_EQ(SetX(path, "user.a", "v").code(), Errno::kEPERM);
    EXPECT_EQ(GetX(path, "user.a").code(), Errno::kENODATA);
    EXPECT_EQ(Drop(path, "user.a").code(), Errno::kEPERM);
    EXPECT_TRUE(SetX(path, "trusted.a", "v").ok());
  }
  EXPECT_TRUE(SetX("/d", "user.a", "v", kAlice).ok());
  Mode("/d", 01777);
  EXPECT_EQ(SetX("/d", "user.a", "v", kAlice).code(), Errno::kEPERM);
  EXPECT_TRUE(GetX("/d", "user.a", kAlice).ok());
  Own("/d", 1000, 0);
  EXPECT_TRUE(SetX("/d", "user.a", "v", kAlice).ok());
}

TEST_F(XattrsTest, ListHidesTrustedNamesFromOthersThanRoot) {
  Must(File("/f", 0));
  Must(SetX("/f", "trusted.a", "v"));
  Must(SetX("/f", "user.a", "v"));
  EXPECT_EQ(List("/f", kAlice)->names, std::vector<std::string>{"user.a"});
  EXPECT_EQ(List("/f")->names.size(), 2u);
}

TEST_F(XattrsTest, ReadOnlyCallerChangesNothing) {
  Must(File("/f"));
  EXPECT_EQ(SetX("/f", "user.a", "v", ReadOnly(kRoot)).code(), Errno::kEROFS);
  EXPECT_EQ(Drop("/f", "user.a", ReadOnly(kRoot)).code(), Errno::kEROFS);
  EXPECT_EQ(SetX("/f", std::string(kAccessAclName), "", ReadOnly(kRoot)).code(), Errno::kEROFS);
}

TEST_F(XattrsTest, ValuesAndTheirSumAreBounded) {
  Must(File("/f"));
  const std::string kMax(kXattrValueMaxBytes, 'v');
  EXPECT_EQ(SetX("/f", "user.a", kMax + "v").code(), Errno::kE2BIG);
  for (int i = 0; i < 15; ++i) EXPECT_TRUE(SetX("/f", "user." + std::to_string(i), kMax).ok());
  EXPECT_EQ(SetX("/f", "user.last", kMax).code(), Errno::kENOSPC);
  // What is replaced does not count.
  EXPECT_TRUE(SetX("/f", "user.0", kMax).ok());
  EXPECT_TRUE(SetX("/f", "user.last", kMax.substr(1000)).ok());
}

TEST_F(XattrsTest, NamesMustFitOneList) {
  Must(File("/f"));
  // 256 names of 255 bytes and a NUL each fill a list of 64 KiB.
  for (int i = 0; i < 256; ++i) {
    std::string name = "user." + std::to_string(i);
    meta.xattrs[{At("/f").ino, name + std::string(255 - name.size(), 'x')}] = "";
  }
  EXPECT_EQ(SetX("/f", "user.b", "").code(), Errno::kENOSPC);
  meta.xattrs.erase(meta.xattrs.begin());
  EXPECT_TRUE(SetX("/f", "user.b", "").ok());
}

}  // namespace
}  // namespace tarn::posix
