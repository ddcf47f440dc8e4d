// Times: which operation changes which of them, and how they are set.
#include "common/limits.h"
#include "tests/conformance/fixture.h"

namespace tarn::testing {
namespace {

TARN_CONFORMANCE(TimeTest);

// What a change does to the four times of one inode; btime never changes.
struct Changed {
  bool mtime, ctime;
};

void ExpectChange(const Attr& before, const Attr& after, Changed expected) {
  EXPECT_EQ(after.mtime > before.mtime, expected.mtime) << "mtime";
  EXPECT_EQ(after.ctime > before.ctime, expected.ctime) << "ctime";
  EXPECT_GE(after.mtime, before.mtime);
  EXPECT_GE(after.ctime, before.ctime);
  EXPECT_EQ(after.btime, before.btime);
}

TEST_P(TimeTest, OfANewInodeAreAllOneMomentAndChangeItsDirectory) {
  const Attr before = StatOf("/");
  ASSERT_OK(root().MakeNode("/f", FileType::kRegular, 0644, 0));
  const Attr file = StatOf("/f");
  EXPECT_EQ(file.atime, file.mtime);
  EXPECT_EQ(file.ctime, file.mtime);
  EXPECT_GE(file.mtime, before.mtime);
  ExpectChange(before, StatOf("/"), {true, true});
}

// Every operation on a file of its own, as data: its name, what it does, what it changes.
struct Case {
  const char* name;
  std::function<Status(Process&)> run;
  Changed file;
  Changed dir;
};

std::vector<Case> Cases() {
  const Changed both{true, true}, none{false, false}, ctime{false, true};
  const auto write = [](Process& p, std::string_view data) -> Status {
    ASSIGN_OR_RETURN(const Fd fd, p.Open("/d/f", O_WRONLY));
    RETURN_IF_ERROR(p.Write(fd, data, 0));
    return p.Close(fd);
  };
  return {
      {"write", [write](Process& p) { return write(p, "new"); }, both, none},
      {"write nothing", [write](Process& p) { return write(p, ""); }, none, none},
      {"truncate", [](Process& p) { return p.Truncate("/d/f", 1); }, both, none},
      {"extend", [](Process& p) { return p.Truncate("/d/f", 99); }, both, none},
      {"truncate to the same size", [](Process& p) { return p.Truncate("/d/f", 3); }, both, none},
      {"open with O_TRUNC", [](Process& p) { return PutFile(p, "/d/f", ""); }, both, none},
      {"chmod", [](Process& p) { return p.Chmod("/d/f", 0600); }, ctime, none},
      {"chown", [](Process& p) { return p.LChown("/d/f", 5, 5); }, ctime, none},
      {"setxattr", [](Process& p) { return p.SetXattr("/d/f", "user.a", "1"); }, ctime, none},
      {"link", [](Process& p) { return p.Link("/d/f", "/g"); }, ctime, none},
      {"link in", [](Process& p) { return p.Link("/d/f", "/d/g"); }, ctime, both},
      {"rename within", [](Process& p) { return p.Rename("/d/f", "/d/f2"); }, ctime, both},
      {"mkdir", [](Process& p) { return p.MakeDir("/d/sub", 0755); }, none, both},
      {"symlink", [](Process& p) { return p.SymLink("t", "/d/l"); }, none, both},
      {"stat", [](Process& p) { return p.Stat("/d/f").ok() ? Ok() : Errno::kEIO; }, none, none},
      {"failed mkdir",
       [](Process& p) {
         return p.MakeDir("/d/f", 0755).code() == Errno::kEEXIST ? Ok() : Errno::kEIO;
       },
       none, none},
  };
}

TEST_P(TimeTest, EveryOperationChangesTheTimesThatPosixSays) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.name);
    ASSERT_OK(root().MakeDir("/d", 0755));
    Put("/d/f", "old");
    ASSERT_OK(root().Link("/d/f", "/kept"));  // reaches the file whatever its name becomes
    const Attr file = StatOf("/kept"), dir = StatOf("/d");
    EXPECT_OK(c.run(root()));
    {
      SCOPED_TRACE("file");
      ExpectChange(file, StatOf("/kept"), c.file);
    }
    {
      SCOPED_TRACE("directory");
      ExpectChange(dir, StatOf("/d"), c.dir);
    }
    ASSERT_OK(RemoveTree(root(), "/"));
  }
}

TEST_P(TimeTest, RemovalChangesTheDirectory) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  ASSERT_OK(root().MakeDir("/d/sub", 0755));
  Put("/d/f");
  Attr before = StatOf("/d");
  ASSERT_OK(root().Unlink("/d/f"));
  ExpectChange(before, StatOf("/d"), {true, true});
  before = StatOf("/d");
  ASSERT_OK(root().RemoveDir("/d/sub"));
  ExpectChange(before, StatOf("/d"), {true, true});
}

TEST_P(TimeTest, SetTimesAreKeptToTheNanosecond) {
  Put("/f");
  for (const int64_t ns : {int64_t{1}, int64_t{1'234'567'890'123'456'789}, int64_t{-1},
                           -5 * kSecondNanos + 7, int64_t{9'000'000'000'000'000'000}}) {
    SCOPED_TRACE(ns);
    const Attr before = StatOf("/f");
    ASSERT_OK(root().SetTimes("/f", TimeChange::At(ns), TimeChange::At(ns - 3)));
    const Attr after = StatOf("/f");
    EXPECT_EQ(after.atime.ns, ns);
    EXPECT_EQ(after.mtime.ns, ns - 3);
    EXPECT_GT(after.ctime, before.ctime);
  }
}

TEST_P(TimeTest, OmittedTimesStayAndNowIsNow) {
  Put("/f");
  ASSERT_OK(root().SetTimes("/f", TimeChange::At(100), TimeChange::At(200)));
  ASSERT_OK(root().SetTimes("/f", TimeChange::Omit(), TimeChange::At(300)));
  EXPECT_EQ(StatOf("/f").atime.ns, 100);
  EXPECT_EQ(StatOf("/f").mtime.ns, 300);
  const Attr before = StatOf("/f");
  ASSERT_OK(root().SetTimes("/f", TimeChange::Now(), TimeChange::Omit()));
  EXPECT_GT(StatOf("/f").atime, before.ctime);
  EXPECT_EQ(StatOf("/f").mtime.ns, 300);
  const Attr omitted = StatOf("/f");
  ASSERT_OK(root().SetTimes("/f", TimeChange::Omit(), TimeChange::Omit()));
  EXPECT_EQ(StatOf("/f").ctime, omitted.ctime);
}

TEST_P(TimeTest, AnyTimeIsForTheOwnerNowIsForWriters) {
  ASSERT_OK(PutFile(alice(), "/f", "", 0666));
  ASSERT_OK(PutFile(alice(), "/r", "", 0644));
  EXPECT_ERROR(kEPERM, bob().SetTimes("/f", TimeChange::At(1), TimeChange::At(1)));
  EXPECT_ERROR(kEPERM, bob().SetTimes("/f", TimeChange::Omit(), TimeChange::At(1)));
  EXPECT_OK(bob().SetTimes("/f", TimeChange::Now(), TimeChange::Now()));
  EXPECT_ERROR(kEACCES, bob().SetTimes("/r", TimeChange::Now(), TimeChange::Now()));
  EXPECT_OK(alice().SetTimes("/r", TimeChange::At(1), TimeChange::At(1)));
}

}  // namespace
}  // namespace tarn::testing
