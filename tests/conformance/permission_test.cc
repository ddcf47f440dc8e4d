// Who may do what: the three classes of every mode, sticky directories, set-id bits, chmod, chown.
#include "tests/conformance/fixture.h"

namespace tarn::testing {
namespace {

TARN_CONFORMANCE(PermissionTest);
TARN_CONFORMANCE(StickyTest);
TARN_CONFORMANCE(SetIdTest);
TARN_CONFORMANCE(OwnershipTest);

constexpr uint32_t kR = 4, kW = 2, kX = 1;
constexpr Gid kForeignGroup = 4999;  // nobody is in it

Errno Allowed(bool allowed) {
  return allowed ? Errno::kOk : Errno::kEACCES;
}

// The owner, a member of the group and a stranger, each with the other classes' bits the opposite
// of theirs, so that a class that is looked at by mistake shows.
struct Class {
  const char* name;
  const User& user;
  int shift;
};
const Class kClasses[] = {{"owner", kAlice, 6}, {"group", kBob, 3}, {"other", kCarol, 0}};

uint32_t ModeFor(const Class& c, uint32_t bits) {
  return (0777u & ~(7u << c.shift) & ~(bits * 0111u)) | (bits << c.shift);
}

TEST_P(PermissionTest, EveryModeOfAFileIsCheckedInTheCallersClassOnly) {
  Put("/f", "x");
  ASSERT_OK(root().LChown("/f", kAlice.uid, kSharedGroup));
  for (const Class& c : kClasses) {
    auto process = subject().Start(c.user);
    for (uint32_t bits = 0; bits < 8; ++bits) {
      SCOPED_TRACE(std::string(c.name) + " with " + std::to_string(bits));
      ASSERT_OK(root().Chmod("/f", ModeFor(c, bits)));
      EXPECT_EQ(process->Open("/f", O_RDONLY).code(), Allowed(bits & kR));
      EXPECT_EQ(process->Open("/f", O_WRONLY).code(), Allowed(bits & kW));
      EXPECT_EQ(process->Open("/f", O_RDWR).code(), Allowed((bits & kR) && (bits & kW)));
      EXPECT_EQ(process->Truncate("/f", 1).code(), Allowed(bits & kW));
      EXPECT_EQ(process->Access("/f", kX).code(), Allowed(bits & kX));
      EXPECT_EQ(process->Access("/f", kR | kW).code(), Allowed((bits & kR) && (bits & kW)));
      EXPECT_OK(process->LStat("/f"));
    }
  }
}

TEST_P(PermissionTest, EveryModeOfADirectoryIsCheckedInTheCallersClassOnly) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  Put("/d/f", "x", 0666);
  ASSERT_OK(root().LChown("/d", kAlice.uid, kSharedGroup));
  for (const Class& c : kClasses) {
    auto process = subject().Start(c.user);
    for (uint32_t bits = 0; bits < 8; ++bits) {
      SCOPED_TRACE(std::string(c.name) + " with " + std::to_string(bits));
      ASSERT_OK(root().Chmod("/d", ModeFor(c, bits)));
      const bool search = bits & kX, change = (bits & kW) && search;
      EXPECT_EQ(process->Open("/d", O_RDONLY | O_DIRECTORY).code(), Allowed(bits & kR));
      EXPECT_EQ(process->LStat("/d/f").code(), Allowed(search));
      EXPECT_EQ(process->Open("/d/f", O_RDWR).code(), Allowed(search));
      EXPECT_EQ(process->MakeDir("/d/new-dir", 0755).code(), Allowed(change));
      EXPECT_EQ(process->SymLink("t", "/d/new-link").code(), Allowed(change));
      EXPECT_EQ(process->Open("/d/new", O_CREAT | O_WRONLY, 0644).code(), Allowed(change));
      // What is to be removed must be there, or its absence would be the answer.
      if (!change) {
        ASSERT_OK(root().MakeDir("/d/new-dir", 0755));
        Put("/d/new");
      }
      EXPECT_EQ(process->RemoveDir("/d/new-dir").code(), Allowed(change));
      EXPECT_EQ(process->Rename("/d/new", "/d/newer").code(), Allowed(change));
      EXPECT_EQ(process->Unlink(change ? "/d/newer" : "/d/new").code(), Allowed(change));
      for (const std::string& name : Names("/d")) {
        if (name == "f") continue;
        EXPECT_OK(name == "new-dir" ? root().RemoveDir("/d/" + name) : root().Unlink("/d/" + name));
      }
    }
  }
}

TEST_P(PermissionTest, RootMayEverythingButExecuteWithoutAnExecuteBit) {
  ASSERT_OK(alice().MakeDir("/d", 0));
  EXPECT_OK(PutFile(root(), "/d/f", "x", 0));
  EXPECT_OK(root().Open("/d/f", O_RDWR));
  EXPECT_OK(root().Access("/d/f", kR | kW));
  EXPECT_ERROR(kEACCES, root().Access("/d/f", kX));
  ASSERT_OK(root().Chmod("/d/f", 0010));
  EXPECT_OK(root().Access("/d/f", kX));
  EXPECT_OK(root().Access("/d", kR | kW | kX));
}

TEST_P(PermissionTest, SearchIsNeededInEveryDirectoryOfAPath) {
  ASSERT_OK(alice().MakeDir("/a", 0711));
  ASSERT_OK(alice().MakeDir("/a/b", 0700));
  ASSERT_OK(alice().MakeDir("/a/b/c", 0777));
  EXPECT_ERROR(kEACCES, carol().LStat("/a/b/c"));
  EXPECT_ERROR(kEACCES, carol().MakeDir("/a/b/c/d", 0755));
  EXPECT_ERROR(kEACCES, carol().LStat("/a/b/none"));
  EXPECT_ERROR(kENOENT, carol().LStat("/a/none"));
}

TEST_P(PermissionTest, ExistingNameIsEEXISTEvenWithoutWritePermission) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  Put("/d/f");
  EXPECT_ERROR(kEEXIST, alice().MakeDir("/d/f", 0755));
  EXPECT_ERROR(kEEXIST, alice().SymLink("t", "/d/f"));
  EXPECT_ERROR(kENOENT, alice().Unlink("/d/none"));
}

