// Listing directories: completeness, cookies that survive change, and what entries say.
#include <map>
#include <set>

#include "tests/conformance/fixture.h"

namespace tarn::testing {
namespace {

TARN_CONFORMANCE(ReadDirTest);

constexpr int kMany = 1000;  // several replies of the smallest size

std::string Numbered(int i) {
  return "/d/name-" + std::to_string(i);
}

void MakeMany(Process& process) {
  ASSERT_OK(process.MakeDir("/d", 0755));
  for (int i = 0; i < kMany; ++i) {
    ASSERT_OK(process.MakeNode(Numbered(i), FileType::kRegular, 0644, 0));
  }
}

TEST_P(ReadDirTest, EmptyDirectoryHasOnlyTheDots) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  ASSERT_OK_AND_ASSIGN(const Fd fd, root().Open("/d", O_RDONLY | O_DIRECTORY));
  ASSERT_OK_AND_ASSIGN(const auto entries, root().ReadDir(fd, 0));
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].name, ".");
  EXPECT_EQ(entries[0].ino, StatOf("/d").ino);
  EXPECT_EQ(entries[1].name, "..");
  EXPECT_EQ(entries[1].ino, StatOf("/").ino);
  EXPECT_TRUE(root().ReadDir(fd, entries[1].cookie)->empty());
}

TEST_P(ReadDirTest, EntriesHaveTheTypeAndNumberOfTheirInode) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  ASSERT_OK(root().MakeDir("/d/dir", 0755));
  ASSERT_OK(root().SymLink("t", "/d/link"));
  ASSERT_OK(root().MakeNode("/d/fifo", FileType::kFifo, 0644, 0));
  ASSERT_OK(root().MakeNode("/d/socket", FileType::kSocket, 0644, 0));
  Put("/d/file");
  ASSERT_OK_AND_ASSIGN(const auto entries, ListDir(root(), "/d"));
  EXPECT_EQ(entries.size(), 5u);
  for (const DirRecord& entry : entries) {
    const Attr attr = StatOf("/d/" + entry.name);
    EXPECT_EQ(entry.type, attr.type) << entry.name;
    EXPECT_EQ(entry.ino, attr.ino) << entry.name;
  }
}

TEST_P(ReadDirTest, LargeDirectoryIsListedOnceAndWhole) {
  MakeMany(root());
  ASSERT_OK_AND_ASSIGN(const auto entries, ListDir(root(), "/d"));
  std::set<std::string> names;
  std::set<uint64_t> cookies;
  for (const DirRecord& entry : entries) {
    names.insert(entry.name);
    cookies.insert(entry.cookie);
  }
  EXPECT_EQ(entries.size(), static_cast<size_t>(kMany));
  EXPECT_EQ(names.size(), static_cast<size_t>(kMany));
  EXPECT_EQ(cookies.size(), static_cast<size_t>(kMany));
}

TEST_P(ReadDirTest, EntriesThatStayAreListedOnceWhileOthersComeAndGo) {
  MakeMany(root());
  ASSERT_OK_AND_ASSIGN(const Fd fd, root().Open("/d", O_RDONLY | O_DIRECTORY));
  std::map<std::string, int> seen;
  uint64_t cookie = 0;
  for (int round = 0;; ++round) {
    ASSERT_OK_AND_ASSIGN(const auto some, root().ReadDir(fd, cookie));
    if (some.empty()) break;
    cookie = some.back().cookie;
    for (const DirRecord& entry : some) ++seen[entry.name];
    // Odd ones go, also the one that the cookie stands for; new ones come.
    for (const int i : {round * 2 + 1, kMany - 1 - round * 2}) {
      if (i >= 0 && i < kMany) (void)root().Unlink(Numbered(i));
    }
    Put("/d/new-" + std::to_string(round));
  }
  for (int i = 0; i < kMany; i += 2) {
    EXPECT_EQ(seen["name-" + std::to_string(i)], 1) << i;
  }
  for (const auto& [name, count] : seen) EXPECT_EQ(count, 1) << name;
}

TEST_P(ReadDirTest, CookieGoesOnBehindItsEntryEvenWhenThatIsGone) {
  MakeMany(root());
  ASSERT_OK_AND_ASSIGN(const auto all, ListDir(root(), "/d"));
  for (const size_t at : {size_t{0}, all.size() / 3, all.size() - 2}) {
    ASSERT_OK(root().Unlink("/d/" + all[at].name));
    ASSERT_OK_AND_ASSIGN(const Fd fd, root().Open("/d", O_RDONLY | O_DIRECTORY));
    ASSERT_OK_AND_ASSIGN(const auto rest, root().ReadDir(fd, all[at].cookie));
    ASSERT_FALSE(rest.empty());
    EXPECT_EQ(rest[0].name, all[at + 1].name);
    ASSERT_OK(root().Close(fd));
  }
}

TEST_P(ReadDirTest, CookiesAreTheSameInEveryListing) {
  MakeMany(root());
  ASSERT_OK_AND_ASSIGN(const auto first, ListDir(root(), "/d"));
  Put("/d/one-more");
  ASSERT_OK_AND_ASSIGN(const auto second, ListDir(root(), "/d"));
  std::map<std::string, uint64_t> cookies;
  for (const DirRecord& entry : second) cookies[entry.name] = entry.cookie;
  for (const DirRecord& entry : first) EXPECT_EQ(cookies[entry.name], entry.cookie);
}

TEST_P(ReadDirTest, RightToListIsDecidedAtOpen) {
  ASSERT_OK(alice().MakeDir("/d", 0700));
  ASSERT_OK(PutFile(alice(), "/d/f", ""));
  EXPECT_ERROR(kEACCES, bob().Open("/d", O_RDONLY | O_DIRECTORY));
  ASSERT_OK_AND_ASSIGN(const Fd fd, alice().Open("/d", O_RDONLY | O_DIRECTORY));
  ASSERT_OK(root().Chmod("/d", 0));
  ASSERT_OK_AND_ASSIGN(const auto entries, alice().ReadDir(fd, 0));
  EXPECT_EQ(entries.size(), 3u);
}

}  // namespace
}  // namespace tarn::testing
