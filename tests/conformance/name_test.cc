// Names: what may be one, what making and removing them does to their directory.
#include <sys/sysmacros.h>

#include "common/limits.h"
#include "tests/conformance/fixture.h"

namespace tarn::testing {
namespace {

TARN_CONFORMANCE(NameTest);
TARN_CONFORMANCE(DirectoryLinkTest);
TARN_CONFORMANCE(NodeTest);

std::string LongName(size_t size) {
  return "/" + std::string(size, 'n');
}

TEST_P(NameTest, OddBytesAreKeptAsTheyAre) {
  for (const std::string name : {" ", "...", "a\nb", "\x01\x7f\xff\xfe", "-", "*?[", "\\", "äöü",
                                 "a.", ".a", "~", "\xc3\x28"}) {
    SCOPED_TRACE(name);
    Put("/" + name, name);
    EXPECT_EQ(Get("/" + name), name);
    EXPECT_EQ(Names("/"), std::vector<std::string>{name});
    EXPECT_OK(root().Unlink("/" + name));
  }
}

TEST_P(NameTest, CaseAndNormalFormsAreDifferentNames) {
  Put("/a", "1");
  Put("/A", "2");
  Put("/\xc3\xa4", "3");   // ä as one code point
  Put("/a\xcc\x88", "4");  // ä as two
  EXPECT_EQ(Names("/").size(), 4u);
  EXPECT_EQ(Get("/a"), "1");
  EXPECT_EQ(Get("/a\xcc\x88"), "4");
}

TEST_P(NameTest, Of255BytesWorksEverywhere) {
  const std::string name = LongName(kNameMaxBytes);
  const std::string other = "/" + std::string(kNameMaxBytes, 'm');
  EXPECT_OK(root().MakeDir(name, 0755));
  EXPECT_OK(root().Rename(name, other));
  EXPECT_EQ(Names("/"), std::vector<std::string>{other.substr(1)});
  EXPECT_OK(root().RemoveDir(other));
  Put(name, "x");
  EXPECT_OK(root().Link(name, other));
  EXPECT_OK(root().Unlink(name));
  EXPECT_EQ(Get(other), "x");
  EXPECT_OK(root().SymLink("t", name));
  EXPECT_EQ(root().ReadLink(name).value(), "t");
}

TEST_P(NameTest, Of256BytesFailsENAMETOOLONG) {
  const std::string name = LongName(kNameMaxBytes + 1);
  Put("/f");
  EXPECT_ERROR(kENAMETOOLONG, root().MakeDir(name, 0755));
  EXPECT_ERROR(kENAMETOOLONG, root().MakeNode(name, FileType::kFifo, 0644, 0));
  EXPECT_ERROR(kENAMETOOLONG, root().Open(name, O_CREAT | O_WRONLY, 0644));
  EXPECT_ERROR(kENAMETOOLONG, root().SymLink("t", name));
  EXPECT_ERROR(kENAMETOOLONG, root().Link("/f", name));
  EXPECT_ERROR(kENAMETOOLONG, root().Rename("/f", name));
  EXPECT_ERROR(kENAMETOOLONG, root().Rename(name, "/g"));
  EXPECT_ERROR(kENAMETOOLONG, root().Unlink(name));
  EXPECT_ERROR(kENAMETOOLONG, root().RemoveDir(name));
  EXPECT_ERROR(kENAMETOOLONG, root().LStat(name));
  EXPECT_ERROR(kENAMETOOLONG, root().LStat(name + "/x"));
  EXPECT_EQ(Names("/"), std::vector<std::string>{"f"});
}

TEST_P(NameTest, TakenFailsEEXISTForEveryMaker) {
  Put("/source");
  Put("/file");
  ASSERT_OK(root().MakeDir("/dir", 0755));
  ASSERT_OK(root().SymLink("nowhere", "/link"));
  for (const std::string taken : {"/file", "/dir", "/link"}) {
    SCOPED_TRACE(taken);
    EXPECT_ERROR(kEEXIST, root().MakeDir(taken, 0755));
    EXPECT_ERROR(kEEXIST, root().MakeNode(taken, FileType::kFifo, 0644, 0));
    EXPECT_ERROR(kEEXIST, root().SymLink("t", taken));
    EXPECT_ERROR(kEEXIST, root().Link("/source", taken));
    EXPECT_ERROR(kEEXIST, root().Open(taken, O_CREAT | O_EXCL | O_WRONLY, 0644));
  }
}

TEST_P(NameTest, MissingFailsENOENT) {
  EXPECT_ERROR(kENOENT, root().LStat("/x"));
  EXPECT_ERROR(kENOENT, root().Unlink("/x"));
  EXPECT_ERROR(kENOENT, root().RemoveDir("/x"));
  EXPECT_ERROR(kENOENT, root().Rename("/x", "/y"));
  EXPECT_ERROR(kENOENT, root().Link("/x", "/y"));
  EXPECT_ERROR(kENOENT, root().Open("/x", O_RDONLY));
  EXPECT_ERROR(kENOENT, root().MakeDir("/x/y", 0755));
  EXPECT_ERROR(kENOENT, root().Open("/x/y", O_CREAT | O_WRONLY, 0644));
}

TEST_P(NameTest, BelowAFileFailsENOTDIR) {
  Put("/f");
  EXPECT_ERROR(kENOTDIR, root().LStat("/f/x"));
  EXPECT_ERROR(kENOTDIR, root().MakeDir("/f/x", 0755));
  EXPECT_ERROR(kENOTDIR, root().Unlink("/f/x"));
  EXPECT_ERROR(kENOTDIR, root().RemoveDir("/f/x"));
  EXPECT_ERROR(kENOTDIR, root().Rename("/f/x", "/y"));
  EXPECT_ERROR(kENOTDIR, root().Rename("/f", "/f/x"));
  EXPECT_ERROR(kENOTDIR, root().Open("/f/x", O_CREAT | O_WRONLY, 0644));
}

TEST_P(NameTest, DotsAsLastComponentAnswerAsPosixSays) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  EXPECT_ERROR(kEINVAL, root().RemoveDir("/d/."));
  EXPECT_ERROR(kENOTEMPTY, root().RemoveDir("/d/.."));
  EXPECT_ERROR(kEEXIST, root().MakeDir("/d/.", 0755));
  EXPECT_ERROR(kEBUSY, root().Rename("/d/.", "/e"));
  EXPECT_ERROR(kEISDIR, root().Unlink("/d/."));
  EXPECT_EQ(StatOf("/d/.").ino, StatOf("/d").ino);
  EXPECT_EQ(StatOf("/d/..").ino, StatOf("/").ino);
}

TEST_P(NameTest, UnlinkOfADirectoryFailsEISDIR) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  EXPECT_ERROR(kEISDIR, root().Unlink("/d"));
}

