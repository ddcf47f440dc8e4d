// Unlink and RemoveDir.
#include "tests/unit/posix/rules_fixture.h"

namespace tarn::posix {
namespace {

using RemoveTest = RulesFixture;

TEST_F(RemoveTest, LastNameMakesAnOrphan) {
  Handle f = File("/f")->entry.handle;
  Must(Hard("/f", "/g"));
  Attr dir = AttrOf("/"), before = AttrOf("/f");
  EXPECT_TRUE(Remove("/f").ok());
  EXPECT_EQ(At(f).attr.nlink, 1u);
  EXPECT_EQ(At(f).attr.ctime, now);
  EXPECT_EQ(At(f).attr.mtime, before.mtime);
  EXPECT_EQ(At(f).attr.version, before.version + 1);
  EXPECT_EQ(AttrOf("/").mtime, now);
  EXPECT_EQ(AttrOf("/").ctime, now);
  EXPECT_EQ(AttrOf("/").version, dir.version + 1);
  EXPECT_TRUE(meta.orphans.empty());
  EXPECT_TRUE(Remove("/g").ok());
  EXPECT_EQ(At(f).attr.nlink, 0u);
  EXPECT_TRUE(meta.orphans.contains(f.ino));
}

TEST_F(RemoveTest, RemovedDirectoryIsAnOrphanWithoutLinks) {
  Handle d = Dir("/d")->handle;
  EXPECT_EQ(AttrOf("/").nlink, 3u);
  EXPECT_TRUE(RmDir("/d").ok());
  EXPECT_EQ(At(d).attr.nlink, 0u);
  EXPECT_EQ(At(d).attr.ctime, now);
  EXPECT_EQ(AttrOf("/").nlink, 2u);
  EXPECT_TRUE(meta.orphans.contains(d.ino));
}

TEST_F(RemoveTest, EachVerbTakesItsOwnKind) {
  Must(Dir("/d"));
  Must(Dir("/full"));
  Must(File("/full/f"));
  Must(Sym("/s", "full"));
  EXPECT_EQ(Remove("/d").code(), Errno::kEISDIR);
  EXPECT_EQ(RmDir("/s").code(), Errno::kENOTDIR);
  EXPECT_EQ(RmDir("/full").code(), Errno::kENOTEMPTY);
  EXPECT_EQ(RmDir("/full/f").code(), Errno::kENOTDIR);
  EXPECT_EQ(Remove("/none").code(), Errno::kENOENT);
  EXPECT_EQ(RmDir("/none").code(), Errno::kENOENT);
  EXPECT_EQ(Remove("/full/f/x").code(), Errno::kENOTDIR);
  EXPECT_TRUE(Remove("/s").ok());
  EXPECT_TRUE(Exists("/full/f"));
}

TEST_F(RemoveTest, ErrorsComeInTheKernelsOrder) {
  Must(Dir("/d"));
  Must(Dir("/d/sub"));
  Must(Dir("/d/sub/x"));
  // EROFS before the name, the directory's permission before kind and contents.
  EXPECT_EQ(Remove("/d/none", ReadOnly(kRoot)).code(), Errno::kEROFS);
  EXPECT_EQ(RmDir("/d/none", ReadOnly(kRoot)).code(), Errno::kEROFS);
  EXPECT_EQ(Remove("/d/none", kAlice).code(), Errno::kENOENT);
  EXPECT_EQ(Remove("/d/sub", kAlice).code(), Errno::kEACCES);
  EXPECT_EQ(RmDir("/d/sub", kAlice).code(), Errno::kEACCES);
  Mode("/d", 01777);
  EXPECT_EQ(Remove("/d/sub", kAlice).code(), Errno::kEPERM);
  EXPECT_EQ(RmDir("/d/sub", kAlice).code(), Errno::kEPERM);
  Mode("/d", 0766);
  EXPECT_EQ(Remove("/d/none", kAlice).code(), Errno::kEACCES);
}

TEST_F(RemoveTest, StickyDirectoryLetsOnlyOwnersRemove) {
  const struct {
    Uid dir, victim;
    Caller caller;
    Errno expected;
  } cases[] = {
      {1000, 0, kAlice, Errno::kOk},        {0, 1000, kAlice, Errno::kOk},
      {0, 1001, kAlice, Errno::kEPERM},     {1001, 0, kAlice, Errno::kEPERM},
      {1001, 1001, kAlice, Errno::kEPERM},  {1001, 1001, kRoot, Errno::kOk},
      {1001, 1001, User(7), Errno::kEPERM},
  };
  for (const auto& c : cases) {
    meta = testing::MemMeta();
    Must(Dir("/d"));
    Must(File("/d/f"));
    Must(Dir("/d/e"));
    Own("/d", c.dir, 0);
    Own("/d/f", c.victim, 0);
    Own("/d/e", c.victim, 0);
    Mode("/d", 01777);
    EXPECT_EQ(Remove("/d/f", c.caller).code(), c.expected) << c.dir << " " << c.victim;
    EXPECT_EQ(RmDir("/d/e", c.caller).code(), c.expected) << c.dir << " " << c.victim;
  }
}

}  // namespace
}  // namespace tarn::posix
