// What the driver adds to the rules: tags, kept replies, the pool, pins, access times.
#include <gmock/gmock.h>

#include "tests/unit/ops/local_fs_fixture.h"

namespace tarn::ops {
namespace {

class DriverTest : public LocalFsFixture {};

// ---- tags ----

TEST_F(DriverTest, HandleWithWrongTagFailsESTALE) {
  Handle forged = root();
  forged.tag ^= 1;
  EXPECT_ERROR(kESTALE, Call<verbs::GetAttr>(As(kA), {.inode = forged}));
  EXPECT_ERROR(kESTALE, Call<verbs::Rename>(As(kA), {.dir = root(), .name = "a",
                                                     .new_dir = forged, .new_name = "b"}));
  EXPECT_ERROR(kESTALE, Call<verbs::Fsync>(As(kA), {.inode = forged}));
  EXPECT_ERROR(kESTALE, Call<verbs::SetLock>(As(kA), {.inode = forged}));
}

TEST_F(DriverTest, HandleOfAnotherAccessPointFailsESTALE) {
  Caller confined = As(kA);
  confined.access_point = 7;
  EXPECT_ERROR(kESTALE, Call<verbs::GetAttr>(confined, {.inode = root()}));
  const Handle seen = fs_->MakeHandle(kRootIno, 7);
  ASSERT_OK_AND_ASSIGN(EntryReply made,
                       Call<verbs::MakeDir>(confined, {.dir = seen, .name = "d", .mode = 0755}));
  EXPECT_EQ(made.handle, fs_->MakeHandle(made.attr.ino, 7));
  EXPECT_OK(Call<verbs::GetAttr>(confined, {.inode = made.handle}));
}

TEST_F(DriverTest, UnconfinedRootAloneLooksUpADotWithoutTag) {
  const LookupArgs dot{.dir = {kRootIno, 0}, .name = "."};
  ASSERT_OK_AND_ASSIGN(EntryReply found, Call<verbs::Lookup>(As(kA), dot));
  EXPECT_EQ(found.handle, root());
  EXPECT_ERROR(kESTALE, Call<verbs::Lookup>(As(kA, 1000), dot));
  Caller confined = As(kA);
  confined.access_point = 7;
  EXPECT_ERROR(kESTALE, Call<verbs::Lookup>(confined, dot));
  EXPECT_ERROR(kESTALE, Call<verbs::Lookup>(As(kA), {.dir = {kRootIno, 0}, .name = ".."}));
}

TEST_F(DriverTest, ReadDirPlusRepliesCarryTags) {
  const Handle made = MakeDir(root(), "d");
  ASSERT_OK_AND_ASSIGN(ReadDirReply reply,
                       Call<verbs::ReadDir>(As(kA), {.dir = root(), .max_bytes = 4096,
                                                     .plus = true}));
  ASSERT_TRUE(reply.entries.back().entry.has_value());
  EXPECT_EQ(reply.entries.back().entry->handle, made);
}

// ---- kept replies ----

TEST_F(DriverTest, ReplayAfterRestartIsAnsweredFromKeptReply) {
  const MakeDirArgs args{.dir = root(), .name = "d", .mode = 0755};
  ASSERT_OK_AND_ASSIGN(EntryReply first, Call<verbs::MakeDir>(Asking(kA, 3, 8), args));
  Restart();
  Caller again = Asking(kA, 3, 8);
  again.maybe_replay = true;
  ASSERT_OK_AND_ASSIGN(EntryReply second, Call<verbs::MakeDir>(again, args));
  EXPECT_EQ(first.handle, second.handle);
  EXPECT_EQ(first.attr, second.attr);
}

TEST_F(DriverTest, NextRequestOfSlotRunsThoughMaybeReplay) {
  ASSERT_OK(Call<verbs::MakeDir>(Asking(kA, 3, 8), {.dir = root(), .name = "d", .mode = 0755}));
  Restart();
  Caller next = Asking(kA, 3, 9);
  next.maybe_replay = true;
  EXPECT_ERROR(kEEXIST, Call<verbs::MakeDir>(next, {.dir = root(), .name = "d", .mode = 0755}));
  // The same sequence with another verb is no replay of it.
  next.request->sequence = 8;
  EXPECT_OK(Call<verbs::RemoveDir>(next, {.dir = root(), .name = "d"}));
}

TEST_F(DriverTest, ReplayedCreateOpensAgain) {
  const CreateArgs args{.dir = root(), .name = "f", .mode = 0644, .open = OpenId{5},
                        .access = OpenAccess::kReadWrite, .exclusive = true};
  ASSERT_OK(Call<verbs::Create>(Asking(kA, 0, 1), args));
  Restart();
  Caller again = Asking(kA, 0, 1);
  again.maybe_replay = true;
  ASSERT_OK_AND_ASSIGN(CreateReply reply, Call<verbs::Create>(again, args));
  EXPECT_TRUE(reply.created);
  EXPECT_OK(Write(reply.entry.handle, OpenId{5}, "data"));
}

TEST_F(DriverTest, OpenWithoutTruncationWritesNothing) {
  const Handle file = Create("f", OpenId{1});
  const int before = kv_->writes();
  ASSERT_OK(Call<verbs::Open>(Asking(kA, 0, 1), {.inode = file, .open = OpenId{2}}));
  EXPECT_EQ(kv_->writes(), before);
}

TEST_F(DriverTest, FailedCommitLeavesNothingBehind) {
  kv_->FailNextWrite(Errno::kENOSPC);
  EXPECT_ERROR(kENOSPC, Call<verbs::Create>(As(kA), {.dir = root(), .name = "f", .mode = 0644,
                                                     .open = OpenId{1},
                                                     .access = OpenAccess::kReadWrite}));
  EXPECT_ERROR(kENOENT, Call<verbs::Lookup>(As(kA), {.dir = root(), .name = "f"}));
  const Handle other = Create("g", OpenId{1});  // the id is free
  EXPECT_OK(Write(other, OpenId{1}, "x"));
}

// ---- memory and the pool ----

TEST_F(DriverTest, WhatIsNotInMemoryIsAnsweredFromThePool) {
  const Handle file = Create("f", OpenId{1});
  ASSERT_OK(Write(file, OpenId{1}, "hello"));
  kv_->SetBlocked([](store::Family, std::string_view) { return true; });
  EXPECT_EQ(*Read(file, OpenId{1}), "hello");
  EXPECT_OK(Call<verbs::Lookup>(As(kA), {.dir = root(), .name = "f"}));
  EXPECT_OK(Call<verbs::Rename>(As(kA), {.dir = root(), .name = "f", .new_dir = root(),
                                         .new_name = "g"}));
  kv_->SetBlocked(nullptr);
  EXPECT_ERROR(kENOENT, Call<verbs::Lookup>(As(kA), {.dir = root(), .name = "f"}));
}

TEST_F(DriverTest, StalledWriteIsMadeOnThePool) {
  kv_->SetStalled(true);
  const Handle dir = MakeDir(root(), "d");
  EXPECT_OK(Call<verbs::GetAttr>(As(kA), {.inode = dir}));
}

TEST_F(DriverTest, InMemoryCallIsAnsweredBeforeItReturns) {
  bool answered = false;
  fs_->GetAttr(As(kA), {.inode = root()}, [&](Result<AttrReply> reply) {
    EXPECT_OK(reply);
    answered = true;
  });
  EXPECT_TRUE(answered);
}

// ---- opens ----

TEST_F(DriverTest, IoWithoutFittingOpenFailsEBADF) {
  const Handle file = Create("f", OpenId{1});
  const Handle other = Create("g", OpenId{2});
  ASSERT_OK(Call<verbs::Open>(As(kA), {.inode = file, .open = OpenId{3}}));
  EXPECT_ERROR(kEBADF, Write(file, OpenId{9}, "x"));  // no such
  EXPECT_ERROR(kEBADF, Write(file, OpenId{3}, "x"));  // for reading only
  EXPECT_ERROR(kEBADF, Write(file, OpenId{2}, "x"));  // of another file
  EXPECT_ERROR(kEBADF, Read(other, OpenId{1}));
  EXPECT_ERROR(kEBADF, Call<verbs::SetAttr>(As(kA), {.inode = file, .open = OpenId{3},
                                                     .size = 0}));
  EXPECT_ERROR(kESTALE, Read(fs_->MakeHandle(Ino{12345}, 0), OpenId{9}));
}

TEST_F(DriverTest, TransferBeyondLimitFailsEINVAL) {
  const Handle file = Create("f", OpenId{1});
  EXPECT_ERROR(kEINVAL, Write(file, OpenId{1}, std::string(kTransferMaxBytes + 1, 'x')));
  EXPECT_ERROR(kEINVAL, Read(file, OpenId{1}, kTransferMaxBytes + 1));
}

TEST_F(DriverTest, AppendsOfManyCallersNeitherOverlapNorTear) {
  const Handle file = Create("f", OpenId{1});
  constexpr int kThreads = 4, kEach = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        EXPECT_OK(Call<verbs::Write>(
            As(kA), {.inode = file, .open = OpenId{1}, .append = true,
                     .data = Bytes::FromString(std::string(10, static_cast<char>('a' + t)))}));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_OK_AND_ASSIGN(std::string all, Read(file, OpenId{1}));
  ASSERT_EQ(all.size(), size_t{kThreads * kEach * 10});
  for (size_t i = 0; i < all.size(); i += 10) {
    EXPECT_EQ(all.substr(i, 10), std::string(10, all[i]));
  }
}

TEST_F(DriverTest, CopyRangeKeepsHolesAndStopsAtTheEnd) {
  const Handle from = Create("f", OpenId{1}), to = Create("g", OpenId{2});
  ASSERT_OK(Write(from, OpenId{1}, "begin"));
  ASSERT_OK(Write(from, OpenId{1}, "end", 300'000));
  ASSERT_OK(Write(to, OpenId{2}, std::string(200'000, 'x')));
  ASSERT_OK_AND_ASSIGN(CopyRangeReply copied,
                       Call<verbs::CopyRange>(As(kA), {.source = from, .source_open = OpenId{1},
                                                       .target = to, .target_open = OpenId{2},
                                                       .length = 1 << 30}));
  EXPECT_EQ(copied.copied, 300'003u);
  EXPECT_EQ(*Read(to, OpenId{2}, 400'000), *Read(from, OpenId{1}, 400'000));
  ASSERT_OK_AND_ASSIGN(AttrReply source, Call<verbs::GetAttr>(As(kA), {.inode = from}));
  ASSERT_OK_AND_ASSIGN(AttrReply target, Call<verbs::GetAttr>(As(kA), {.inode = to}));
  EXPECT_LT(target.attr.allocated, 200'000u);
  EXPECT_EQ(target.attr.size, source.attr.size);
}

TEST_F(DriverTest, SeekFindsDataAndHoles) {
  const Handle file = Create("f", OpenId{1});
  ASSERT_OK(Write(file, OpenId{1}, "end", 300'000));
  const auto seek = [&](uint64_t offset, SeekWhence whence) {
    return Call<verbs::Seek>(As(kA), {.inode = file, .open = OpenId{1}, .offset = offset,
                                      .whence = whence});
  };
  ASSERT_OK_AND_ASSIGN(SeekReply data, seek(0, SeekWhence::kData));
  EXPECT_GT(data.offset, 0u);
  EXPECT_LE(data.offset, 300'000u);
  EXPECT_EQ(seek(0, SeekWhence::kHole)->offset, 0u);
  EXPECT_EQ(seek(300'000, SeekWhence::kHole)->offset, 300'003u);
  EXPECT_ERROR(kENXIO, seek(300'003, SeekWhence::kData));
}

// ---- access times ----

TEST_F(DriverTest, ReadRecordsAccessOnceUntilTheNextWriteOrDay) {
  const Handle file = Create("f", OpenId{1});
  const auto atime = [&] {
    return Call<verbs::GetAttr>(As(kA), {.inode = file})->attr.atime;
  };
  clock_.Advance(kSecondNanos);
  ASSERT_OK(Write(file, OpenId{1}, "x"));
  clock_.Advance(kSecondNanos);
  ASSERT_OK(Read(file, OpenId{1}));
  const Timestamp first = clock_.Now();
  EXPECT_EQ(atime(), first);
  clock_.Advance(kSecondNanos);
  ASSERT_OK(Read(file, OpenId{1}));
  EXPECT_EQ(atime(), first);
  clock_.Advance(25 * 3600 * kSecondNanos);
  ASSERT_OK(Read(file, OpenId{1}));
  EXPECT_EQ(atime(), clock_.Now());
}

TEST_F(DriverTest, ReadOfReadOnlyCallerRecordsNothing) {
  const Handle file = Create("f", OpenId{1});
  const Timestamp before = Call<verbs::GetAttr>(As(kA), {.inode = file})->attr.atime;
  clock_.Advance(48 * 3600 * kSecondNanos);
  Caller reader = As(kA);
  reader.read_only = true;
  ASSERT_OK(Call<verbs::Read>(reader, {.inode = file, .open = OpenId{1}, .size = 10}));
  EXPECT_EQ(Call<verbs::GetAttr>(As(kA), {.inode = file})->attr.atime, before);
}

}  // namespace
}  // namespace tarn::ops
