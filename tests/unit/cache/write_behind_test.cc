// The order in which data is told, and who waits for what.
#include "client/cache/write_behind.h"

#include <gtest/gtest.h>

#include <deque>

#include "tests/support/fake_clock.h"

namespace tarn::cache {
namespace {

constexpr Handle kFile{Ino{7}, 70}, kOther{Ino{8}, 80};

class WriteBehindTest : public ::testing::Test {
 protected:
  struct Sent {
    WriteArgs args;
    Done<WriteReply> done;
  };

  WriteBehind::Ends Ends() {
    return {.send =
                [this](const Caller&, WriteArgs args, Done<WriteReply> done) {
                  sent_.push_back({std::move(args), std::move(done)});
                },
            .told = [this](const Attr& attr) { told_.push_back(attr); },
            .failed =
                [this](Ino, const Error& error, const std::vector<OpenId>& opens) {
                  failed_.push_back(error.code);
                  lost_ = opens;
                }};
  }
  bool Put(Handle inode, uint64_t offset, const std::string& data, OpenId open = OpenId{1}) {
    return behind_.Put({.inode = inode,
                        .open = open,
                        .offset = offset,
                        .made = Timestamp{++made_},
                        .data = Bytes::FromString(data)});
  }
  // Answers the oldest that was sent.
  void Answer(Result<WriteReply> result = WriteReply{}) {
    Sent sent = std::move(sent_.front());
    sent_.pop_front();
    if (result.ok()) {
      result->attr.ino = sent.args.inode.ino;
      result->attr.version = ++version_;
    }
    std::move(sent.done)(std::move(result));
  }
  WriteBehind::Then Count() {
    return [this] { ++ran_; };
  }

