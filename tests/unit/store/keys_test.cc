// The schema is on disk: these bytes never change.
#include "server/store/keys.h"

#include <gtest/gtest.h>

namespace tarn::store {
namespace {

using namespace std::string_literals;

TEST(KeysTest, BytesAreGolden) {
  const Ino ino{0x0102030405060708};
  EXPECT_EQ(InodeKey(ino), "\x01\x02\x03\x04\x05\x06\x07\x08"s);
  EXPECT_EQ(DentryKey(Ino{1}, 0x1112131415161718, "a/b"),
            "\0\0\0\0\0\0\0\x01\x11\x12\x13\x14\x15\x16\x17\x18"s + "a/b");
  EXPECT_EQ(XattrKey(ino, "user.x"), "\x01\x02\x03\x04\x05\x06\x07\x08user.x"s);
  EXPECT_EQ(BlockKey(DataId{2}, 0x0a0b0c0d), "\0\0\0\0\0\0\0\x02\x0a\x0b\x0c\x0d"s);
  EXPECT_EQ(OrphanKey(ino), "i\x01\x02\x03\x04\x05\x06\x07\x08"s);
  EXPECT_EQ(GarbageKey(DataId{3}), "d\0\0\0\0\0\0\0\x03"s);
  EXPECT_EQ(SessionKey({1, 2}), "\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02"s);
  EXPECT_EQ(KeptReplyKey({1, 2}, 3), "\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\x03"s);
  EXPECT_EQ(QuotaCounterKey(kBytesKey, QuotaId{5}), "bytes/\0\0\0\x05"s);
  EXPECT_EQ(kFormatKey, "format");
  EXPECT_EQ(kIdentityKey, "identity");
  EXPECT_EQ(kOpenKey, "open");
  EXPECT_EQ(kNextInoKey, "next_ino");
  EXPECT_EQ(kNextDataKey, "next_data");
  EXPECT_EQ(kInodesKey, "inodes");
  EXPECT_EQ(kFileSystemPrefix, "fs/");
}

TEST(KeysTest, ParsersInvertAndRefuseOthers) {
  const std::string dentry = DentryKey(Ino{7}, 9, "name");
  EXPECT_EQ(ParseDentryKey(dentry)->hash, 9u);
  EXPECT_EQ(ParseDentryKey(dentry)->name, "name");
  EXPECT_FALSE(ParseDentryKey(DentryLowerKey(Ino{7}, 9)));
  EXPECT_EQ(BlockIndexOf(BlockKey(DataId{7}, 9)), 9u);
  EXPECT_FALSE(BlockIndexOf("short"));
  EXPECT_EQ(ParseOrphanKey(OrphanKey(Ino{7})), Ino{7});
  EXPECT_FALSE(ParseOrphanKey(GarbageKey(DataId{7})));
  EXPECT_EQ(ParseGarbageKey(GarbageKey(DataId{7})), DataId{7});
  EXPECT_FALSE(ParseGarbageKey(""));
  EXPECT_EQ(ParseSessionKey(SessionKey({5, 6})), (SessionId{5, 6}));
  EXPECT_FALSE(ParseSessionKey(KeptReplyKey({5, 6}, 0)));
}

TEST(KeysTest, RangesHoldTheirKeysAndNoOthers) {
  EXPECT_LT(DentryLowerKey(Ino{1}, 8), DentryKey(Ino{1}, 8, "x"));
  EXPECT_LT(DentryKey(Ino{1}, 7, "\xff\xff"), DentryLowerKey(Ino{1}, 8));
  EXPECT_LT(BlockKey(DataId{1}, UINT32_MAX), BlockUpperKey(DataId{1}));
  EXPECT_LE(BlockUpperKey(DataId{1}), BlockKey(DataId{2}, 0));
  EXPECT_LT(KeptReplyKey({1, 2}, UINT32_MAX), SessionUpperKey({1, 2}));
  EXPECT_LE(SessionUpperKey({1, 2}), SessionKey({1, 3}));
  EXPECT_EQ(SessionUpperKey({UINT64_MAX, UINT64_MAX}), "");
  EXPECT_EQ(PrefixEnd("a\xff"), "b");
}

TEST(KeysTest, PrintKeyShowsTextOrHexadecimal) {
  EXPECT_EQ(PrintKey("identity"), "identity");
  EXPECT_EQ(PrintKey(InodeKey(Ino{0x1f})), "000000000000001f");
}

}  // namespace
}  // namespace tarn::store
