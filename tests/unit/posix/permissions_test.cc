// Access and Open: who may do what by mode bits.
#include "common/posix/permissions.h"

#include "tests/unit/posix/rules_fixture.h"

namespace tarn::posix {
namespace {

class PermissionsTest : public RulesFixture {
 protected:
  Result<OpenReply> OpenFile(const std::string& path, OpenAccess access, const Caller& caller,
                             bool truncate = false, bool execute = false) {
    return Run([&](MetaTxn& txn) {
      return Open(txn, caller,
                  {.inode = At(path), .access = access, .truncate = truncate, .execute = execute});
    });
  }
};

// Every mode of three bits for each class, every wish, for callers of each class.
TEST_F(PermissionsTest, OneClassOfBitsDecides) {
  Must(File("/f"));
  Own("/f", 10, 20);
  const struct {
    Caller caller;
    int shift;
  } cases[] = {
      {User(10), 6},          {User(10, {20}), 6}, {User(20), 3},
      {User(30, {5, 20}), 3}, {User(30), 0},       {User(30, {5}), 0},
  };
  for (const auto& c : cases) {
    for (uint32_t bits = 0; bits < 8; ++bits) {
      for (uint32_t want = 0; want < 8; ++want) {
        // The other classes say the opposite.
        Mode("/f", (0777 & ~(7u << c.shift) & ~(bits * 0111)) | bits << c.shift);
        Errno expected = (bits & want) == want ? Errno::kOk : Errno::kEACCES;
        EXPECT_EQ(Check("/f", want, c.caller).code(), expected)
            << c.caller.uid << " " << bits << " " << want;
      }
    }
  }
}

TEST_F(PermissionsTest, GroupsNotReadYetCountAsNone) {
  Must(File("/f", 0640));
  Own("/f", 10, 20);
  Caller caller = User(30);
  caller.groups.reset();
  EXPECT_EQ(Check("/f", kMayRead, caller).code(), Errno::kEACCES);
  caller.groups = {20};
  EXPECT_TRUE(Check("/f", kMayRead, caller).ok());
}

TEST_F(PermissionsTest, RootMayAllButExecuteWhatNobodyMay) {
  Must(File("/f", 0));
  Must(Dir("/d", 0));
  EXPECT_TRUE(Check("/f", kMayRead | kMayWrite, kRoot).ok());
  EXPECT_EQ(Check("/f", kMayExecute, kRoot).code(), Errno::kEACCES);
  EXPECT_TRUE(Check("/d", 7, kRoot).ok());
  Mode("/f", 0001);
  EXPECT_TRUE(Check("/f", 7, kRoot).ok());
}

TEST_F(PermissionsTest, ReadOnlyCallerMayNotWriteWhatIsStored) {
  Must(File("/f", 0666));
  Must(Node("/p", FileType::kFifo));
  EXPECT_EQ(Check("/f", kMayWrite, ReadOnly(kRoot)).code(), Errno::kEROFS);
  EXPECT_TRUE(Check("/f", kMayRead, ReadOnly(kRoot)).ok());
  EXPECT_TRUE(Check("/p", kMayWrite, ReadOnly(kRoot)).ok());
  EXPECT_EQ(Check("/f", 8, kRoot).code(), Errno::kEINVAL);
  EXPECT_EQ(Check("/none", 0, kRoot).code(), Errno::kESTALE);
}

TEST_F(PermissionsTest, OpenChecksByKind) {
  Must(Dir("/d", 0777));
  Must(File("/f", 0777));
  Must(Sym("/s", "f"));
  Must(Node("/p", FileType::kFifo));
  const struct {
    std::string path;
    OpenAccess access;
    bool truncate, execute;
    Errno expected;
  } cases[] = {
      {"/d", OpenAccess::kRead, false, false, Errno::kOk},
      {"/d", OpenAccess::kWrite, false, false, Errno::kEISDIR},
      {"/d", OpenAccess::kReadWrite, false, false, Errno::kEISDIR},
      {"/d", OpenAccess::kRead, true, false, Errno::kEISDIR},
      {"/d", OpenAccess::kRead, false, true, Errno::kEACCES},
      {"/s", OpenAccess::kRead, false, false, Errno::kELOOP},
      {"/p", OpenAccess::kReadWrite, true, false, Errno::kOk},
      {"/p", OpenAccess::kRead, false, true, Errno::kEACCES},
      {"/f", OpenAccess::kReadWrite, true, false, Errno::kOk},
      {"/f", OpenAccess::kRead, false, true, Errno::kOk},
      {"/none", OpenAccess::kRead, false, false, Errno::kESTALE},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(OpenFile(c.path, c.access, kRoot, c.truncate, c.execute).code(), c.expected)
        << c.path << static_cast<int>(c.access) << c.truncate << c.execute;
  }
}

TEST_F(PermissionsTest, OpenNeedsWhatItAsksFor) {
  Must(File("/f"));
  const struct {
    uint32_t mode;
    OpenAccess access;
    bool truncate, execute;
    Errno expected;
  } cases[] = {
      {0444, OpenAccess::kRead, false, false, Errno::kOk},
      {0444, OpenAccess::kReadWrite, false, false, Errno::kEACCES},
      {0222, OpenAccess::kWrite, false, false, Errno::kOk},
      {0222, OpenAccess::kRead, false, false, Errno::kEACCES},
      {0444, OpenAccess::kRead, true, false, Errno::kEACCES},
      {0666, OpenAccess::kRead, true, false, Errno::kOk},
      {0111, OpenAccess::kRead, false, true, Errno::kOk},  // execve needs no read permission
      {0444, OpenAccess::kRead, false, true, Errno::kEACCES},
  };
  for (const auto& c : cases) {
    Mode("/f", c.mode);
    EXPECT_EQ(OpenFile("/f", c.access, kAlice, c.truncate, c.execute).code(), c.expected)
        << c.mode << static_cast<int>(c.access) << c.truncate << c.execute;
  }
}

TEST_F(PermissionsTest, OpenTruncatesAndTakesPrivilegesFromOthersThanRoot) {
  for (const Caller& caller : {kRoot, kAlice}) {
    meta = testing::MemMeta();
    Must(File("/f"));
    Mode("/f", 06777);
    At(At("/f")).attr.size = 10;
    EXPECT_TRUE(SetX("/f", "security.capability", "caps").ok());
    uint64_t version = AttrOf("/f").version;
    OpenReply reply = Must(OpenFile("/f", OpenAccess::kWrite, caller, true));
    EXPECT_EQ(reply.attr, AttrOf("/f"));
    EXPECT_EQ(AttrOf("/f").size, 0u);
    EXPECT_EQ(AttrOf("/f").mtime, now);
    EXPECT_EQ(AttrOf("/f").version, version + 1);
    EXPECT_EQ(AttrOf("/f").mode, caller.uid == 0 ? 06777u : 0777u);
    EXPECT_EQ(GetX("/f", "security.capability").code(), Errno::kENODATA);
  }
}

TEST_F(PermissionsTest, OpenWithoutTruncationChangesNothing) {
  Must(File("/f"));
  auto before = meta;
  Must(OpenFile("/f", OpenAccess::kReadWrite, kRoot));
  EXPECT_TRUE(meta == before);
}

}  // namespace
}  // namespace tarn::posix
