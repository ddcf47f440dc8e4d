// ReadDir and ReadLink.
#include <set>

#include "tests/unit/posix/rules_fixture.h"

namespace tarn::posix {
namespace {

class ReadDirTest : public RulesFixture {
 protected:
  Result<ReadDirReply> List(const std::string& path, uint64_t cookie = 0, uint32_t bytes = 4096,
                            bool plus = false, const Caller& caller = kRoot,
                            OpenAccess held = OpenAccess::kNone) {
    return Run([&](MetaTxn& txn) {
      return ReadDir(txn, caller, {At(path), cookie, bytes, plus}, held);
    });
  }
};

TEST_F(ReadDirTest, DotsComeFirstThenNamesInOrderOfCookie) {
  Must(Dir("/d"));
  Must(File("/d/f"));
  Must(Sym("/d/s", "t"));
  ReadDirReply reply = *List("/d");
  ASSERT_EQ(reply.entries.size(), 4u);
  EXPECT_TRUE(reply.end);
  EXPECT_EQ(reply.entries[0].name, ".");
  EXPECT_EQ(reply.entries[0].cookie, 1u);
  EXPECT_EQ(reply.entries[0].ino, At("/d").ino);
  EXPECT_EQ(reply.entries[1].name, "..");
  EXPECT_EQ(reply.entries[1].cookie, 2u);
  EXPECT_EQ(reply.entries[1].ino, kRootIno);
  EXPECT_LT(reply.entries[2].cookie, reply.entries[3].cookie);
  for (const DirEntry& entry : reply.entries) EXPECT_FALSE(entry.entry.has_value());
  for (int i : {2, 3}) {
    EXPECT_EQ(reply.entries[i].type, AttrOf("/d/" + reply.entries[i].name).type);
  }
}

TEST_F(ReadDirTest, PagesOfAnySizeGiveEveryNameOnce) {
  Must(Dir("/d"));
  std::set<std::string> expected = {".", ".."};
  for (int i = 0; i < 40; ++i) {
    std::string name = "name" + std::to_string(i);
    Must(File("/d/" + name));
    expected.insert(name);
  }
  for (bool plus : {false, true}) {
    for (uint32_t bytes : {0u, 1u, 100u, 600u, 4096u, 1u << 30}) {
      std::set<std::string> seen;
      uint64_t cookie = 0;
      for (bool end = false; !end;) {
        ReadDirReply reply = *List("/d", cookie, bytes, plus);
        ASSERT_TRUE(reply.end || !reply.entries.empty());
        for (const DirEntry& entry : reply.entries) {
          EXPECT_TRUE(seen.insert(entry.name).second) << entry.name;
          cookie = entry.cookie;
        }
        end = reply.end;
      }
      EXPECT_EQ(seen, expected) << plus << bytes;
    }
  }
}

TEST_F(ReadDirTest, CookieOutlivesItsName) {
  Must(Dir("/d"));
  for (const char* name : {"a", "b", "c"}) Must(File(std::string("/d/") + name));
  ReadDirReply all = *List("/d");
  Must(Remove("/d/" + all.entries[2].name));
  ReadDirReply rest = *List("/d", all.entries[2].cookie);
  ASSERT_EQ(rest.entries.size(), 2u);
  EXPECT_EQ(rest.entries[0].name, all.entries[3].name);
}

TEST_F(ReadDirTest, EqualCookiesStayOnOnePage) {
  Must(Dir("/d"));
  for (const char* name : {"a", "b", "c"}) Must(File(std::string("/d/") + name));
  // As if all three names had one hash.
  std::map<testing::MemMeta::Place, Dentry> collided;
  for (const auto& [place, dentry] : meta.dentries) {
    auto [dir, hash, name] = place;
    collided[{dir, dir == At("/d").ino ? 50 : hash, name}] = dentry;
  }
  Handle d = At("/d");
  meta.dentries = collided;
  testing::MemMetaTxn txn(meta, now);
  for (bool plus : {false, true}) {
    auto reply = ReadDir(txn, kRoot, {d, 2, 1, plus}, OpenAccess::kNone);
    EXPECT_EQ(reply->entries.size(), 3u);
  }
}

TEST_F(ReadDirTest, PlusAddsAttributesToThoseWhoMaySearch) {
  Must(Dir("/d", 0754));
  Must(File("/d/f"));
  ReadDirReply reply = *List("/d", 0, 4096, true);
  EXPECT_EQ(reply.entries[0].entry->attr, AttrOf("/d"));
  EXPECT_FALSE(reply.entries[1].entry.has_value());
  EXPECT_EQ(reply.entries[2].entry->attr, AttrOf("/d/f"));
  EXPECT_EQ(reply.entries[2].entry->handle.ino, At("/d/f").ino);
  reply = *List("/d", 0, 4096, true, kAlice);
  ASSERT_EQ(reply.entries.size(), 3u);
  EXPECT_FALSE(reply.entries[2].entry.has_value());
}

TEST_F(ReadDirTest, ReadPermissionCountsUnlessItIsOpen) {
  Must(Dir("/d", 0711));
  Must(File("/f"));
  EXPECT_EQ(List("/d", 0, 4096, false, kAlice).code(), Errno::kEACCES);
  EXPECT_TRUE(List("/d", 0, 4096, false, kAlice, OpenAccess::kRead).ok());
  EXPECT_EQ(List("/f").code(), Errno::kENOTDIR);
  EXPECT_EQ(List("/none").code(), Errno::kESTALE);
}

TEST_F(ReadDirTest, RemovedDirectoryHasNoEntries) {
  Handle d = Dir("/d")->handle;
  Must(RmDir("/d"));
  auto list = [&](MetaTxn& txn) { return ReadDir(txn, kRoot, {d, 0, 4096}, OpenAccess::kRead); };
  EXPECT_EQ(Run(list).code(), Errno::kENOENT);
}

TEST_F(ReadDirTest, ReadLinkGivesTheTarget) {
  Must(Sym("/s", "../some where"));
  Must(File("/f"));
  auto read = [&](const std::string& path) {
    return Run([&](MetaTxn& txn) { return ReadLink(txn, kAlice, {At(path)}); });
  };
  EXPECT_EQ(read("/s")->target, "../some where");
  EXPECT_EQ(read("/f").code(), Errno::kEINVAL);
  EXPECT_EQ(read("/").code(), Errno::kEINVAL);
}

}  // namespace
}  // namespace tarn::posix
