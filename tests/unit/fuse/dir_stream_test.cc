#include "client/fuse/dir_stream.h"

#include <gtest/gtest.h>

#include "common/limits.h"

namespace tarn::fuse {
namespace {

ReadDirReply Listing(std::vector<uint64_t> cookies, bool end) {
  ReadDirReply reply;
  for (uint64_t cookie : cookies) {
    reply.entries.push_back({.name = "n" + std::to_string(cookie), .cookie = cookie});
  }
  reply.end = end;
  return reply;
}

TEST(DirStream, FirstReadIsFetched) {
  DirStream stream;
  EXPECT_FALSE(stream.Continue(0, false));
  EXPECT_EQ(stream.Fill(0, false, Listing({1, 2, 9}, true)).size(), 3u);
}

TEST(DirStream, ReadThatGoesOnComesOutOfTheBuffer) {
  DirStream stream;
  stream.Fill(0, false, Listing({1, 2, 9}, true));
  stream.Advance(2);
  auto rest = stream.Continue(2, false);
  ASSERT_TRUE(rest);
  ASSERT_EQ(rest->size(), 1u);
  EXPECT_EQ(rest->front().cookie, 9u);
}

TEST(DirStream, EndOfTheListingNeedsNoFetch) {
  DirStream stream;
  stream.Fill(0, false, Listing({1, 2}, true));
  stream.Advance(2);
  auto rest = stream.Continue(2, false);
  ASSERT_TRUE(rest);
  EXPECT_TRUE(rest->empty());
}

TEST(DirStream, EndOfThePieceIsFetchedOn) {
  DirStream stream;
  stream.Fill(0, false, Listing({1, 2}, false));
  stream.Advance(2);
  EXPECT_FALSE(stream.Continue(2, false));
  EXPECT_EQ(stream.Fill(2, false, Listing({5}, true)).size(), 1u);
  stream.Advance(1);
  auto rest = stream.Continue(5, false);
  ASSERT_TRUE(rest);
  EXPECT_TRUE(rest->empty());
}

TEST(DirStream, RewindIsFetchedAnew) {
  DirStream stream;
  stream.Fill(0, false, Listing({1, 2}, true));
  EXPECT_FALSE(stream.Continue(0, false));
  stream.Advance(2);
  EXPECT_FALSE(stream.Continue(0, false));
}

TEST(DirStream, RewindOfAnEmptyListingIsFetchedAnew) {
  DirStream stream;
  EXPECT_TRUE(stream.Fill(0, false, Listing({}, true)).empty());
  stream.Advance(0);
  EXPECT_FALSE(stream.Continue(0, false));
}

TEST(DirStream, SeekIsFetchedAnew) {
  DirStream stream;
  stream.Fill(0, false, Listing({1, 2, 9, 12}, true));
  stream.Advance(3);
  EXPECT_FALSE(stream.Continue(2, false));   // back, into what was sent
  EXPECT_FALSE(stream.Continue(12, false));  // ahead
  EXPECT_TRUE(stream.Continue(9, false));
}

TEST(DirStream, OtherKindOfReadIsFetchedAnew) {
  DirStream stream;
  stream.Fill(0, false, Listing({1, 2}, true));
  stream.Advance(1);
  EXPECT_FALSE(stream.Continue(1, true));
}

TEST(DirStream, ReplyWithoutEntriesEndsTheListing) {
  DirStream stream;
  stream.Fill(7, false, Listing({}, false));
  auto rest = stream.Continue(7, false);
  ASSERT_TRUE(rest);
  EXPECT_TRUE(rest->empty());
}

TEST(DirStream, FetchesGrowToTheLimit) {
  DirStream stream;
  uint32_t first = stream.FetchBytes();
  EXPECT_LT(first, kReadDirMaxBytes);
  for (int i = 0; i < 10; ++i) stream.Fill(0, false, Listing({1}, false));
  EXPECT_EQ(stream.FetchBytes(), kReadDirMaxBytes);
}

}  // namespace
}  // namespace tarn::fuse
