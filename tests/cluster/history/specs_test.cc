// The checkers of histories: good ones pass, bad ones, made by hand, do not.
#include "tests/cluster/history/specs.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace tarn::testing {
namespace {

using Kind = DirectorySpec::Kind;
using DirOp = DirectorySpec::Op;

RegisterSpec::Op Set(int lane, int64_t start, int64_t end, uint64_t value) {
  return {{lane, start, end}, true, value};
}
RegisterSpec::Op Saw(int lane, int64_t start, int64_t end, uint64_t value) {
  return {{lane, start, end}, false, value};
}
std::string Check(const std::vector<RegisterSpec::Op>& ops) {
  return Linearize<RegisterSpec>(ops);
}
std::string Check(const std::vector<DirOp>& ops) {
  return Linearize<DirectorySpec>(ops);
}

TEST(RegisterHistoryTest, ValuesInTheirOrderPass) {
  EXPECT_EQ(Check({Saw(0, 0, 1, 0), Set(0, 2, 3, 5), Saw(1, 4, 5, 5)}), "");
  EXPECT_EQ(Check(std::vector<RegisterSpec::Op>{}), "");
}

TEST(RegisterHistoryTest, EitherValueOfAWriteUnderWayPasses) {
  EXPECT_EQ(Check({Set(0, 0, 10, 5), Saw(1, 1, 2, 0), Saw(1, 3, 4, 5)}), "");
  EXPECT_EQ(Check({Set(0, 0, 10, 5), Set(1, 0, 10, 6), Saw(2, 11, 12, 5)}), "");
  EXPECT_EQ(Check({Set(0, 0, 10, 5), Set(1, 0, 10, 6), Saw(2, 11, 12, 6)}), "");
}

TEST(RegisterHistoryTest, OldValueAfterAWriteIsCaught) {
  EXPECT_NE(Check({Set(0, 0, 1, 5), Saw(1, 2, 3, 0)}), "");
  EXPECT_NE(Check({Set(0, 0, 1, 5), Set(0, 2, 3, 6), Saw(1, 4, 5, 5)}), "");
}

TEST(RegisterHistoryTest, OldValueAfterANewOneWasSeenIsCaught) {
  EXPECT_NE(Check({Set(0, 0, 10, 5), Saw(1, 1, 2, 5), Saw(2, 3, 4, 0)}), "");
}

TEST(RegisterHistoryTest, TwoReadersThatDisagreeOnTheOrderAreCaught) {
  EXPECT_NE(Check({Set(0, 0, 20, 5), Set(1, 0, 20, 6), Saw(2, 1, 2, 5), Saw(2, 3, 4, 6),
                   Saw(3, 5, 6, 5)}),
            "");
}

TEST(RegisterHistoryTest, LaneThatDoesTwoThingsAtATimeIsRefused) {
  EXPECT_NE(Check({Set(0, 0, 10, 5), Saw(0, 1, 2, 5)}), "");
}

TEST(RegisterHistoryTest, ValueThatNobodyWroteIsCaught) {
  EXPECT_NE(Check({Set(0, 0, 10, 5), Saw(1, 1, 2, 7)}), "");
}

DirOp Dir(int lane, int64_t start, int64_t end, Kind kind, size_t name) {
  DirOp op;
  op.lane = lane;
  op.start = start;
  op.end = end;
  op.kind = kind;
  op.name = name;
  return op;
}
DirOp Create(int lane, int64_t start, int64_t end, size_t name, uint64_t ino) {
  DirOp op = Dir(lane, start, end, Kind::kCreate, name);
  op.ino = ino;
  op.error = ino == 0 ? EEXIST : 0;
  op.mode = 0644;
  return op;
}
DirOp Look(int lane, int64_t start, int64_t end, size_t name, uint64_t ino) {
  DirOp op = Dir(lane, start, end, Kind::kLook, name);
  op.ino = ino;
  return op;
}
DirOp Attr(int lane, int64_t start, int64_t end, uint64_t ino, uint32_t links) {
  DirOp op = Dir(lane, start, end, Kind::kAttr, 0);
  op.ino = ino;
  op.links = links;
  op.mode = 0644;
  return op;
}
DirOp Link(int lane, int64_t start, int64_t end, uint64_t ino, size_t name) {
  DirOp op = Dir(lane, start, end, Kind::kLink, name);
  op.ino = ino;
  return op;
}
DirOp Rename(int lane, int64_t start, int64_t end, size_t from, size_t to) {
  DirOp op = Dir(lane, start, end, Kind::kRename, from);
  op.to = to;
  return op;
}
DirOp Unlink(int lane, int64_t start, int64_t end, size_t name, int error = 0) {
  DirOp op = Dir(lane, start, end, Kind::kUnlink, name);
  op.error = error;
  return op;
}

TEST(DirectoryHistoryTest, NamesThatComeAndGoPass) {
  EXPECT_EQ(Check({Create(0, 0, 1, 0, 7), Look(1, 2, 3, 0, 7), Link(0, 4, 5, 7, 1),
                   Look(1, 6, 7, 1, 7), Attr(2, 6, 7, 7, 2), Rename(0, 8, 9, 0, 2),
                   Look(1, 10, 11, 0, 0), Unlink(0, 12, 13, 2), Attr(1, 14, 15, 7, 1),
                   Unlink(0, 16, 17, 1), Attr(1, 18, 19, 7, 0)}),
            "");
}

TEST(DirectoryHistoryTest, NameStillThereAfterItsUnlinkIsCaught) {
  EXPECT_NE(Check({Create(0, 0, 1, 0, 7), Unlink(0, 2, 3, 0), Look(1, 4, 5, 0, 7)}), "");
}

TEST(DirectoryHistoryTest, NameNotYetThereAfterItsCreationIsCaught) {
  EXPECT_NE(Check({Create(0, 0, 1, 0, 7), Look(1, 2, 3, 0, 0)}), "");
}

TEST(DirectoryHistoryTest, TwoCreationsOfOneNameAreCaught) {
  EXPECT_NE(Check({Create(0, 0, 10, 0, 7), Create(1, 0, 10, 0, 8)}), "");
  EXPECT_EQ(Check({Create(0, 0, 10, 0, 7), Create(1, 0, 10, 0, 0)}), "");
}

TEST(DirectoryHistoryTest, RenameSeenHalfIsCaught) {
  const DirOp create = Create(0, 0, 1, 0, 7), rename = Rename(0, 2, 20, 0, 1);
  EXPECT_NE(Check({create, rename, Look(1, 3, 4, 1, 7), Look(1, 5, 6, 0, 7)}), "");
  EXPECT_NE(Check({create, rename, Look(1, 3, 4, 0, 0), Look(1, 5, 6, 1, 0)}), "");
  EXPECT_EQ(Check({create, rename, Look(1, 3, 4, 0, 7), Look(1, 5, 6, 1, 7)}), "");
}

TEST(DirectoryHistoryTest, OldModeOrLinkCountIsCaught) {
  DirOp chmod = Dir(0, 2, 3, Kind::kChmod, 0);
  chmod.ino = 7;
  chmod.mode = 0600;
  EXPECT_NE(Check({Create(0, 0, 1, 0, 7), chmod, Attr(1, 4, 5, 7, 1)}), "");
  EXPECT_NE(Check({Create(0, 0, 1, 0, 7), Link(0, 2, 3, 7, 1), Attr(1, 4, 5, 7, 1)}), "");
}

TEST(DirectoryHistoryTest, UnlinkThatMissesAPresentNameIsCaught) {
  EXPECT_NE(Check({Create(0, 0, 1, 0, 7), Unlink(1, 2, 3, 0, ENOENT)}), "");
}

const std::vector<AppendOp> kAppends = {{{0, 0, 1}, 10}, {{1, 2, 5}, 11}, {{0, 3, 4}, 12}};

TEST(LogHistoryTest, EveryOrderThatTimeAllowsPasses) {
  EXPECT_EQ(CheckLog(kAppends, {{{2, 2, 3}, {10}}, {{2, 6, 7}, {10, 11, 12}}}, {10, 11, 12}), "");
  EXPECT_EQ(CheckLog(kAppends, {}, {10, 12, 11}), "");
}

TEST(LogHistoryTest, LostDoubledOrStrangeRecordIsCaught) {
  EXPECT_NE(CheckLog(kAppends, {}, {10, 11}), "");
  EXPECT_NE(CheckLog(kAppends, {}, {10, 11, 12, 12}), "");
  EXPECT_NE(CheckLog(kAppends, {}, {10, 11, 13}), "");
}

TEST(LogHistoryTest, OrderAgainstTimeIsCaught) {
  EXPECT_NE(CheckLog(kAppends, {}, {11, 10, 12}), "");
}

TEST(LogHistoryTest, OldOrTornReadIsCaught) {
  EXPECT_NE(CheckLog(kAppends, {{{2, 2, 3}, {}}}, {10, 11, 12}), "");
  EXPECT_NE(CheckLog(kAppends, {{{2, 6, 7}, {10, 12}}}, {10, 11, 12}), "");
  EXPECT_NE(CheckLog(kAppends, {{{2, 2, 3}, {10, 11}}, {{3, 4, 4}, {10}}}, {10, 11, 12}), "");
}

TEST(LockHistoryTest, TwoHoldersAtATimeAreCaught) {
  EXPECT_EQ(CheckExclusion({{0, 0, 1}, {1, 1, 2}, {0, 3, 4}}), "");
  EXPECT_NE(CheckExclusion({{0, 0, 2}, {1, 1, 3}}), "");
}

}  // namespace
}  // namespace tarn::testing
