// Rename: every pair of types in every mode, then what else moves with a name.
#include "tests/conformance/fixture.h"

namespace tarn::testing {
namespace {

TARN_CONFORMANCE(RenameTest);

enum class Kind { kNone, kFile, kSymlink, kFifo, kEmptyDir, kFullDir };
constexpr Kind kKinds[] = {Kind::kNone, Kind::kFile,     Kind::kSymlink,
                           Kind::kFifo, Kind::kEmptyDir, Kind::kFullDir};

const char* Name(Kind kind) {
  switch (kind) {
    case Kind::kNone:
      return "nothing";
    case Kind::kFile:
      return "file";
    case Kind::kSymlink:
      return "symlink";
    case Kind::kFifo:
      return "fifo";
    case Kind::kEmptyDir:
      return "empty directory";
    case Kind::kFullDir:
      return "full directory";
  }
  return "";
}

bool IsDir(Kind kind) {
  return kind == Kind::kEmptyDir || kind == Kind::kFullDir;
}

void Make(Process& process, Kind kind, const std::string& path) {
  switch (kind) {
    case Kind::kNone:
      return;
    case Kind::kFile:
      ASSERT_OK(PutFile(process, path, path));
      return;
    case Kind::kSymlink:
      ASSERT_OK(process.SymLink("target", path));
      return;
    case Kind::kFifo:
      ASSERT_OK(process.MakeNode(path, FileType::kFifo, 0644, 0));
      return;
    case Kind::kFullDir:
      ASSERT_OK(process.MakeDir(path, 0755));
      ASSERT_OK(PutFile(process, path + "/inside", ""));
      return;
    case Kind::kEmptyDir:
      ASSERT_OK(process.MakeDir(path, 0755));
      return;
  }
}

// What POSIX and renameat2(2) say.
Errno Expected(Kind source, Kind target, RenameMode mode) {
  if (source == Kind::kNone) return Errno::kENOENT;
  if (mode == RenameMode::kNoReplace) {
    return target == Kind::kNone ? Errno::kOk : Errno::kEEXIST;
  }
  if (mode == RenameMode::kExchange) {
    return target == Kind::kNone ? Errno::kENOENT : Errno::kOk;
  }
  if (target == Kind::kNone || (!IsDir(source) && !IsDir(target))) return Errno::kOk;
  if (!IsDir(source)) return Errno::kEISDIR;
  if (!IsDir(target)) return Errno::kENOTDIR;
  return target == Kind::kFullDir ? Errno::kENOTEMPTY : Errno::kOk;
}

// One cell of the table: the answer, and what is where afterwards.
void Try(Process& process, Kind source, Kind target, RenameMode mode, const std::string& from,
         const std::string& to) {
  Make(process, source, from);
  Make(process, target, to);
  const auto old_from = process.LStat(from);
  const auto old_to = process.LStat(to);
  const Errno expected = Expected(source, target, mode);
  EXPECT_EQ(process.Rename(from, to, mode).code(), expected);
  const auto ino = [&](const std::string& path) {
    const auto attr = process.LStat(path);
    return attr.ok() ? attr->ino : kNoIno;
  };
  const Ino was_from = old_from.ok() ? old_from->ino : kNoIno;
  const Ino was_to = old_to.ok() ? old_to->ino : kNoIno;
  if (expected != Errno::kOk) {
    EXPECT_EQ(ino(from), was_from);
    EXPECT_EQ(ino(to), was_to);
  } else {
    EXPECT_EQ(ino(to), was_from);
    EXPECT_EQ(ino(from), mode == RenameMode::kExchange ? was_to : kNoIno);
  }
}

void TryAll(Process& process, RenameMode mode, const std::string& from_dir,
            const std::string& to_dir) {
  for (const Kind source : kKinds) {
    for (const Kind target : kKinds) {
      SCOPED_TRACE(std::string(Name(source)) + " over " + Name(target));
      ASSERT_OK(process.MakeDir("/a", 0755));
      ASSERT_OK(process.MakeDir("/b", 0755));
      Try(process, source, target, mode, from_dir + "/s", to_dir + "/t");
      ASSERT_OK(RemoveTree(process, "/"));
    }
  }
}

TEST_P(RenameTest, EveryPairOfTypesAnswersAsPosixSays) {
  TryAll(root(), RenameMode::kReplace, "/a", "/a");
  TryAll(root(), RenameMode::kReplace, "/a", "/b");
}

TEST_P(RenameTest, NoReplaceOverAnythingFailsEEXIST) {
  TryAll(root(), RenameMode::kNoReplace, "/a", "/b");
}

TEST_P(RenameTest, ExchangeSwapsAnyTwoTypes) {
  TryAll(root(), RenameMode::kExchange, "/a", "/a");
  TryAll(root(), RenameMode::kExchange, "/a", "/b");
}

TEST_P(RenameTest, ExchangeOfDirectoriesMovesTheirParents) {
  ASSERT_OK(root().MakeDir("/a", 0755));
  ASSERT_OK(root().MakeDir("/b", 0755));
  ASSERT_OK(root().MakeDir("/a/d", 0755));
  Put("/b/f");
  ASSERT_OK(root().Rename("/a/d", "/b/f", RenameMode::kExchange));
  EXPECT_EQ(StatOf("/a").nlink, 2u);
  EXPECT_EQ(StatOf("/b").nlink, 3u);
  EXPECT_EQ(StatOf("/b/f/..").ino, StatOf("/b").ino);
  EXPECT_EQ(StatOf("/a/d").type, FileType::kRegular);
}

TEST_P(RenameTest, DirectoryIntoItselfFailsEINVAL) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  ASSERT_OK(root().MakeDir("/d/e", 0755));
  ASSERT_OK(root().MakeDir("/d/e/f", 0755));
  EXPECT_ERROR(kEINVAL, root().Rename("/d", "/d/x"));
  EXPECT_ERROR(kEINVAL, root().Rename("/d", "/d/e/f/x"));
  EXPECT_ERROR(kEINVAL, root().Rename("/d", "/d/e"));
  EXPECT_ERROR(kEINVAL, root().Rename("/d", "/d/e/f", RenameMode::kExchange));
}

TEST_P(RenameTest, OverAnAncestorFailsENOTEMPTY) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  ASSERT_OK(root().MakeDir("/d/e", 0755));
  ASSERT_OK(root().MakeDir("/d/e/f", 0755));
  EXPECT_ERROR(kENOTEMPTY, root().Rename("/d/e/f", "/d"));
  EXPECT_ERROR(kENOTEMPTY, root().Rename("/d/e/f", "/d/e"));
  EXPECT_ERROR(kEINVAL, root().Rename("/d/e/f", "/d", RenameMode::kExchange));
}