TEST_P(NameTest, RemoveDirOfAFileFailsENOTDIR) {
  Put("/f");
  ASSERT_OK(root().SymLink("d", "/l"));
  ASSERT_OK(root().MakeDir("/d", 0755));
  EXPECT_ERROR(kENOTDIR, root().RemoveDir("/f"));
  EXPECT_ERROR(kENOTDIR, root().RemoveDir("/l"));
}

TEST_P(NameTest, RemoveDirNotEmptyFailsENOTEMPTY) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  Put("/d/f");
  EXPECT_ERROR(kENOTEMPTY, root().RemoveDir("/d"));
  ASSERT_OK(root().Unlink("/d/f"));
  EXPECT_OK(root().RemoveDir("/d"));
  EXPECT_TRUE(Names("/").empty());
}

TEST_P(NameTest, InodeNumbersAreNotUsedAgain) {
  Put("/a");
  const Ino first = StatOf("/a").ino;
  ASSERT_OK(root().Unlink("/a"));
  Put("/a");
  EXPECT_GT(Raw(StatOf("/a").ino), Raw(first));
}

TEST_P(DirectoryLinkTest, CountIsTwoAndOneForEachSubdirectory) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  EXPECT_EQ(StatOf("/d").nlink, 2u);
  ASSERT_OK(root().MakeDir("/d/a", 0755));
  ASSERT_OK(root().MakeDir("/d/b", 0755));
  Put("/d/f");
  EXPECT_EQ(StatOf("/d").nlink, 4u);
  ASSERT_OK(root().RemoveDir("/d/a"));
  EXPECT_EQ(StatOf("/d").nlink, 3u);
}