  testing::FakeClock clock_;
  std::deque<Sent> sent_;
  std::vector<Attr> told_;
  std::vector<Errno> failed_;
  std::vector<OpenId> lost_;
  int64_t made_ = 0;
  uint64_t version_ = 0;
  int ran_ = 0;
  // By itself it sends nothing here but what is large.
  WriteBehind behind_{clock_,
                      {.max_bytes = 100,
                       .max_file_bytes = 60,
                       .send_at_bytes = 40,
                       .delay_nanos = 3600 * kSecondNanos},
                      Ends()};
};

TEST_F(WriteBehindTest, NothingDirtyIsFlushedAtOnce) {
  behind_.FlushThen(kFile.ino, Count());
  behind_.FlushAllThen(Count());
  EXPECT_EQ(ran_, 2);
}

TEST_F(WriteBehindTest, FlushTellsAllWithTheTimeOfTheLastWrite) {
  ASSERT_TRUE(Put(kFile, 0, "abc"));
  ASSERT_TRUE(Put(kFile, 3, "def", OpenId{2}));
  EXPECT_TRUE(behind_.IsDirty(kFile.ino));
  EXPECT_TRUE(sent_.empty());
  behind_.FlushThen(kFile.ino, Count());
  ASSERT_EQ(sent_.size(), 1u);
  EXPECT_EQ(sent_[0].args.data.ToString(), "abcdef");
  EXPECT_EQ(sent_[0].args.made, Timestamp{2});
  EXPECT_EQ(sent_[0].args.open, OpenId{2});
  EXPECT_EQ(ran_, 0);
  EXPECT_TRUE(behind_.IsDirty(kFile.ino));
  Answer();
  EXPECT_EQ(ran_, 1);
  EXPECT_FALSE(behind_.IsDirty(kFile.ino));
  EXPECT_TRUE(behind_.empty());
  EXPECT_EQ(told_.size(), 1u);
}

TEST_F(WriteBehindTest, WhatIsPutMeanwhileIsSentAfterwards) {
  ASSERT_TRUE(Put(kFile, 0, "old"));
  behind_.FlushThen(kFile.ino, Count());
  ASSERT_TRUE(Put(kFile, 0, "new"));
  EXPECT_TRUE(behind_.HasFresh(kFile.ino));
  behind_.FlushThen(kFile.ino, Count());
  ASSERT_EQ(sent_.size(), 1u);  // never two writes of one place at a time
  Answer();
  EXPECT_EQ(ran_, 1);
  ASSERT_EQ(sent_.size(), 1u);
  EXPECT_EQ(sent_[0].args.data.ToString(), "new");
  Answer();
  EXPECT_EQ(ran_, 2);
}

TEST_F(WriteBehindTest, FlushDoesNotWaitForWhatIsPutLater) {
  ASSERT_TRUE(Put(kFile, 0, "old"));
  behind_.FlushThen(kFile.ino, Count());
  ASSERT_TRUE(Put(kFile, 0, "new"));
  Answer();
  EXPECT_EQ(ran_, 1);
  EXPECT_TRUE(sent_.empty());
  EXPECT_TRUE(behind_.IsDirty(kFile.ino));
}

TEST_F(WriteBehindTest, MuchIsSentAtOnce) {
  ASSERT_TRUE(Put(kFile, 0, std::string(39, 'x')));
  behind_.SendIfLarge(kFile.ino);
  EXPECT_TRUE(sent_.empty());
  ASSERT_TRUE(Put(kFile, 39, "x"));
  behind_.SendIfLarge(kFile.ino);
  EXPECT_EQ(sent_.size(), 1u);
}

TEST_F(WriteBehindTest, MemoryIsBounded) {
  ASSERT_TRUE(Put(kFile, 0, std::string(60, 'x')));
  EXPECT_FALSE(Put(kFile, 100, "y"));
  ASSERT_TRUE(Put(kOther, 0, std::string(40, 'x')));
  EXPECT_FALSE(Put(kOther, 100, "y"));
  behind_.FlushAllThen(Count());
  Answer();
  EXPECT_EQ(ran_, 0);
  Answer();
  EXPECT_EQ(ran_, 1);
  EXPECT_TRUE(Put(kOther, 100, "y"));
}

TEST_F(WriteBehindTest, FailureNamesTheOpensAndEndsTheWait) {
  ASSERT_TRUE(Put(kFile, 0, "abc", OpenId{1}));
  ASSERT_TRUE(Put(kFile, 9, "abc", OpenId{2}));
  behind_.FlushThen(kFile.ino, Count());
  ASSERT_EQ(sent_.size(), 2u);
  Answer(Errno::kENOSPC);
  EXPECT_EQ(ran_, 0);
  Answer();
  EXPECT_EQ(ran_, 1);
  EXPECT_EQ(failed_, (std::vector{Errno::kENOSPC}));
  EXPECT_EQ(lost_, (std::vector{OpenId{1}, OpenId{2}}));
  EXPECT_TRUE(told_.empty());
}

TEST_F(WriteBehindTest, SummaryCountsFilesAndBytes) {
  EXPECT_EQ(behind_.Summary(), "");
  ASSERT_TRUE(Put(kFile, 0, "abc"));
  EXPECT_EQ(behind_.Summary(), "1 file, 1 KiB");
  ASSERT_TRUE(Put(kOther, 0, "abc"));
  EXPECT_EQ(behind_.Summary(), "2 files, 1 KiB");
}

TEST_F(WriteBehindTest, LookSeesWhatIsNotTold) {
  Bytes data;
  ASSERT_TRUE(Put(kFile, 10, "abcdef"));
  using Overlap = WriteBehind::Overlap;
  EXPECT_EQ(behind_.Look(kFile.ino, 0, 5, data), Overlap::kNone);
  EXPECT_EQ(behind_.Look(kFile.ino, 5, 8, data), Overlap::kSome);
  EXPECT_EQ(behind_.Look(kFile.ino, 11, 3, data), Overlap::kAll);
  EXPECT_EQ(data.ToString(), "bcd");
  behind_.FlushThen(kFile.ino, Count());
  EXPECT_EQ(behind_.Look(kFile.ino, 11, 3, data), Overlap::kAll);
  ASSERT_TRUE(Put(kFile, 12, "X"));
  EXPECT_EQ(behind_.Look(kFile.ino, 11, 3, data), Overlap::kSome);
  EXPECT_EQ(behind_.Look(kFile.ino, 14, 2, data), Overlap::kAll);
  Answer();
}

}  // namespace
}  // namespace tarn::cache