TEST_P(RenameTest, ToItselfChangesNothing) {
  Put("/f", "x");
  const Attr before = StatOf("/f");
  EXPECT_OK(root().Rename("/f", "/f"));
  EXPECT_EQ(StatOf("/f").ctime, before.ctime);
  EXPECT_EQ(Get("/f"), "x");
}

TEST_P(RenameTest, OverAnotherNameOfTheSameFileKeepsBoth) {
  Put("/a", "x");
  ASSERT_OK(root().Link("/a", "/b"));
  EXPECT_OK(root().Rename("/a", "/b"));
  EXPECT_EQ(Names("/"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(StatOf("/a").nlink, 2u);
}

TEST_P(RenameTest, ReplacedFileLosesOneLink) {
  Put("/a", "new");
  Put("/b", "old");
  ASSERT_OK(root().Link("/b", "/other"));
  const Attr before = StatOf("/other");
  ASSERT_OK(root().Rename("/a", "/b"));
  EXPECT_EQ(Get("/b"), "new");
  EXPECT_EQ(Get("/other"), "old");
  EXPECT_EQ(StatOf("/other").nlink, 1u);
  EXPECT_GT(StatOf("/other").ctime, before.ctime);
}

TEST_P(RenameTest, ReplacedOpenFileStaysReadable) {
  Put("/a", "new");
  Put("/b", "old");
  ASSERT_OK_AND_ASSIGN(const Fd fd, root().Open("/b", O_RDWR));
  ASSERT_OK(root().Rename("/a", "/b"));
  EXPECT_EQ(root().Read(fd, 10, 0).value(), "old");
  EXPECT_EQ(root().FStat(fd)->nlink, 0u);
  EXPECT_OK(root().Close(fd));
}

TEST_P(RenameTest, WholeTreeMovesWithItsDirectory) {
  ASSERT_OK(root().MakeDir("/a", 0755));
  ASSERT_OK(root().MakeDir("/a/b", 0755));
  ASSERT_OK(root().MakeDir("/c", 0755));
  Put("/a/b/f", "deep");
  ASSERT_OK(root().Rename("/a", "/c/moved"));
  EXPECT_EQ(Get("/c/moved/b/f"), "deep");
  EXPECT_EQ(StatOf("/c/moved/..").ino, StatOf("/c").ino);
  EXPECT_ERROR(kENOENT, root().LStat("/a"));
}

TEST_P(RenameTest, TimesOfBothDirectoriesAndOfTheMovedChange) {
  ASSERT_OK(root().MakeDir("/a", 0755));
  ASSERT_OK(root().MakeDir("/b", 0755));
  Put("/a/f", "x");
  const Attr a = StatOf("/a"), b = StatOf("/b"), f = StatOf("/a/f");
  ASSERT_OK(root().Rename("/a/f", "/b/f"));
  EXPECT_GT(StatOf("/a").mtime, a.mtime);
  EXPECT_GT(StatOf("/a").ctime, a.ctime);
  EXPECT_GT(StatOf("/b").mtime, b.mtime);
  EXPECT_GT(StatOf("/b/f").ctime, f.ctime);
  EXPECT_EQ(StatOf("/b/f").mtime, f.mtime);
}

TEST_P(RenameTest, NeedsWritePermissionInBothDirectories) {
  ASSERT_OK(alice().MakeDir("/mine", 0755));
  ASSERT_OK(root().MakeDir("/roots", 0755));
  Put("/roots/f");
  ASSERT_OK(PutFile(alice(), "/mine/f", ""));
  EXPECT_ERROR(kEACCES, alice().Rename("/mine/f", "/roots/g"));
  EXPECT_ERROR(kEACCES, alice().Rename("/roots/f", "/mine/g"));
  EXPECT_OK(alice().Rename("/mine/f", "/mine/g"));
}

TEST_P(RenameTest, DirectoryToAnotherParentNeedsWritePermissionOnItself) {
  ASSERT_OK(alice().MakeDir("/a", 0755));
  ASSERT_OK(alice().MakeDir("/b", 0755));
  ASSERT_OK(alice().MakeDir("/a/d", 0555));  // its ".." would have to be written
  EXPECT_ERROR(kEACCES, alice().Rename("/a/d", "/b/d"));
  EXPECT_OK(alice().Rename("/a/d", "/a/e"));
}

TEST_P(RenameTest, InAStickyDirectoryNeedsOwnershipOfBothEnds) {
  ASSERT_OK(root().MakeDir("/tmp", 01777));
  ASSERT_OK(PutFile(alice(), "/tmp/alices", "a", 0666));
  ASSERT_OK(PutFile(bob(), "/tmp/bobs", "b", 0666));
  EXPECT_ERROR(kEPERM, bob().Rename("/tmp/alices", "/tmp/x"));
  EXPECT_ERROR(kEPERM, bob().Rename("/tmp/bobs", "/tmp/alices"));
  EXPECT_ERROR(kEPERM, bob().Rename("/tmp/bobs", "/tmp/alices", RenameMode::kExchange));
  EXPECT_OK(bob().Rename("/tmp/bobs", "/tmp/b2"));
  EXPECT_OK(root().Rename("/tmp/b2", "/tmp/alices"));
}

}  // namespace
}  // namespace tarn::testing