TEST_P(DirectoryLinkTest, CountFollowsMovedSubdirectories) {
  ASSERT_OK(root().MakeDir("/a", 0755));
  ASSERT_OK(root().MakeDir("/b", 0755));
  ASSERT_OK(root().MakeDir("/a/x", 0755));
  ASSERT_OK(root().MakeDir("/b/x", 0755));
  ASSERT_OK(root().Rename("/a/x", "/b/x"));  // replaces an empty one
  EXPECT_EQ(StatOf("/a").nlink, 2u);
  EXPECT_EQ(StatOf("/b").nlink, 3u);
  EXPECT_EQ(StatOf("/b/x/..").ino, StatOf("/b").ino);
}

TEST_P(DirectoryLinkTest, CountOfARemovedOpenDirectoryIsZero) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  ASSERT_OK_AND_ASSIGN(const Fd fd, root().Open("/d", O_RDONLY | O_DIRECTORY));
  ASSERT_OK(root().RemoveDir("/d"));
  ASSERT_OK_AND_ASSIGN(const Attr attr, root().FStat(fd));
  EXPECT_EQ(attr.nlink, 0u);
  EXPECT_OK(root().Close(fd));
}

TEST_P(NodeTest, EveryTypeIsMadeWithItsModeAndDevice) {
  struct Case {
    const char* path;
    FileType type;
    uint64_t rdev;
  };
  for (const Case& c : {Case{"/fifo", FileType::kFifo, 0}, Case{"/socket", FileType::kSocket, 0},
                        Case{"/char", FileType::kCharDevice, makedev(1, 3)},
                        Case{"/block", FileType::kBlockDevice, makedev(259, 70000)},
                        Case{"/file", FileType::kRegular, 0}}) {
    SCOPED_TRACE(c.path);
    ASSERT_OK(root().MakeNode(c.path, c.type, 0640, c.rdev));
    const Attr attr = StatOf(c.path);
    EXPECT_EQ(attr.type, c.type);
    EXPECT_EQ(attr.mode, 0640u);
    EXPECT_EQ(attr.rdev, c.rdev);
    EXPECT_EQ(attr.nlink, 1u);
    EXPECT_EQ(attr.size, 0u);
    EXPECT_EQ(attr.allocated, 0u);
  }
}

TEST_P(NodeTest, DeviceByAUserFailsEPERM) {
  EXPECT_ERROR(kEPERM, alice().MakeNode("/c", FileType::kCharDevice, 0600, makedev(1, 3)));
  EXPECT_ERROR(kEPERM, alice().MakeNode("/b", FileType::kBlockDevice, 0600, makedev(7, 0)));
  EXPECT_OK(alice().MakeNode("/p", FileType::kFifo, 0600, 0));
  EXPECT_EQ(StatOf("/p").uid, kAlice.uid);
  EXPECT_EQ(StatOf("/p").gid, kAlice.gid);
}

TEST_P(NodeTest, UmaskIsTakenFromTheMode) {
  alice().SetUmask(027);
  ASSERT_OK(alice().MakeDir("/d", 0777));
  ASSERT_OK(alice().MakeNode("/p", FileType::kFifo, 0666, 0));
  ASSERT_OK(PutFile(alice(), "/f", "", 0666));
  EXPECT_EQ(StatOf("/d").mode, 0750u);
  EXPECT_EQ(StatOf("/p").mode, 0640u);
  EXPECT_EQ(StatOf("/f").mode, 0640u);
}

TEST_P(NodeTest, StickyBitAndSetIdBitsAreKeptAtCreation) {
  ASSERT_OK(alice().MakeDir("/d", 01777));
  EXPECT_EQ(StatOf("/d").mode, 01777u);
  ASSERT_OK(alice().MakeNode("/f", FileType::kRegular, 06711, 0));
  EXPECT_EQ(StatOf("/f").mode, 06711u);
}

}  // namespace
}  // namespace tarn::testing
