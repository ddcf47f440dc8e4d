// The value format is on disk: what is written today must be read for ever.
#include "server/store/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "tests/support/expect.h"

namespace tarn::store {
namespace {

using ::testing::HasSubstr;

std::string Hex(const std::string& bytes) { return absl::BytesToHexString(bytes); }

Inode FullInode() {
  Inode inode;
  inode.attr.ino = Ino{42};
  inode.attr.type = FileType::kSymlink;
  inode.attr.mode = 0755;
  inode.attr.nlink = 2;
  inode.attr.uid = 3;
  inode.attr.gid = 4;
  inode.attr.rdev = 5;
  inode.attr.size = 6;
  inode.attr.allocated = 7;
  inode.attr.atime.ns = -1;
  inode.attr.mtime.ns = 9;
  inode.attr.ctime.ns = 10;
  inode.attr.btime.ns = 11;
  inode.attr.version = 12;
  inode.attr.no_xattrs = true;
  inode.data = DataId{13};
  inode.quota = QuotaId{14};
  inode.target = "tgt";
  inode.parent = Ino{15};
  inode.name = "nm";
  inode.access_day = 16;
  inode.linkable = false;
  return inode;
}

TEST(RecordsTest, InodeComesBackWhole) {
  ASSERT_OK_AND_ASSIGN(const Inode inode, DecodeInode(Ino{42}, EncodeInode(FullInode())));
  EXPECT_EQ(inode, FullInode());
}

TEST(RecordsTest, InodeBytesAreGolden) {
  EXPECT_EQ(Hex(EncodeInode(FullInode())),
            "080a10ed031802200328043005380640074"
            "9ffffffffffffffff510900000000000000590a00000000000000610b00000000000000"
            "680c700d780e820103746774"
            "88010f92010" "26e6d"
            "980110a00101a80101");
}

// Written before records told that there are none.
TEST(RecordsTest, InodeOfAnOlderServerMayHaveXattrs) {
  const std::string bytes = EncodeInode(FullInode());
  ASSERT_OK_AND_ASSIGN(const Inode old, DecodeInode(Ino{42}, bytes.substr(0, bytes.size() - 3)));
  Inode expected = FullInode();
  expected.attr.no_xattrs = false;
  EXPECT_EQ(old, expected);
}

TEST(RecordsTest, DentryBytesAreGolden) {
  const Dentry dentry{Ino{0x0102}, FileType::kDirectory};
  EXPECT_EQ(Hex(EncodeDentry(dentry)), "000000000000010204");
  ASSERT_OK_AND_ASSIGN(const Dentry back, DecodeDentry("key", EncodeDentry(dentry)));
  EXPECT_EQ(back, dentry);
}

TEST(RecordsTest, SmallRecordsAreGoldenAndComeBack) {
  EXPECT_EQ(Hex(EncodeOrphan({5})), "090500000000000000");
  EXPECT_EQ(DecodeOrphan("k", EncodeOrphan({5})).value(), Timestamp{5});

  EXPECT_EQ(Hex(EncodeGarbage({300, 4096})), "08ac02108020");
  EXPECT_EQ(DecodeGarbage("k", EncodeGarbage({300, 4096})).value(), (Garbage{300, 4096}));

  EXPECT_EQ(Hex(EncodeKeptReply({7, 8, "r"})), "080710081a0172");
  ASSERT_OK_AND_ASSIGN(const KeptReply reply, DecodeKeptReply("k", EncodeKeptReply({7, 8, "r"})));
  EXPECT_EQ(reply.sequence, 7u);
  EXPECT_EQ(reply.verb, 8);
  EXPECT_EQ(reply.reply, "r");

  EXPECT_EQ(Hex(EncodeOpenMark({"b", true})), "0a01621001");
  EXPECT_EQ(DecodeOpenMark(EncodeOpenMark({"b", true})).value(), (OpenMark{"b", true}));

  const FileSystemEntry entry{"n", {5}, true};
  EXPECT_EQ(Hex(EncodeFileSystem(entry)), "0a016e1105000000000000001802");
  EXPECT_EQ(DecodeFileSystem("k", EncodeFileSystem(entry)).value(), entry);
}

TEST(RecordsTest, SessionIsGoldenAndComesBack) {
  const SessionRecord session{{1, 2}, 3, true, true, 4, Ino{5}, "host", {6}, true, {7}, {8, 9}};
  const std::string older = "0803100118012004280532" "04686f73743906000000000000004001";
  EXPECT_EQ(Hex(EncodeSession(session)),
            older + "490700000000000000" "510800000000000000" "590900000000000000");
  ASSERT_OK_AND_ASSIGN(const SessionRecord back, DecodeSession({1, 2}, EncodeSession(session)));
  EXPECT_EQ(back.id, session.id);
  EXPECT_EQ(back.epoch, 3u);
  EXPECT_TRUE(back.fenced);
  EXPECT_TRUE(back.read_only);
  EXPECT_EQ(back.access_point, 4u);
  EXPECT_EQ(back.root, Ino{5});
  EXPECT_EQ(back.client_name, "host");
  EXPECT_EQ(back.opened, Timestamp{6});
  EXPECT_TRUE(back.silent);
  EXPECT_EQ(back.fenced_at, Timestamp{7});
  EXPECT_EQ(back.previous, (SessionId{8, 9}));
  // One that was written before these were kept.
  SessionRecord plain = session;
  plain.fenced_at = {};
  plain.previous = {};
  EXPECT_EQ(Hex(EncodeSession(plain)), older);
}

TEST(RecordsTest, IdentityIsGoldenAndComesBack) {
  const Identity identity{"fs-1", "n", {1, 2}, {3, 4}, 16384, 5};
  EXPECT_EQ(Hex(EncodeIdentity(identity)),
            "0a0466732d3112016e190100000000000000210200000000000000290300000000000000"
            "3104000000000000003880800141" "0500000000000000");
  ASSERT_OK_AND_ASSIGN(const Identity back, DecodeIdentity(EncodeIdentity(identity)));
  EXPECT_EQ(back.id, "fs-1");
  EXPECT_EQ(back.name, "n");
  EXPECT_EQ(back.hash_key, identity.hash_key);
  EXPECT_EQ(back.tag_key, identity.tag_key);
  EXPECT_EQ(back.block_bytes, 16384u);
  EXPECT_EQ(back.incarnation, 5u);
}

TEST(RecordsTest, CorruptBytesFailWithEIOAndNameTheKey) {
  const auto inode = DecodeInode(Ino{31}, "\xff garbage");
  EXPECT_ERROR(kEIO, inode);
  EXPECT_THAT(inode.error().message, HasSubstr("inode record at key 000000000000001f"));
  const auto dentry = DecodeDentry("some key", "short");
  EXPECT_ERROR(kEIO, dentry);
  EXPECT_THAT(dentry.error().message, HasSubstr("some key"));
  EXPECT_ERROR(kEIO, DecodeInode(Ino{1}, ""));  // type 0 is none
  EXPECT_ERROR(kEIO, DecodeIdentity(EncodeIdentity({"fs-1", "n", {}, {}, 5000, 1})));
  EXPECT_ERROR(kEIO, DecodeOrphan("k", "\x09"));
  EXPECT_ERROR(kEIO, DecodeFileSystem("k", ""));
}

}  // namespace
}  // namespace tarn::store
