#include "tests/unit/posix/rules_fixture.h"

namespace tarn::posix {
namespace {

// What stands at one end of a rename.
enum class End { kAbsent, kFile, kSymlink, kFifo, kEmptyDir, kFullDir };
constexpr End kEnds[] = {End::kAbsent, End::kFile,     End::kSymlink,
                         End::kFifo,   End::kEmptyDir, End::kFullDir};

bool IsDir(End end) {
  return end == End::kEmptyDir || end == End::kFullDir;
}

Errno Expected(End source, End target, RenameMode mode) {
  if (source == End::kAbsent) return Errno::kENOENT;
  if (mode == RenameMode::kExchange) {
    return target == End::kAbsent ? Errno::kENOENT : Errno::kOk;
  }
  if (target == End::kAbsent) return Errno::kOk;
  if (mode == RenameMode::kNoReplace) return Errno::kEEXIST;
  if (IsDir(source) && !IsDir(target)) return Errno::kENOTDIR;
  if (!IsDir(source) && IsDir(target)) return Errno::kEISDIR;
  return target == End::kFullDir ? Errno::kENOTEMPTY : Errno::kOk;
}

class RenameTest : public RulesFixture {
 protected:
  void Make(const std::string& path, End end) {
    switch (end) {
      case End::kAbsent:
        return;
      case End::kFile:
        EXPECT_TRUE(File(path).ok());
        return;
      case End::kSymlink:
        EXPECT_TRUE(Sym(path, "t").ok());
        return;
      case End::kFifo:
        EXPECT_TRUE(Node(path, FileType::kFifo).ok());
        return;
      case End::kFullDir:
      case End::kEmptyDir:
        EXPECT_TRUE(Dir(path).ok());
        if (end == End::kFullDir) Must(Dir(path + "/sub"));
    }
  }