TEST_P(PermissionTest, AnExistingFileNeedsNoRightOnItsDirectoryToBeOpened) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  Put("/d/f", "x", 0666);
  EXPECT_OK(alice().Open("/d/f", O_RDWR | O_CREAT, 0644));
  EXPECT_ERROR(kEACCES, alice().Open("/d/g", O_RDWR | O_CREAT, 0644));
}

TEST_P(StickyTest, OnlyOwnersOfFileOrDirectoryMayRemove) {
  ASSERT_OK(carol().MakeDir("/tmp", 01777));
  ASSERT_OK(PutFile(alice(), "/tmp/f", "", 0666));
  ASSERT_OK(PutFile(alice(), "/tmp/g", "", 0666));
  ASSERT_OK(alice().MakeDir("/tmp/d", 0777));
  EXPECT_ERROR(kEPERM, bob().Unlink("/tmp/f"));
  EXPECT_ERROR(kEPERM, bob().RemoveDir("/tmp/d"));
  EXPECT_ERROR(kEPERM, bob().Rename("/tmp/f", "/f"));
  EXPECT_OK(alice().Unlink("/tmp/f"));
  EXPECT_OK(carol().Unlink("/tmp/g"));  // the directory is hers
  EXPECT_OK(root().RemoveDir("/tmp/d"));
}

TEST_P(SetIdTest, SetgidDirectoryGivesItsGroupToWhatIsMadeInIt) {
  ASSERT_OK(root().MakeDir("/d", 0777));
  ASSERT_OK(root().LChown("/d", 0, kForeignGroup));
  ASSERT_OK(root().Chmod("/d", 02777));
  ASSERT_OK(PutFile(alice(), "/d/f", "", 0644));
  ASSERT_OK(alice().MakeDir("/d/sub", 0755));
  ASSERT_OK(alice().SymLink("t", "/d/l"));
  EXPECT_EQ(StatOf("/d/f").gid, kForeignGroup);
  EXPECT_EQ(StatOf("/d/f").mode, 0644u);
  EXPECT_EQ(StatOf("/d/sub").gid, kForeignGroup);
  EXPECT_EQ(StatOf("/d/sub").mode, 02755u);
  EXPECT_EQ(StatOf("/d/l").gid, kForeignGroup);
}

TEST_P(SetIdTest, SetgidBitIsNotGivenToStrangersOfTheGroup) {
  ASSERT_OK(root().MakeDir("/d", 0777));
  ASSERT_OK(root().LChown("/d", 0, kForeignGroup));
  ASSERT_OK(root().Chmod("/d", 02777));
  ASSERT_OK(alice().MakeNode("/d/f", FileType::kRegular, 02755, 0));
  EXPECT_EQ(StatOf("/d/f").mode, 0755u);
  ASSERT_OK(alice().Chmod("/d/f", 02755));
  EXPECT_EQ(StatOf("/d/f").mode, 0755u);
  ASSERT_OK(root().Chmod("/d/f", 02755));
  EXPECT_EQ(StatOf("/d/f").mode, 02755u);
}

