#include "client/fuse/inode_table.h"

#include <gtest/gtest.h>

namespace tarn::fuse {
namespace {

constexpr Handle kRoot{Ino{1}, 11};
constexpr Handle kFile{Ino{7}, 77};
constexpr auto kIgnore = [](Ino) {};

Attr FileOf(uint64_t size, uint64_t version = 1) {
  return {.ino = kFile.ino, .type = FileType::kRegular, .size = size, .version = version};
}

TEST(InodeTable, HandleKeepsItsTagWhileCounted) {
  InodeTable table(kRoot);
  NodeId node = table.Remember(kFile);
  EXPECT_EQ(node, NodeId{7});
  EXPECT_EQ(table.HandleOf(node), kFile);
}

TEST(InodeTable, EntryStaysUntilTheLastLookupIsForgotten) {
  InodeTable table(kRoot);
  NodeId node = table.Remember(kFile);
  table.Remember(kFile);
  table.Forget(node, 1, kIgnore);
  EXPECT_EQ(table.HandleOf(node), kFile);
  table.Forget(node, 1, kIgnore);
  EXPECT_EQ(table.HandleOf(node), (Handle{Ino{7}, 0}));
  EXPECT_EQ(table.size(), 0u);
}

TEST(InodeTable, ForgettingMoreThanCountedForgetsAll) {
  InodeTable table(kRoot);
  NodeId node = table.Remember(kFile);
  table.Forget(node, 100, kIgnore);
  table.Forget(node, 1, kIgnore);
  EXPECT_EQ(table.size(), 0u);
}

TEST(InodeTable, LastForgetIsToldWhileNobodyCanCountAgain) {
  InodeTable table(kRoot);
  NodeId node = table.Remember(kFile);
  table.Remember(kFile);
  std::vector<Ino> gone;
  const auto note = [&](Ino ino) { gone.push_back(ino); };
  table.Forget(node, 1, note);
  EXPECT_TRUE(table.Knows(kFile.ino));
  EXPECT_EQ(gone, std::vector<Ino>{});
  table.Forget(node, 1, note);
  EXPECT_FALSE(table.Knows(kFile.ino));
  EXPECT_EQ(gone, std::vector<Ino>{kFile.ino});
}

TEST(InodeTable, KnownAreTheRootAndWhatIsCounted) {
  InodeTable table(kRoot);
  table.Remember(kFile);
  EXPECT_EQ(table.Known(), (std::vector<Ino>{kRoot.ino, kFile.ino}));
}

TEST(InodeTable, PagesAreNotedUntilForgotten) {
  InodeTable table(kRoot);
  NodeId node = table.Remember(kFile);
  EXPECT_FALSE(table.MayHavePages(kFile.ino));
  table.NotePages(kFile.ino);
  EXPECT_TRUE(table.MayHavePages(kFile.ino));
  table.Forget(node, 1, kIgnore);
  table.Remember(kFile);
  EXPECT_FALSE(table.MayHavePages(kFile.ino));
}

TEST(InodeTable, FloorIsTheLeastSizeToldSinceItGrew) {
  InodeTable table(kRoot);
  EXPECT_EQ(table.SizeFloor(kFile.ino), 0u);
  table.Remember(kFile);
  table.TellSize(FileOf(30));
  EXPECT_EQ(table.SizeFloor(kFile.ino), 30u);
  table.TellSize(FileOf(50));  // perhaps not taken
  EXPECT_EQ(table.SizeFloor(kFile.ino), 30u);
  table.TellSize(FileOf(20));
  EXPECT_EQ(table.SizeFloor(kFile.ino), 20u);
  table.NoteGrown(kFile.ino, 40);
  EXPECT_EQ(table.SizeFloor(kFile.ino), 40u);
  table.NoteGrown(kFile.ino, 10);
  EXPECT_EQ(table.SizeFloor(kFile.ino), 40u);
}

TEST(InodeTable, GreaterSizeIsNotLeftToAReplyWhereItMatters) {
  InodeTable table(kRoot);
  table.Remember(kFile);
  EXPECT_EQ(table.GrowsFrom(FileOf(30), true), std::nullopt);  // the first that is told
  table.TellSize(FileOf(30));
  EXPECT_EQ(table.GrowsFrom(FileOf(30), true), std::nullopt);
  EXPECT_EQ(table.GrowsFrom(FileOf(20), true), std::nullopt);
  EXPECT_EQ(table.GrowsFrom(FileOf(31), true), 30u);
  EXPECT_EQ(table.GrowsFrom(FileOf(31), false), std::nullopt);
  table.NotePages(kFile.ino);
  EXPECT_EQ(table.GrowsFrom(FileOf(31), false), 30u);
  table.NoteGrown(kFile.ino, 31);
  EXPECT_EQ(table.GrowsFrom(FileOf(31), false), std::nullopt);
}

TEST(InodeTable, EndThatAReadHasMetLowersTheFloor) {
  InodeTable table(kRoot);
  table.Remember(kFile);
  table.TellEnd(kFile.ino, 10);
  EXPECT_EQ(table.SizeFloor(kFile.ino), 0u);  // nothing was told yet
  table.TellSize(FileOf(30));
  table.TellEnd(kFile.ino, 10);
  EXPECT_EQ(table.SizeFloor(kFile.ino), 10u);
}

TEST(InodeTable, LaterVersionsAreRemembered) {
  InodeTable table(kRoot);
  table.Remember(kFile);
  table.TellSize(FileOf(30, 5));
  EXPECT_FALSE(table.HasToldNewer(FileOf(40, 5)));
  EXPECT_TRUE(table.HasToldNewer(FileOf(40, 4)));
  table.TellSize(FileOf(30, 4));
  EXPECT_TRUE(table.HasToldNewer(FileOf(40, 4)));
}

TEST(InodeTable, OnlyAFileWithPagesIsContended) {
  InodeTable table(kRoot);
  table.Remember(kFile);
  table.NoteContended(kFile.ino);
  EXPECT_FALSE(table.IsContended(kFile.ino));
  table.NotePages(kFile.ino);
  EXPECT_FALSE(table.IsContended(kFile.ino));
  table.NoteContended(kFile.ino);
  EXPECT_TRUE(table.IsContended(kFile.ino));
}

TEST(InodeTable, AFileWithAWriterIsContended) {
  InodeTable table(kRoot);
  table.Remember(kFile);
  table.AddWriter(kFile.ino);
  EXPECT_TRUE(table.IsContended(kFile.ino));
  table.RemoveWriter(kFile.ino);
  EXPECT_FALSE(table.IsContended(kFile.ino));
}

TEST(InodeTable, RootIsKnownWithoutBeingCounted) {
  InodeTable table(kRoot);
  EXPECT_EQ(table.HandleOf(kRootNode), kRoot);
  EXPECT_EQ(table.Remember(kRoot), kRootNode);
  table.Forget(kRootNode, 5, kIgnore);
  EXPECT_EQ(table.HandleOf(kRootNode), kRoot);
  EXPECT_EQ(table.size(), 0u);
}

TEST(InodeTable, MountOfASubDirectoryCallsItNodeOne) {
  constexpr Handle kSub{Ino{42}, 4242};
  InodeTable table(kSub);
  EXPECT_EQ(table.HandleOf(kRootNode), kSub);
  EXPECT_EQ(table.InoOf(kRootNode), Ino{42});
  EXPECT_EQ(table.NodeOf(Ino{42}), kRootNode);
  EXPECT_EQ(table.Remember(kSub), kRootNode);
}

TEST(InodeTable, ForgottenWalkGivesItsMemoryBack) {
  InodeTable table(kRoot);
  constexpr uint64_t kInodes = 100'000;
  for (uint64_t i = 2; i < kInodes; ++i) table.Remember({Ino{i}, i});
  EXPECT_EQ(table.size(), kInodes - 2);
  for (uint64_t i = 2; i < kInodes; ++i) table.Forget(NodeId{i}, 1, kIgnore);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_LT(table.capacity(), kInodes / 4);
}

}  // namespace
}  // namespace tarn::fuse
