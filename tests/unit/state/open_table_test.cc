#include "server/state/open_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace tarn::state {
namespace {

using ::testing::UnorderedElementsAre;

constexpr SessionId kA{1, 1}, kB{1, 2};
constexpr Ino kFile{10}, kOther{11};
constexpr Open kReadFile{kFile, OpenAccess::kRead}, kWriteFile{kFile, OpenAccess::kWrite};

TEST(OpenTableTest, SameIdAgainIsTheSameOpen) {
  OpenTable table;
  EXPECT_TRUE(*table.Add(kA, OpenId{1}, kReadFile));
  EXPECT_FALSE(*table.Add(kA, OpenId{1}, kReadFile));
  EXPECT_EQ(table.CountOf(kA), 1u);
  EXPECT_TRUE(table.Remove(kA, OpenId{1})->last);
  EXPECT_FALSE(table.IsOpen(kFile));
}

TEST(OpenTableTest, IdOfAnotherInodeFailsEBADF) {
  OpenTable table;
  ASSERT_TRUE(table.Add(kA, OpenId{1}, kReadFile).ok());
  EXPECT_EQ(table.Add(kA, OpenId{1}, {kOther, OpenAccess::kRead}).code(), Errno::kEBADF);
  EXPECT_FALSE(table.IsOpen(kOther));
}

TEST(OpenTableTest, InodeStaysOpenUntilItsLastOpenGoes) {
  OpenTable table;
  ASSERT_TRUE(table.Add(kA, OpenId{1}, kReadFile).ok());
  ASSERT_TRUE(table.Add(kB, OpenId{1}, kWriteFile).ok());
  EXPECT_FALSE(table.Remove(kA, OpenId{1})->last);
  EXPECT_TRUE(table.IsOpen(kFile));
  EXPECT_TRUE(table.Remove(kB, OpenId{1})->last);
  EXPECT_FALSE(table.Remove(kB, OpenId{1}).has_value());
}

TEST(OpenTableTest, ReadableFollowsTheAccessOfOneSession) {
  OpenTable table;
  ASSERT_TRUE(table.Add(kA, OpenId{1}, kWriteFile).ok());
  ASSERT_TRUE(table.Add(kB, OpenId{1}, kReadFile).ok());
  EXPECT_FALSE(table.IsReadable(kFile, kA));
  EXPECT_TRUE(table.IsReadable(kFile, kB));
  ASSERT_TRUE(table.Add(kA, OpenId{1}, kReadFile).ok());
  EXPECT_TRUE(table.IsReadable(kFile, kA));
  table.Remove(kA, OpenId{1});
  EXPECT_FALSE(table.IsReadable(kFile, kA));
}

TEST(OpenTableTest, OpensBeyondLimitFailENFILE) {
  OpenTable table(2);
  ASSERT_TRUE(table.Add(kA, OpenId{1}, kReadFile).ok());
  ASSERT_TRUE(table.Add(kA, OpenId{2}, kReadFile).ok());
  EXPECT_EQ(table.Add(kA, OpenId{3}, kReadFile).code(), Errno::kENFILE);
  EXPECT_TRUE(table.Add(kA, OpenId{2}, kReadFile).ok());
  EXPECT_TRUE(table.Add(kB, OpenId{3}, kReadFile).ok());
}

TEST(OpenTableTest, BeyondTheTotalWhoHasManyFailsENFILEAndWhoHasFewDoesNot) {
  OpenTable table(/*opens_per_session=*/100, /*opens_max=*/5, /*opens_share=*/2);
  for (uint64_t id = 1; id <= 5; ++id) ASSERT_TRUE(table.Add(kA, OpenId{id}, kReadFile).ok());
  EXPECT_EQ(table.Add(kA, OpenId{6}, kReadFile).code(), Errno::kENFILE);
  EXPECT_TRUE(table.Add(kB, OpenId{1}, kReadFile).ok());
  EXPECT_TRUE(table.Add(kB, OpenId{2}, kReadFile).ok());
  EXPECT_EQ(table.Add(kB, OpenId{3}, kReadFile).code(), Errno::kENFILE);
  table.DropSession(kA);
  EXPECT_TRUE(table.Add(kB, OpenId{3}, kReadFile).ok());
  table.CheckInvariants();
}

TEST(OpenTableTest, DroppedSessionLeavesOthersAndOpensNoMore) {
  OpenTable table;
  for (uint64_t id = 0; id < 100; ++id) {
    ASSERT_TRUE(table.Add(kA, OpenId{id}, {Ino{100 + id / 2}, OpenAccess::kRead}).ok());
  }
  ASSERT_TRUE(table.Add(kB, OpenId{1}, {Ino{100}, OpenAccess::kRead}).ok());
  EXPECT_EQ(table.DropSession(kA).size(), 49u);  // Ino 100 is still open
  EXPECT_TRUE(table.IsOpen(Ino{100}));
  EXPECT_EQ(table.CountOf(kA), 0u);
  EXPECT_EQ(table.Add(kA, OpenId{1000}, kReadFile).code(), Errno::kEBADF);
  EXPECT_THAT(table.DropSession(kB), UnorderedElementsAre(Ino{100}));
}

TEST(OpenTableTest, CountsHoldUnderManyThreads) {
  OpenTable table;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const SessionId session{t, 1};
      for (uint64_t i = 0; i < 500; ++i) {
        ASSERT_TRUE(table.Add(session, OpenId{i}, kReadFile).ok());
        ASSERT_TRUE(table.Find(session, OpenId{i}).has_value());
        if (i % 2 == 0) table.Remove(session, OpenId{i});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (uint64_t t = 0; t < 4; ++t) {
    EXPECT_EQ(table.CountOf({t, 1}), 250u);
    EXPECT_EQ(table.DropSession({t, 1}).size(), t == 3 ? 1u : 0u);
  }
}

}  // namespace
}  // namespace tarn::state