TEST_P(SetIdTest, WriteByAUserDropsSetIdBits) {
  Put("/f", "x", 0777);
  ASSERT_OK(root().Chmod("/f", 06777));
  ASSERT_OK_AND_ASSIGN(const Fd fd, alice().Open("/f", O_WRONLY));
  ASSERT_OK(alice().Write(fd, "y", 0));
  EXPECT_EQ(StatOf("/f").mode, 0777u);
  ASSERT_OK(root().Chmod("/f", 06777));
  ASSERT_OK(alice().FTruncate(fd, 0));
  EXPECT_EQ(StatOf("/f").mode, 0777u);
  ASSERT_OK(root().Chmod("/f", 06777));
  ASSERT_OK(alice().Truncate("/f", 5));
  EXPECT_EQ(StatOf("/f").mode, 0777u);
}

TEST_P(SetIdTest, WriteByRootKeepsSetIdBits) {
  Put("/f", "x", 0777);
  ASSERT_OK(root().Chmod("/f", 06777));
  ASSERT_OK_AND_ASSIGN(const Fd fd, root().Open("/f", O_WRONLY));
  ASSERT_OK(root().Write(fd, "y", 0));
  EXPECT_EQ(StatOf("/f").mode, 06777u);
}

TEST_P(SetIdTest, ChownDropsSetIdBitsOfFilesOnly) {
  Put("/f", "x", 0777);
  ASSERT_OK(root().MakeDir("/d", 0777));
  ASSERT_OK(root().Chmod("/f", 06777));
  ASSERT_OK(root().Chmod("/d", 06777));
  ASSERT_OK(root().LChown("/f", kAlice.uid, {}));
  ASSERT_OK(root().LChown("/d", kAlice.uid, {}));
  EXPECT_EQ(StatOf("/f").mode, 0777u);
  EXPECT_EQ(StatOf("/d").mode, 06777u);
}

TEST_P(SetIdTest, ChownKeepsSetgidOfAFileThatTheGroupCannotExecute) {
  Put("/f", "x", 0644);
  ASSERT_OK(root().Chmod("/f", 02644));
  ASSERT_OK(root().LChown("/f", kAlice.uid, {}));
  EXPECT_EQ(StatOf("/f").mode, 02644u);
}

TEST_P(OwnershipTest, ChmodByAnotherUserFailsEPERM) {
  ASSERT_OK(PutFile(alice(), "/f", "", 0666));
  EXPECT_ERROR(kEPERM, bob().Chmod("/f", 0777));
  EXPECT_OK(alice().Chmod("/f", 04711));
  EXPECT_EQ(StatOf("/f").mode, 04711u);
  EXPECT_OK(root().Chmod("/f", 0));
  EXPECT_EQ(StatOf("/f").mode, 0u);
}

TEST_P(OwnershipTest, ChownOfTheUserNeedsRoot) {
  ASSERT_OK(PutFile(alice(), "/f", ""));
  EXPECT_ERROR(kEPERM, alice().LChown("/f", kBob.uid, {}));
  EXPECT_ERROR(kEPERM, bob().LChown("/f", kBob.uid, {}));
  EXPECT_OK(alice().LChown("/f", kAlice.uid, {}));
  EXPECT_OK(root().LChown("/f", kBob.uid, kBob.gid));
  EXPECT_EQ(StatOf("/f").uid, kBob.uid);
  EXPECT_EQ(StatOf("/f").gid, kBob.gid);
}

TEST_P(OwnershipTest, ChownOfTheGroupIsForMembersThatOwnTheFile) {
  ASSERT_OK(PutFile(alice(), "/f", ""));
  EXPECT_OK(alice().LChown("/f", {}, kSharedGroup));
  EXPECT_EQ(StatOf("/f").gid, kSharedGroup);
  EXPECT_ERROR(kEPERM, bob().LChown("/f", {}, kBob.gid));
  EXPECT_ERROR(kEPERM, alice().LChown("/f", {}, kForeignGroup));
  EXPECT_OK(alice().LChown("/f", {}, kAlice.gid));
}

TEST_P(OwnershipTest, NewFilesBelongToTheirMaker) {
  ASSERT_OK(PutFile(bob(), "/f", ""));
  ASSERT_OK(bob().MakeDir("/d", 0755));
  ASSERT_OK(bob().SymLink("t", "/l"));
  for (const char* path : {"/f", "/d", "/l"}) {
    EXPECT_EQ(StatOf(path).uid, kBob.uid);
    EXPECT_EQ(StatOf(path).gid, kBob.gid);
  }
}

}  // namespace
}  // namespace tarn::testing
