// Hard links and symbolic links.
#include "common/limits.h"
#include "tests/conformance/fixture.h"

namespace tarn::testing {
namespace {

TARN_CONFORMANCE(HardLinkTest);
TARN_CONFORMANCE(SymlinkTest);

TEST_P(HardLinkTest, NamesShareOneInode) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  Put("/a", "one");
  ASSERT_OK(root().Link("/a", "/d/b"));
  EXPECT_EQ(StatOf("/a").ino, StatOf("/d/b").ino);
  EXPECT_EQ(StatOf("/a").nlink, 2u);
  Put("/d/b", "two");
  EXPECT_EQ(Get("/a"), "two");
  ASSERT_OK(root().Unlink("/a"));
  EXPECT_EQ(StatOf("/d/b").nlink, 1u);
  EXPECT_EQ(Get("/d/b"), "two");
}

TEST_P(HardLinkTest, ChangesCtimeOfTheFileAndTimesOfTheDirectory) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  Put("/a", "x");
  const Attr file = StatOf("/a"), dir = StatOf("/d");
  ASSERT_OK(root().Link("/a", "/d/b"));
  EXPECT_GT(StatOf("/a").ctime, file.ctime);
  EXPECT_EQ(StatOf("/a").mtime, file.mtime);
  EXPECT_GT(StatOf("/d").mtime, dir.mtime);
  EXPECT_GT(StatOf("/d").ctime, dir.ctime);
  const Attr linked = StatOf("/a");
  ASSERT_OK(root().Unlink("/d/b"));
  EXPECT_GT(StatOf("/a").ctime, linked.ctime);
}

TEST_P(HardLinkTest, OfADirectoryFailsEPERM) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  EXPECT_ERROR(kEPERM, root().Link("/d", "/e"));
}

TEST_P(HardLinkTest, OfASymlinkLinksTheSymlink) {
  ASSERT_OK(root().SymLink("target", "/l"));
  ASSERT_OK(root().Link("/l", "/m"));
  EXPECT_EQ(StatOf("/m").type, FileType::kSymlink);
  EXPECT_EQ(StatOf("/m").nlink, 2u);
}

TEST_P(HardLinkTest, OfSpecialFilesWorks) {
  ASSERT_OK(root().MakeNode("/p", FileType::kFifo, 0644, 0));
  ASSERT_OK(root().Link("/p", "/q"));
  EXPECT_EQ(StatOf("/q").ino, StatOf("/p").ino);
}

TEST_P(HardLinkTest, WithoutWritePermissionFailsEACCES) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  ASSERT_OK(PutFile(alice(), "/f", ""));
  EXPECT_ERROR(kEACCES, alice().Link("/f", "/d/f"));
}

TEST_P(SymlinkTest, KeepsItsTargetToTheByte) {
  for (const std::string& target :
       {std::string("a"), std::string("/abs/olute"), std::string("../..//x/"),
        std::string("\xff\n "), std::string(kSymlinkMaxBytes, 't')}) {
    ASSERT_OK(root().SymLink(target, "/l"));
    EXPECT_EQ(root().ReadLink("/l").value(), target);
    const Attr attr = StatOf("/l");
    EXPECT_EQ(attr.type, FileType::kSymlink);
    EXPECT_EQ(attr.size, target.size());
    EXPECT_EQ(attr.mode, 0777u);
    ASSERT_OK(root().Unlink("/l"));
  }
}

TEST_P(SymlinkTest, TargetOf4096BytesFailsENAMETOOLONG) {
  EXPECT_ERROR(kENAMETOOLONG, root().SymLink(std::string(kSymlinkMaxBytes + 1, 't'), "/l"));
  EXPECT_TRUE(Names("/").empty());
}

TEST_P(SymlinkTest, IsFollowedToFilesAndDirectories) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  Put("/d/f", "x");
  ASSERT_OK(root().SymLink("d", "/to-dir"));
  ASSERT_OK(root().SymLink("to-dir/f", "/to-file"));
  EXPECT_EQ(Get("/to-file"), "x");
  EXPECT_EQ(Get("/to-dir/f"), "x");
  EXPECT_EQ(root().Stat("/to-file")->ino, StatOf("/d/f").ino);
  EXPECT_EQ(StatOf("/to-file").type, FileType::kSymlink);
}

TEST_P(SymlinkTest, LoopFailsELOOP) {
  ASSERT_OK(root().SymLink("b", "/a"));
  ASSERT_OK(root().SymLink("a", "/b"));
  EXPECT_ERROR(kELOOP, root().Stat("/a"));
  EXPECT_ERROR(kELOOP, root().Open("/a", O_RDONLY));
  EXPECT_OK(root().LStat("/a"));
}

TEST_P(SymlinkTest, DanglingFailsENOENT) {
  ASSERT_OK(root().SymLink("nowhere", "/l"));
  EXPECT_ERROR(kENOENT, root().Stat("/l"));
  EXPECT_ERROR(kENOENT, root().Open("/l", O_RDONLY));
}

TEST_P(SymlinkTest, ReadLinkOfAnythingElseFailsEINVAL) {
  Put("/f");
  ASSERT_OK(root().MakeDir("/d", 0755));
  EXPECT_ERROR(kEINVAL, root().ReadLink("/f"));
  EXPECT_ERROR(kEINVAL, root().ReadLink("/d"));
}

TEST_P(SymlinkTest, OwnerCanBeChangedWithoutTouchingTheTarget) {
  Put("/f");
  ASSERT_OK(root().SymLink("f", "/l"));
  ASSERT_OK(root().LChown("/l", kAlice.uid, kAlice.gid));
  EXPECT_EQ(StatOf("/l").uid, kAlice.uid);
  EXPECT_EQ(StatOf("/f").uid, 0u);
}

TEST_P(SymlinkTest, ChmodGoesToTheTarget) {
  Put("/f", "", 0644);
  ASSERT_OK(root().SymLink("f", "/l"));
  ASSERT_OK(root().Chmod("/l", 0600));
  EXPECT_EQ(StatOf("/f").mode, 0600u);
  EXPECT_EQ(StatOf("/l").mode, 0777u);
}

}  // namespace
}  // namespace tarn::testing
