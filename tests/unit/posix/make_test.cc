// Lookup, MakeNode, MakeDir, SymLink, Link, Create, CreateTmp.
#include "tests/unit/posix/rules_fixture.h"

namespace tarn::posix {
namespace {

class MakeTest : public RulesFixture {
 protected:
  Result<EntryReply> Find(const std::string& dir, const std::string& name,
                          const Caller& caller = kRoot) {
    return Run([&](MetaTxn& txn) { return Lookup(txn, caller, {At(dir), name}); });
  }
  Result<CreateReply> Open(const std::string& path, OpenAccess access, bool truncate = false,
                           const Caller& caller = kRoot, bool exclusive = false) {
    const Place at = Split(path);
    return Run([&](MetaTxn& txn) {
      return Create(txn, caller,
                    {.dir = at.dir,
                     .name = at.name,
                     .mode = 0644,
                     .access = access,
                     .exclusive = exclusive,
                     .truncate = truncate});
    });
  }
  Result<CreateReply> Tmp(const std::string& dir, bool linkable = true,
                          const Caller& caller = kRoot) {
    return Run([&](MetaTxn& txn) {
      return CreateTmp(txn, caller, {.dir = At(dir), .mode = 0600, .linkable = linkable});
    });
  }
};

TEST_F(MakeTest, LookupFindsNamesAndDots) {
  Ino d = Dir("/d")->handle.ino;
  Ino f = File("/d/f")->entry.handle.ino;
  EXPECT_EQ(Find("/d", "f")->handle.ino, f);
  EXPECT_EQ(Find("/d", "f")->attr, AttrOf("/d/f"));
  EXPECT_EQ(Find("/d", ".")->handle.ino, d);
  EXPECT_EQ(Find("/d/f", ".")->handle.ino, f);
  EXPECT_EQ(Find("/d", "..")->handle.ino, kRootIno);
  EXPECT_EQ(Find("/", "..")->handle.ino, kRootIno);
  EXPECT_EQ(Find("/d", "g").code(), Errno::kENOENT);
  EXPECT_EQ(Find("/d/f", "g").code(), Errno::kENOTDIR);
  EXPECT_EQ(Find("/d/f", "..").code(), Errno::kENOTDIR);
  EXPECT_EQ(Find("/none", "g").code(), Errno::kESTALE);
}

TEST_F(MakeTest, LookupNeedsSearchPermissionButForDot) {
  Must(Dir("/d", 0644));
  Must(File("/d/f"));
  EXPECT_EQ(Find("/d", "f", kAlice).code(), Errno::kEACCES);
  EXPECT_EQ(Find("/d", "none", kAlice).code(), Errno::kEACCES);
  EXPECT_EQ(Find("/d", "..", kAlice).code(), Errno::kEACCES);
  EXPECT_TRUE(Find("/d", ".", kAlice).ok());
  EXPECT_TRUE(Find("/d", "f", kRoot).ok());
}

TEST_F(MakeTest, NewInodesHaveTheAttributesOfTheirKind) {
  Caller caller = User(7);
  Mode("/", 0777);
  const Attr before = AttrOf("/");
  Must(Dir("/d", 07777, caller));
  Attr d = AttrOf("/d");
  EXPECT_EQ(d.mode, 01777u);
  EXPECT_EQ(d.nlink, 2u);
  EXPECT_EQ(d.size, kDirectoryBytes);
  EXPECT_EQ(d.allocated, kDirectoryBytes);
  EXPECT_EQ(d.uid, 7u);
  EXPECT_EQ(d.gid, 7u);
  EXPECT_EQ(d.btime, now);
  EXPECT_EQ(d.atime, now);
  EXPECT_EQ(d.mtime, now);
  EXPECT_EQ(d.ctime, now);
  EXPECT_EQ(AttrOf("/").nlink, before.nlink + 1);
  EXPECT_EQ(AttrOf("/").mtime, now);
  EXPECT_EQ(AttrOf("/").ctime, now);
  EXPECT_EQ(AttrOf("/").version, before.version + 1);

  Must(Sym("/s", std::string(4095, 't'), caller));
  EXPECT_EQ(AttrOf("/s").size, 4095u);
  EXPECT_EQ(AttrOf("/s").mode, 0777u);
  EXPECT_EQ(AttrOf("/s").allocated, 0u);
  EXPECT_EQ(AttrOf("/").nlink, before.nlink + 1);

  Must(Node("/c", FileType::kCharDevice, kRoot, 0x501));
  EXPECT_EQ(AttrOf("/c").rdev, 0x501u);
  Must(Node("/p", FileType::kFifo, kRoot, 0x501));
  EXPECT_EQ(AttrOf("/p").rdev, 0u);
}

TEST_F(MakeTest, MakeNodeRefusesWhatIsNotItsOwn) {
  Mode("/", 0777);
  EXPECT_EQ(Node("/x", FileType::kDirectory).code(), Errno::kEPERM);
  EXPECT_EQ(Node("/x", FileType::kSymlink).code(), Errno::kEINVAL);
  EXPECT_EQ(Node("/x", FileType{3}).code(), Errno::kEINVAL);
  EXPECT_EQ(Node("/x", FileType::kCharDevice, kAlice, 1).code(), Errno::kEPERM);
  EXPECT_EQ(Node("/x", FileType::kBlockDevice, kAlice, 0).code(), Errno::kEPERM);
  EXPECT_TRUE(Node("/whiteout", FileType::kCharDevice, kAlice, 0).ok());
  EXPECT_TRUE(Node("/socket", FileType::kSocket, kAlice).ok());
  EXPECT_TRUE(Node("/file", FileType::kRegular, kAlice).ok());
}

TEST_F(MakeTest, SymLinkRefusesBadTargets) {
  EXPECT_EQ(Sym("/s", "").code(), Errno::kENOENT);
  EXPECT_EQ(Sym("/s", std::string(4096, 't')).code(), Errno::kENAMETOOLONG);
  EXPECT_EQ(Sym("/s", std::string("a\0b", 3)).code(), Errno::kEINVAL);
}

TEST_F(MakeTest, ErrorsComeInTheKernelsOrder) {
  Must(Dir("/d", 0755));
  Must(File("/d/f"));
  // What exists wins over read-only and over the right to write; searching comes before both.
  EXPECT_EQ(Dir("/d/f", 0755, ReadOnly(kAlice)).code(), Errno::kEEXIST);
  EXPECT_EQ(Dir("/d/g", 0755, ReadOnly(kAlice)).code(), Errno::kEROFS);
  EXPECT_EQ(Dir("/d/g", 0755, kAlice).code(), Errno::kEACCES);
  Mode("/d", 0700);
  EXPECT_EQ(Dir("/d/f", 0755, kAlice).code(), Errno::kEACCES);
  EXPECT_EQ(Dir("/d/f/x", 0755).code(), Errno::kENOTDIR);
  EXPECT_EQ(Dir("/none/x", 0755).code(), Errno::kESTALE);
}

TEST_F(MakeTest, RemovedDirectoryTakesNoNames) {
  Handle d = Dir("/d")->handle;
  Must(File("/f"));
  Must(RmDir("/d"));
  auto code = [&](auto rule) { return Run(rule).code(); };
  EXPECT_EQ(code([&](MetaTxn& t) { return MakeDir(t, kRoot, {d, "x"}); }), Errno::kENOENT);
  EXPECT_EQ(code([&](MetaTxn& t) { return MakeNode(t, kRoot, {d, "x"}); }), Errno::kENOENT);
  EXPECT_EQ(code([&](MetaTxn& t) { return SymLink(t, kRoot, {d, "x", "t"}); }), Errno::kENOENT);
  EXPECT_EQ(code([&](MetaTxn& t) { return Link(t, kRoot, {At("/f"), d, "x"}); }), Errno::kENOENT);
  EXPECT_EQ(code([&](MetaTxn& t) { return Create(t, kRoot, {d, "x"}); }), Errno::kENOENT);
  EXPECT_EQ(code([&](MetaTxn& t) { return CreateTmp(t, kRoot, {d}); }), Errno::kENOENT);
  EXPECT_EQ(code([&](MetaTxn& t) {
              return Rename(t, kRoot, {At("/"), "f", d, "x"});
            }),
            Errno::kENOENT);
  EXPECT_EQ(code([&](MetaTxn& t) { return Lookup(t, kRoot, {d, "x"}); }), Errno::kENOENT);
}

TEST_F(MakeTest, SetGidDirectoryHandsDownItsGroup) {
  Must(Dir("/d"));
  Own("/d", 0, 500);
  Mode("/d", 02777);
  Must(File("/d/f", 0644, kAlice));
  EXPECT_EQ(AttrOf("/d/f").gid, 500u);
  Must(Dir("/d/sub", 0755, kAlice));
  EXPECT_EQ(AttrOf("/d/sub").gid, 500u);
  EXPECT_EQ(AttrOf("/d/sub").mode, 02755u);
  Must(Sym("/d/s", "t", kAlice));
  EXPECT_EQ(AttrOf("/d/s").gid, 500u);
  // A group executable of a group that its maker is not in.
  Must(File("/d/strip", 02755, kAlice));
  EXPECT_EQ(AttrOf("/d/strip").mode, 0755u);
  Must(File("/d/member", 02755, User(1000, {500})));
  EXPECT_EQ(AttrOf("/d/member").mode, 02755u);
  Must(File("/d/no_exec", 02644, kAlice));
  EXPECT_EQ(AttrOf("/d/no_exec").mode, 02644u);
}

TEST_F(MakeTest, UmaskIsTakenOffTheMode) {
  Must(Run([&](MetaTxn& t) { return MakeDir(t, kRoot, {At("/"), "d", 0777, 027}); }));
  EXPECT_EQ(AttrOf("/d").mode, 0750u);
  Must(Run([&](MetaTxn& t) {
    return Create(t, kRoot, {.dir = At("/"), .name = "f", .mode = 06777, .umask = 022});
  }));
  EXPECT_EQ(AttrOf("/f").mode, 06755u);
}

// The limit is on names of files: once it also stopped a directory from having more than 64,998
// others in it.
TEST_F(MakeTest, DirectoryHoldsMoreDirectoriesThanAFileHasNames) {
  // Faked, as 65,000 directories take their time.
  At(At("/")).attr.nlink = kLinkMax;
  testing::MemMetaTxn txn(meta, now);
  EXPECT_TRUE(MakeDir(txn, kRoot, {At("/"), "d"}).ok());
  EXPECT_EQ(AttrOf("/").nlink, kLinkMax + 1);
}

// The most names that a file gets, and the longest target.
struct Reached {
  uint32_t links;
  size_t target;
};

TEST_F(MakeTest, LimitsAreThoseOfTheFileSystem) {
  Must(File("/f"));
  const auto reached = [&](const Limits& limits) {
    meta.limits = limits;
    Reached most{0, 0};
    testing::MemMetaTxn txn(meta, now);
    for (At(At("/f")).attr.nlink = 170;; ++most.links) {
      if (most.links == 100) At(At("/f")).attr.nlink = 64'900;  // not all of them
      const std::string name = "l" + std::to_string(most.links);
      if (Link(txn, kRoot, {At("/f"), At("/"), name}).code() == Errno::kEMLINK) break;
    }
    most.links = AttrOf("/f").nlink;
    const auto sym = [&](size_t n) {
      return SymLink(txn, kRoot, {At("/"), "s" + std::to_string(n), std::string(n, 't')}).code();
    };
    for (most.target = 4'000; sym(most.target + 1) == Errno::kOk; ++most.target) {
    }
    EXPECT_EQ(sym(most.target + 1), Errno::kENAMETOOLONG);
    return most;
  };
  const Reached own = reached(kOwnLimits);
  EXPECT_EQ(own.links, 65'000u);
  EXPECT_EQ(own.target, 4'095u);
  const Reached efs = reached(kEfsLimits);
  EXPECT_EQ(efs.links, 177u);
  EXPECT_EQ(efs.target, 4'080u);
}

TEST_F(MakeTest, LinkBeyondALoweredLimitFailsButWhatIsThereStays) {
  Must(File("/f"));
  At(At("/f")).attr.nlink = 200;
  meta.limits = kEfsLimits;
  testing::MemMetaTxn txn(meta, now);
  EXPECT_EQ(Link(txn, kRoot, {At("/f"), At("/"), "g"}).code(), Errno::kEMLINK);
  EXPECT_TRUE(Rename(txn, kRoot, {At("/"), "f", At("/"), "h"}).ok());
  EXPECT_EQ(AttrOf("/h").nlink, 200u);
}

TEST_F(MakeTest, LinkAddsAName) {
  Must(Dir("/d"));
  Must(File("/f"));
  Attr before = AttrOf("/f");
  EXPECT_EQ(Hard("/f", "/d/g")->attr.nlink, 2u);
  EXPECT_EQ(AttrOf("/d/g").ctime, now);
  EXPECT_EQ(AttrOf("/d/g").mtime, before.mtime);
  EXPECT_EQ(AttrOf("/d/g").version, before.version + 1);
  EXPECT_EQ(AttrOf("/d").mtime, now);
  Must(Sym("/s", "t"));
  EXPECT_TRUE(Hard("/s", "/s2").ok());
  Must(Node("/p", FileType::kFifo));
  EXPECT_TRUE(Hard("/p", "/p2").ok());
}

TEST_F(MakeTest, LinkRefusesDirectoriesLimitsAndOtherQuotas) {
  Must(Dir("/d"));
  Must(File("/f"));
  EXPECT_EQ(Hard("/d", "/e").code(), Errno::kEPERM);
  EXPECT_EQ(Hard("/d", "/f").code(), Errno::kEEXIST);
  At(At("/d")).quota = QuotaId{5};
  EXPECT_EQ(Hard("/f", "/d/f").code(), Errno::kEXDEV);
  At(At("/f")).attr.nlink = kLinkMax;
  testing::MemMetaTxn txn(meta, now);
  EXPECT_EQ(Link(txn, kRoot, {At("/f"), At("/"), "g"}).code(), Errno::kEMLINK);
}

TEST_F(MakeTest, UnlinkedFileGetsNoNewName) {
  Handle f = File("/f")->entry.handle;
  Must(Remove("/f"));
  auto link = [&](MetaTxn& t) { return Link(t, kRoot, {f, At("/"), "g"}); };
  EXPECT_EQ(Run(link).code(), Errno::kENOENT);
}

TEST_F(MakeTest, TmpFileGetsANameOnceIfItMay) {
  Attr dir = AttrOf("/");
  Handle tmp = Tmp("/")->entry.handle;
  EXPECT_EQ(At(tmp).attr.nlink, 0u);
  EXPECT_TRUE(meta.orphans.contains(tmp.ino));
  EXPECT_EQ(AttrOf("/"), dir);  // nothing happened to the directory
  auto link = [&](Handle from) {
    return Run([&](MetaTxn& t) { return Link(t, kRoot, {from, At("/"), "g"}); }).code();
  };
  EXPECT_EQ(link(tmp), Errno::kOk);
  EXPECT_FALSE(meta.orphans.contains(tmp.ino));
  EXPECT_EQ(AttrOf("/g").nlink, 1u);
  Must(Remove("/g"));
  EXPECT_EQ(link(tmp), Errno::kENOENT);
  EXPECT_EQ(link(Tmp("/", /*linkable=*/false)->entry.handle), Errno::kENOENT);
}

TEST_F(MakeTest, CreateTmpNeedsToWriteTheDirectory) {
  Must(File("/f"));
  EXPECT_EQ(Tmp("/f").code(), Errno::kENOTDIR);
  EXPECT_EQ(Tmp("/", true, kAlice).code(), Errno::kEACCES);
  EXPECT_EQ(Tmp("/", true, ReadOnly(kRoot)).code(), Errno::kEROFS);
}

TEST_F(MakeTest, CreateMakesOrOpens) {
  EXPECT_TRUE(Open("/f", OpenAccess::kReadWrite)->created);
  EXPECT_FALSE(Open("/f", OpenAccess::kReadWrite)->created);
  EXPECT_EQ(Open("/f", OpenAccess::kRead, false, kRoot, true).code(), Errno::kEEXIST);
  // The maker's access is not checked against the mode; the next one's is.
  Mode("/", 0777);
  auto unwritable = [&](MetaTxn& t) {
    return Create(t, kAlice, {.dir = At("/"), .name = "r", .access = OpenAccess::kReadWrite});
  };
  EXPECT_TRUE(Run(unwritable).ok());
  EXPECT_EQ(Run(unwritable).code(), Errno::kEACCES);
}

TEST_F(MakeTest, CreateOpensExistingByTheRulesOfOpen) {
  Must(Dir("/d"));
  Must(Sym("/s", "t"));
  Must(File("/f"));
  EXPECT_EQ(Open("/d", OpenAccess::kRead).code(), Errno::kEISDIR);
  EXPECT_EQ(Open("/s", OpenAccess::kRead).code(), Errno::kELOOP);
  EXPECT_EQ(Open("/f", OpenAccess::kWrite, false, kAlice).code(), Errno::kEACCES);
  EXPECT_TRUE(Open("/f", OpenAccess::kRead, false, kAlice).ok());
  EXPECT_EQ(Open("/f", OpenAccess::kRead, true, kAlice).code(), Errno::kEACCES);
  EXPECT_EQ(Open("/f", OpenAccess::kWrite, false, ReadOnly(kRoot)).code(), Errno::kEROFS);
  EXPECT_TRUE(Open("/f", OpenAccess::kRead, false, ReadOnly(kRoot)).ok());
  EXPECT_EQ(Open("/new", OpenAccess::kRead, false, ReadOnly(kRoot)).code(), Errno::kEROFS);
  At(At("/f")).attr.size = 9;
  EXPECT_EQ(Open("/f", OpenAccess::kWrite, true)->entry.attr.size, 0u);
  EXPECT_EQ(AttrOf("/f").mtime, now);
}

TEST_F(MakeTest, QuotaIdIsInherited) {
  Must(Dir("/d"));
  At(At("/d")).quota = QuotaId{5};
  Must(Dir("/d/e"));
  Must(File("/d/e/f"));
  EXPECT_EQ(At(At("/d/e/f")).quota, QuotaId{5});
}

}  // namespace
}  // namespace tarn::posix
