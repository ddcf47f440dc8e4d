// open(2) and its flags; files that are open without a name.
#include "tests/conformance/fixture.h"

namespace tarn::testing {
namespace {

TARN_CONFORMANCE(OpenTest);
TARN_CONFORMANCE(UnlinkedTest);
TARN_CONFORMANCE(TmpFileTest);

TEST_P(OpenTest, ExclusiveCreationFailsEEXISTOverAnything) {
  Put("/f");
  ASSERT_OK(root().SymLink("nowhere", "/l"));
  EXPECT_ERROR(kEEXIST, root().Open("/f", O_CREAT | O_EXCL | O_RDWR, 0644));
  EXPECT_ERROR(kEEXIST, root().Open("/l", O_CREAT | O_EXCL | O_RDWR, 0644));
  EXPECT_OK(root().Open("/new", O_CREAT | O_EXCL | O_RDWR, 0644));
}

TEST_P(OpenTest, CreationThroughADanglingSymlinkMakesItsTarget) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  ASSERT_OK(root().SymLink("d/target", "/l"));
  EXPECT_OK(PutFile(root(), "/l", "x"));
  EXPECT_EQ(Get("/d/target"), "x");
  EXPECT_EQ(StatOf("/l").type, FileType::kSymlink);
}

TEST_P(OpenTest, OfADirectoryIsForReadingOnly) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  EXPECT_OK(root().Open("/d", O_RDONLY));
  EXPECT_ERROR(kEISDIR, root().Open("/d", O_WRONLY));
  EXPECT_ERROR(kEISDIR, root().Open("/d", O_RDWR));
  EXPECT_ERROR(kEISDIR, root().Open("/d", O_CREAT | O_RDONLY, 0644));
  EXPECT_ERROR(kEISDIR, root().Open("/d", O_CREAT | O_RDWR, 0644));
}

TEST_P(OpenTest, DirectoryFlagOnAFileFailsENOTDIR) {
  Put("/f");
  EXPECT_ERROR(kENOTDIR, root().Open("/f", O_RDONLY | O_DIRECTORY));
}

TEST_P(OpenTest, NoFollowOfASymlinkFailsELOOP) {
  Put("/f");
  ASSERT_OK(root().SymLink("f", "/l"));
  EXPECT_ERROR(kELOOP, root().Open("/l", O_RDONLY | O_NOFOLLOW));
  EXPECT_OK(root().Open("/f", O_RDONLY | O_NOFOLLOW));
}

TEST_P(OpenTest, TruncateFlagEmptiesTheFileAndNeedsWritePermission) {
  Put("/f", "content", 0444);
  EXPECT_ERROR(kEACCES, alice().Open("/f", O_RDONLY | O_TRUNC));
  EXPECT_EQ(Get("/f"), "content");
  ASSERT_OK(root().Chmod("/f", 0666));
  EXPECT_OK(alice().Open("/f", O_WRONLY | O_TRUNC));
  EXPECT_EQ(Get("/f"), "");
}

TEST_P(OpenTest, MakerMayWriteAFileWhoseModeForbidsIt) {
  ASSERT_OK_AND_ASSIGN(const Fd fd, alice().Open("/f", O_CREAT | O_RDWR | O_EXCL, 0));
  EXPECT_OK(alice().Write(fd, "x", 0));
  EXPECT_EQ(alice().Read(fd, 1, 0).value(), "x");
  EXPECT_ERROR(kEACCES, alice().Open("/f", O_RDONLY));
}

TEST_P(OpenTest, RightsOfADescriptorOutliveTheMode) {
  ASSERT_OK(PutFile(alice(), "/f", "x", 0600));
  ASSERT_OK_AND_ASSIGN(const Fd fd, alice().Open("/f", O_RDWR));
  ASSERT_OK(root().Chmod("/f", 0));
  ASSERT_OK(root().LChown("/f", 0, 0));
  EXPECT_EQ(alice().Read(fd, 1, 0).value(), "x");
  EXPECT_OK(alice().Write(fd, "y", 0));
  EXPECT_OK(alice().FTruncate(fd, 5));
}

TEST_P(UnlinkedTest, OpenFileLivesUntilItsLastClose) {
  Put("/f", "content");
  ASSERT_OK_AND_ASSIGN(const Fd one, root().Open("/f", O_RDWR));
  ASSERT_OK_AND_ASSIGN(const Fd two, root().Open("/f", O_RDONLY));
  ASSERT_OK(root().Unlink("/f"));
  EXPECT_ERROR(kENOENT, root().LStat("/f"));
  EXPECT_EQ(root().FStat(one)->nlink, 0u);
  ASSERT_OK(root().Write(one, "CON", 0));
  ASSERT_OK(root().FTruncate(one, 5));
  ASSERT_OK(root().Close(one));
  EXPECT_EQ(root().Read(two, 10, 0).value(), "CONte");
  EXPECT_OK(root().Close(two));
}

TEST_P(UnlinkedTest, NameCanBeTakenByAnotherFile) {
  Put("/f", "old");
  ASSERT_OK_AND_ASSIGN(const Fd fd, root().Open("/f", O_RDONLY));
  ASSERT_OK(root().Unlink("/f"));
  Put("/f", "new");
  EXPECT_EQ(root().Read(fd, 10, 0).value(), "old");
  EXPECT_EQ(Get("/f"), "new");
  EXPECT_NE(root().FStat(fd)->ino, StatOf("/f").ino);
}

TEST_P(UnlinkedTest, FileGetsNoNameAgain) {
  Put("/f", "x");
  ASSERT_OK_AND_ASSIGN(const Fd fd, root().Open("/f", O_RDONLY));
  ASSERT_OK(root().Unlink("/f"));
  EXPECT_ERROR(kENOENT, root().LinkFd(fd, "/g"));
}

TEST_P(TmpFileTest, HasNoNameUntilLinked) {
  ASSERT_OK(root().MakeDir("/d", 0777));
  ASSERT_OK_AND_ASSIGN(const Fd fd, alice().Open("/d", O_TMPFILE | O_RDWR, 0640));
  EXPECT_TRUE(Names("/d").empty());
  ASSERT_OK_AND_ASSIGN(const Attr attr, alice().FStat(fd));
  EXPECT_EQ(attr.nlink, 0u);
  EXPECT_EQ(attr.mode, 0640u);
  EXPECT_EQ(attr.uid, kAlice.uid);
  ASSERT_OK(alice().Write(fd, "x", 0));
  ASSERT_OK(alice().LinkFd(fd, "/d/f"));
  EXPECT_EQ(Get("/d/f"), "x");
  EXPECT_EQ(StatOf("/d/f").nlink, 1u);
  ASSERT_OK(alice().Close(fd));
  EXPECT_EQ(Get("/d/f"), "x");
}

TEST_P(TmpFileTest, ExclusiveOneGetsNoName) {
  ASSERT_OK_AND_ASSIGN(const Fd fd, root().Open("/", O_TMPFILE | O_RDWR | O_EXCL, 0644));
  EXPECT_ERROR(kENOENT, root().LinkFd(fd, "/f"));
}

TEST_P(TmpFileTest, NeedsWritePermissionOnTheDirectory) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  EXPECT_ERROR(kEACCES, alice().Open("/d", O_TMPFILE | O_RDWR, 0644));
}

}  // namespace
}  // namespace tarn::testing