  void CheckCase(End source, End target, RenameMode mode, const std::string& to_dir) {
    meta = testing::MemMeta();
    Must(Dir("/a"));
    if (to_dir != "/a") Must(Dir(to_dir));
    Make("/a/source", source);
    Make(to_dir + "/target", target);
    const Handle moved = At("/a/source"), met = At(to_dir + "/target");
    const Attr from_before = AttrOf("/a"), to_before = AttrOf(to_dir);

    Errno expected = Expected(source, target, mode);
    ASSERT_EQ(Move("/a/source", to_dir + "/target", mode).code(), expected);
    if (expected != Errno::kOk) return;

    bool exchange = mode == RenameMode::kExchange;
    EXPECT_EQ(At(to_dir + "/target"), moved);
    EXPECT_EQ(At("/a/source"), exchange ? met : Handle{});
    EXPECT_EQ(At(moved).attr.ctime, now);
    for (const auto& [path, before] : {std::pair("/a", from_before), {to_dir.c_str(), to_before}}) {
      EXPECT_EQ(AttrOf(path).mtime, now);
      EXPECT_EQ(AttrOf(path).ctime, now);
      EXPECT_EQ(AttrOf(path).version, before.version + 1);
    }
    if (target == End::kAbsent) return;
    EXPECT_EQ(At(met).attr.ctime, now);
    EXPECT_EQ(At(met).attr.nlink == 0, !exchange);
    EXPECT_EQ(meta.orphans.contains(met.ino), !exchange);
  }
};

// Link counts, parents and recorded names are checked by the fixture after every rule.
TEST_F(RenameTest, EveryPairOfKindsInEveryMode) {
  for (RenameMode mode : {RenameMode::kReplace, RenameMode::kNoReplace, RenameMode::kExchange}) {
    for (const std::string to_dir : {"/a", "/b"}) {
      for (End source : kEnds) {
        for (End target : kEnds) {
          SCOPED_TRACE(::testing::Message()
                       << "mode " << int{Raw(mode)} << " to " << to_dir << " source "
                       << static_cast<int>(source) << " target " << static_cast<int>(target));
          CheckCase(source, target, mode, to_dir);
        }
      }
    }
  }
}

TEST_F(RenameTest, TwoNamesOfOneInodeChangeNothing) {
  Must(Dir("/d"));
  Must(File("/f"));
  Must(Hard("/f", "/g"));
  Must(Hard("/f", "/d/h"));
  for (RenameMode mode : {RenameMode::kReplace, RenameMode::kExchange}) {
    for (const std::string to : {"/f", "/g", "/d/h"}) {
      auto before = meta;
      EXPECT_TRUE(Move("/f", to, mode).ok());
      EXPECT_TRUE(meta == before) << to;
      // Nothing is even checked: as Linux.
      EXPECT_TRUE(Move("/f", to, mode, kAlice).ok());
    }
  }
  EXPECT_EQ(Move("/f", "/g", RenameMode::kNoReplace).code(), Errno::kEEXIST);
  EXPECT_EQ(Move("/f", "/g", RenameMode::kReplace, ReadOnly(kRoot)).code(), Errno::kEROFS);
}

TEST_F(RenameTest, ReplacingOneOfTwoNamesKeepsTheInode) {
  Must(File("/f"));
  Must(File("/t"));
  Must(Hard("/t", "/t2"));
  EXPECT_TRUE(Move("/f", "/t").ok());
  EXPECT_EQ(AttrOf("/t2").nlink, 1u);
  EXPECT_EQ(AttrOf("/t2").ctime, now);
  EXPECT_TRUE(meta.orphans.empty());
}

TEST_F(RenameTest, DirectoryCannotGoIntoItself) {
  Must(Dir("/a"));
  Must(Dir("/a/b"));
  Must(Dir("/a/b/c"));
  Must(File("/f"));
  for (RenameMode mode : {RenameMode::kReplace, RenameMode::kNoReplace}) {
    EXPECT_EQ(Move("/a", "/a/x", mode).code(), Errno::kEINVAL);
    EXPECT_EQ(Move("/a", "/a/b/c/x", mode).code(), Errno::kEINVAL);
  }
  EXPECT_EQ(Move("/a", "/a/b", RenameMode::kReplace).code(), Errno::kEINVAL);
  EXPECT_EQ(Move("/a", "/a/b", RenameMode::kExchange).code(), Errno::kEINVAL);
  EXPECT_EQ(Move("/a/b", "/a", RenameMode::kExchange).code(), Errno::kEINVAL);
  EXPECT_EQ(Move("/a/b/c", "/a", RenameMode::kReplace).code(), Errno::kENOTEMPTY);
  // Linux says so of a file over its ancestor, too: not EISDIR.
  Must(File("/a/b/c/f"));
  EXPECT_EQ(Move("/a/b/c/f", "/a", RenameMode::kReplace).code(), Errno::kENOTEMPTY);
  EXPECT_EQ(Move("/a/b/c/f", "/a", RenameMode::kExchange).code(), Errno::kEINVAL);
  // Upwards is fine.
  EXPECT_TRUE(Move("/a/b/c", "/c").ok());
  EXPECT_EQ(At(At("/c")).parent, kRootIno);
}

TEST_F(RenameTest, StickyDirectoryLetsOnlyOwnersMove) {
  const struct {
    Uid dir, victim;
    Errno expected;
  } cases[] = {
      {1000, 0, Errno::kOk},
      {0, 1000, Errno::kOk},
      {0, 0, Errno::kEPERM},
      {1001, 1001, Errno::kEPERM},
  };
  for (const auto& c : cases) {
    meta = testing::MemMeta();
    Must(Dir("/sticky"));
    Must(Dir("/open"));
    Must(File("/sticky/f"));
    Must(File("/open/g", 0644, kRoot));
    Own("/sticky", c.dir, 0);
    Own("/sticky/f", c.victim, 0);
    Mode("/sticky", 01777);
    Mode("/open", 0777);
    // Out of it; then over what is in it.
    EXPECT_EQ(Move("/sticky/f", "/open/f", RenameMode::kReplace, kAlice).code(), c.expected);
    if (c.expected == Errno::kOk) Must(Move("/open/f", "/sticky/f"));
    EXPECT_EQ(Move("/open/g", "/sticky/f", RenameMode::kReplace, kAlice).code(), c.expected);
  }
}

TEST_F(RenameTest, MovedDirectoryMustBeWritableForANewParent) {
  Must(Dir("/a"));
  Must(Dir("/b"));
  Mode("/a", 0777);
  Mode("/b", 0777);
  Must(Dir("/a/d"));  // of root, 0755
  Must(File("/a/f"));
  EXPECT_EQ(Move("/a/d", "/b/d", RenameMode::kReplace, kAlice).code(), Errno::kEACCES);
  EXPECT_TRUE(Move("/a/d", "/a/e", RenameMode::kReplace, kAlice).ok());
  EXPECT_TRUE(Move("/a/f", "/b/f", RenameMode::kReplace, kAlice).ok());
  EXPECT_EQ(Move("/b/f", "/a/e", RenameMode::kExchange, kAlice).code(), Errno::kEACCES);
}

TEST_F(RenameTest, PermissionsOfBothDirectoriesCount) {
  Must(Dir("/a"));
  Must(Dir("/b"));
  Must(File("/a/f"));
  Mode("/a", 0777);
  EXPECT_EQ(Move("/a/f", "/b/f", RenameMode::kReplace, kAlice).code(), Errno::kEACCES);
  EXPECT_EQ(Move("/b/none", "/a/f", RenameMode::kReplace, kAlice).code(), Errno::kENOENT);
  Mode("/b", 0766);
  EXPECT_EQ(Move("/b/none", "/a/f", RenameMode::kReplace, kAlice).code(), Errno::kEACCES);
  EXPECT_EQ(Move("/a/f", "/a/g", RenameMode::kReplace, ReadOnly(kRoot)).code(), Errno::kEROFS);
  EXPECT_EQ(Move("/a/f", "/a/f/x").code(), Errno::kENOTDIR);
}

TEST_F(RenameTest, OtherQuotaIsAnotherDevice) {
  Must(Dir("/a"));
  Must(File("/f"));
  At(At("/a")).quota = QuotaId{5};
  Must(File("/a/g"));
  EXPECT_EQ(Move("/f", "/a/f").code(), Errno::kEXDEV);
  EXPECT_EQ(Move("/a/g", "/g").code(), Errno::kEXDEV);
  EXPECT_EQ(Move("/f", "/a/g", RenameMode::kExchange).code(), Errno::kEXDEV);
  EXPECT_TRUE(Move("/a/g", "/a/h").ok());
}

TEST_F(RenameTest, DirectoryMayJoinMoreOthersThanAFileHasNames) {
  Must(Dir("/a"));
  Must(Dir("/b"));
  Must(Dir("/a/d"));
  Must(Dir("/b/e"));
  At(At("/b")).attr.nlink = kLinkMax;
  auto move = [&](RenameArgs args) {
    testing::MemMetaTxn txn(meta, now);
    return Rename(txn, kRoot, args).code();
  };
  EXPECT_EQ(move({At("/a"), "d", At("/b"), "d"}), Errno::kOk);
  EXPECT_EQ(move({At("/a"), "d", At("/b"), "e"}), Errno::kOk);  // one comes, one goes
  EXPECT_EQ(move({At("/b"), "e", At("/b"), "f"}), Errno::kOk);
}

}  // namespace
}  // namespace tarn::posix
