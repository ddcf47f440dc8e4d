// A CachedFs in front of a server in this process: contents that come with attributes, asked for
// while the server is away.
#include <gtest/gtest.h>

#include "tests/support/in_process_server.h"
#include "tests/unit/cached/client.h"

namespace tarn::cache {
namespace {

class PrefetchTest : public ::testing::Test {
 protected:
  static constexpr OpenId kOpen{1'000};

  Handle root() const { return a_.remote->root().handle; }
  static std::string ContentOf(int i) { return "content of " + std::to_string(i); }
  // Made, and written to, by b.
  Handle MakeFile(const std::string& name, const std::string& content) {
    auto made = Call<verbs::Create>(b_, {.dir = root(),
                                         .name = name,
                                         .mode = 0644,
                                         .open = kOpen,
                                         .access = OpenAccess::kWrite});
    EXPECT_OK(made);
    EXPECT_OK(Write(b_, made->entry.handle, content));
    EXPECT_OK(Call<verbs::Release>(b_, {.inode = made->entry.handle, .open = kOpen}));
    return made->entry.handle;
  }
  Result<WriteReply> Write(Client& client, Handle file, const std::string& data) {
    return Call<verbs::Write>(
        client, {.inode = file, .open = kOpen, .data = Bytes::FromString(data)});
  }
  Result<std::string> OpenAndRead(Client& client, Handle file) {
    RETURN_IF_ERROR(Call<verbs::Open>(client, {.inode = file, .open = kOpen}));
    ASSIGN_OR_RETURN(ReadReply read,
                     Call<verbs::Read>(client, {.inode = file, .open = kOpen, .size = 4096}));
    RETURN_IF_ERROR(Call<verbs::Release>(client, {.inode = file, .open = kOpen}));
    return read.data.ToString();
  }
  // Small files are looked up and read, so that the next will be expected to be read, too.
  void ReadMany() {
    for (int i = 0; i < 40; ++i) {
      const std::string name = "early" + std::to_string(i);
      MakeFile(name, ContentOf(i));
      ASSERT_OK_AND_ASSIGN(EntryReply entry, Call<verbs::Lookup>(a_, {root(), name}));
      EXPECT_EQ(*OpenAndRead(a_, entry.handle), ContentOf(i));
    }
  }

  testing::InProcessServer server_;
  Client a_{server_.address()};
  Client b_{server_.address()};
};

TEST_F(PrefetchTest, SmallFileComesWithItsName) {
  ReadMany();
  const Handle file = MakeFile("f", "small");
  ASSERT_OK(Call<verbs::Lookup>(a_, {root(), "f"}));
  server_.Stop();
  EXPECT_EQ(*OpenAndRead(a_, file), "small");
  server_.Start();
}

TEST_F(PrefetchTest, FileThatIsReadAgainComesWithItsAttributes) {
  const Handle file = MakeFile("f", "old");
  ASSERT_OK(Call<verbs::GetAttr>(a_, {.inode = file}));
  EXPECT_EQ(*OpenAndRead(a_, file), "old");
  ASSERT_OK(Call<verbs::Open>(b_, {.inode = file, .open = kOpen, .access = OpenAccess::kWrite}));
  ASSERT_OK(Write(b_, file, "new"));
  ASSERT_OK(Call<verbs::Release>(b_, {.inode = file, .open = kOpen}));
  ASSERT_OK(Call<verbs::GetAttr>(a_, {.inode = file}));
  server_.Stop();
  EXPECT_EQ(*OpenAndRead(a_, file), "new");
  server_.Start();
}

TEST_F(PrefetchTest, ChangeElsewhereEndsIt) {
  ReadMany();
  const Handle file = MakeFile("f", "old");
  ASSERT_OK(Call<verbs::Lookup>(a_, {root(), "f"}));
  ASSERT_OK(Call<verbs::Open>(b_, {.inode = file, .open = kOpen, .access = OpenAccess::kWrite}));
  ASSERT_OK(Write(b_, file, "new"));
  EXPECT_EQ(*OpenAndRead(a_, file), "new");
}

TEST_F(PrefetchTest, OwnChangeEndsIt) {
  ReadMany();
  const Handle file = MakeFile("f", "old content");
  ASSERT_OK(Call<verbs::Lookup>(a_, {root(), "f"}));
  ASSERT_OK(
      Call<verbs::Open>(a_, {.inode = file, .open = kOpen, .access = OpenAccess::kReadWrite}));
  for (const std::string content : {"new", "NEW"}) {
    // The second one stays here for a while.
    ASSERT_OK(Write(a_, file, content));
    ASSERT_OK_AND_ASSIGN(
        ReadReply read, Call<verbs::Read>(a_, {.inode = file, .open = kOpen, .size = 100}));
    EXPECT_EQ(read.data.ToString(), content + " content");
  }
  ASSERT_OK(Call<verbs::SetAttr>(a_, {.inode = file, .size = 1}));
  ASSERT_OK_AND_ASSIGN(ReadReply read,
                       Call<verbs::Read>(a_, {.inode = file, .open = kOpen, .size = 100}));
  EXPECT_EQ(read.data.ToString(), "N");
}

TEST_F(PrefetchTest, DescriptorForWritingReadsNothing) {
  ReadMany();
  const Handle file = MakeFile("f", "small");
  ASSERT_OK(Call<verbs::Lookup>(a_, {root(), "f"}));
  ASSERT_OK(Call<verbs::Open>(a_, {.inode = file, .open = kOpen, .access = OpenAccess::kWrite}));
  EXPECT_ERROR(kEBADF, Call<verbs::Read>(a_, {.inode = file, .open = kOpen, .size = 100}));
}

TEST_F(PrefetchTest, ReadIsAnAccess) {
  ReadMany();
  const Handle file = MakeFile("f", "small");
  ASSERT_OK_AND_ASSIGN(EntryReply before, Call<verbs::Lookup>(a_, {root(), "f"}));
  ASSERT_LE(before.attr.atime, before.attr.mtime);
  // Neither to look nor to open is.
  ASSERT_OK(Call<verbs::Open>(a_, {.inode = file, .open = kOpen}));
  ASSERT_OK(Call<verbs::Release>(a_, {.inode = file, .open = kOpen}));
  ASSERT_OK(Call<verbs::Fsync>(a_, {.inode = root()}));
  {
    Client other(server_.address());
    ASSERT_OK_AND_ASSIGN(AttrReply attr, Call<verbs::GetAttr>(other, {.inode = file}));
    EXPECT_EQ(attr.attr.atime, before.attr.atime);
  }
  EXPECT_EQ(*OpenAndRead(a_, file), "small");
  ASSERT_OK(Call<verbs::Fsync>(a_, {.inode = root()}));  // tells of the end of the open
  Client other(server_.address());
  ASSERT_OK_AND_ASSIGN(AttrReply attr, Call<verbs::GetAttr>(other, {.inode = file}));
  EXPECT_GT(attr.attr.atime, before.attr.mtime);
}

}  // namespace
}  // namespace tarn::cache
