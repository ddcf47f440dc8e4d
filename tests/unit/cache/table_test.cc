#include "client/cache/table.h"

#include <gtest/gtest.h>

#include <functional>

#include "client/cache/cache_txn.h"

namespace tarn::cache {
namespace {

constexpr SipKey kKey{1, 2};
constexpr Handle kDir{Ino{1}, 11};
constexpr Handle kFile{Ino{7}, 77};

Attr AttrOf(Handle handle, uint64_t version = 1) {
  Attr attr;
  attr.ino = handle.ino;
  attr.type = handle == kDir ? FileType::kDirectory : FileType::kRegular;
  attr.version = version;
  return attr;
}

LeaseNews Granting(std::vector<Ino> inos, uint64_t sequence = 1) {
  LeaseNews news;
  for (const Ino ino : inos) news.grants.push_back({ino, LeaseMode::kShared, sequence});
  return news;
}

class TableTest : public ::testing::Test {
 protected:
  using Learnable = std::vector<Ino>;
  Learnable Admit(uint64_t start, const LeaseNews& news, const std::vector<Ino>& own = {}) {
    const Table::Learnable learnable = table_.Admit(news, start, own);
    table_.End(start);
    return {learnable.begin(), learnable.end()};
  }
  void KnowDir() { table_.Learn(kDir, AttrOf(kDir)); }
  std::optional<Dentry> Name(const std::string& name) {
    return table_.FindName(*table_.Find(kDir.ino), name);
  }
  // A listing from its start, in one reply or in `parts`.
  ReadDirReply Listing(std::vector<std::string> names, bool end) {
    ReadDirReply reply;
    for (std::string& name : names) {
      reply.entries.push_back({name, kFile.ino, FileType::kRegular, NameHash(kKey, name), {}});
    }
    std::sort(reply.entries.begin(), reply.entries.end(),
              [](const auto& a, const auto& b) { return a.cookie < b.cookie; });
    reply.end = end;
    return reply;
  }

  // Room for four, with some names.
  Table table_{kKey, 5 * Table::kNodeBytes - 1, 1 << 20};
};

TEST_F(TableTest, GrantedInodesMayBeLearnt) {
  EXPECT_EQ(Admit(table_.Start(), Granting({kFile.ino, kDir.ino})),
            (Learnable{kDir.ino, kFile.ino}));
  EXPECT_EQ(Admit(table_.Start(), LeaseNews{}), Learnable{});
}

TEST_F(TableTest, ReplyOvertakenByARecallTeachesNothing) {
  const uint64_t before = table_.Start();
  table_.Apply({kFile.ino, LeaseMode::kNone, {}});
  const uint64_t after = table_.Start();
  EXPECT_EQ(Admit(before, Granting({kFile.ino, kDir.ino})), Learnable{kDir.ino});
  EXPECT_EQ(Admit(after, Granting({kFile.ino})), Learnable{kFile.ino});
  EXPECT_TRUE(table_.RecalledSince(kFile.ino, before));
  EXPECT_FALSE(table_.RecalledSince(kFile.ino, after));
}

TEST_F(TableTest, ReplyThatMetAChangeOfOurOwnTeachesNothing) {
  const uint64_t before = table_.Start();
  table_.BeginChange(kFile.ino);
  const uint64_t during = table_.Start();
  EXPECT_EQ(Admit(before, Granting({kFile.ino})), Learnable{});
  table_.EndChange(kFile.ino);
  EXPECT_EQ(Admit(during, Granting({kFile.ino})), Learnable{});
  EXPECT_FALSE(table_.RecalledSince(kFile.ino, during));
  EXPECT_EQ(Admit(table_.Start(), Granting({kFile.ino})), Learnable{kFile.ino});
}

TEST_F(TableTest, ChangeLearnsItsOwnResultUnlessAnotherIsUnderWay) {
  table_.BeginChange(kFile.ino);
  const uint64_t first = table_.Start();
  EXPECT_EQ(Admit(first, Granting({kFile.ino}), {kFile.ino}), Learnable{kFile.ino});
  table_.BeginChange(kFile.ino);
  const uint64_t second = table_.Start();
  EXPECT_EQ(Admit(second, Granting({kFile.ino}), {kFile.ino}), Learnable{});
}

TEST_F(TableTest, BarsAreForgottenWhenNoOlderRequestIsUnderWay) {
  const uint64_t old = table_.Start();
  for (uint64_t i = 100; i < 5'000; ++i) table_.Bar(Ino{i});
  table_.End(table_.Start());
  EXPECT_EQ(Admit(old, Granting({Ino{100}})), Learnable{});  // kept for its sake
  EXPECT_EQ(Admit(table_.Start(), Granting({Ino{100}})), Learnable{Ino{100}});
}

TEST_F(TableTest, LaterVersionStaysWhicheverReplyComesFirst) {
  table_.Learn(kFile, AttrOf(kFile, 5));
  table_.Learn(kFile, AttrOf(kFile, 4));
  EXPECT_EQ(table_.Find(kFile.ino)->attr.version, 5u);
}

TEST_F(TableTest, NamesAreKnownPresentAbsentOrNotAtAll) {
  KnowDir();
  table_.LearnName(kDir.ino, "there", {kFile.ino, FileType::kRegular});
  table_.LearnName(kDir.ino, "absent", {});
  EXPECT_EQ(Name("there")->ino, kFile.ino);
  EXPECT_EQ(Name("absent")->ino, kNoIno);
  EXPECT_EQ(Name("unknown"), std::nullopt);
}

TEST_F(TableTest, WholeListingMakesEveryOtherNameAbsent) {
  KnowDir();
  table_.LearnListing({.dir = kDir, .cookie = 0}, Listing({"a", "b"}, true));
  EXPECT_EQ(Name("a")->ino, kFile.ino);
  EXPECT_EQ(Name("c")->ino, kNoIno);
  EXPECT_TRUE(table_.CanList(*table_.Find(kDir.ino)));
}

TEST_F(TableTest, ListingInterruptedByAChangeIsNotWhole) {
  KnowDir();
  const ReadDirReply first = Listing({"a"}, false);
  table_.LearnListing({.dir = kDir, .cookie = 0}, first);
  table_.Doubt(kDir.ino, "z");
  ReadDirReply rest;
  rest.end = true;
  table_.LearnListing({.dir = kDir, .cookie = first.entries.back().cookie}, rest);
  EXPECT_FALSE(table_.CanList(*table_.Find(kDir.ino)));
  EXPECT_EQ(Name("z"), std::nullopt);
}

TEST_F(TableTest, RecallOfNamesLeavesTheOthers) {
  KnowDir();
  table_.LearnListing({.dir = kDir, .cookie = 0}, Listing({"a", "b"}, true));
  table_.Apply({kDir.ino, LeaseMode::kShared, {"a"}, true});
  EXPECT_EQ(Name("a"), std::nullopt);
  EXPECT_EQ(Name("b")->ino, kFile.ino);
  EXPECT_EQ(Name("c")->ino, kNoIno);
  EXPECT_FALSE(table_.CanList(*table_.Find(kDir.ino)));
  EXPECT_FALSE(table_.Find(kDir.ino)->has_attr);
  table_.LearnName(kDir.ino, "a", {});
  EXPECT_TRUE(table_.CanList(*table_.Find(kDir.ino)));
}

TEST_F(TableTest, XattrsAreKnownAsLearntAndGoWithTheAttributes) {
  using Value = std::optional<std::string>;
  CacheTxn txn(table_, {});
  table_.LearnXattr(kFile.ino, "user.x", "of what is not known");
  table_.Learn(kFile, AttrOf(kFile));
  EXPECT_EQ(txn.GetXattr(kFile.ino, "user.x").code(), Errno::kBlocked);
  table_.LearnXattr(kFile.ino, "user.x", std::nullopt);
  table_.LearnXattr(kFile.ino, "user.y", "value");
  table_.LearnXattr(kFile.ino, "user.large", std::string(5000, 'x'));
  EXPECT_EQ(*txn.GetXattr(kFile.ino, "user.x"), Value());
  EXPECT_EQ(*txn.GetXattr(kFile.ino, "user.y"), Value("value"));
  EXPECT_EQ(txn.GetXattr(kFile.ino, "user.large").code(), Errno::kBlocked);
  EXPECT_EQ(txn.GetXattr(kFile.ino, "user.z").code(), Errno::kBlocked);
  EXPECT_EQ(txn.ListXattrs(kFile.ino).code(), Errno::kBlocked);
  table_.LearnXattrNames(kFile.ino, {"user.y", "user.large"});
  EXPECT_EQ(*txn.GetXattr(kFile.ino, "user.z"), Value());
  EXPECT_EQ(txn.GetXattr(kFile.ino, "user.large").code(), Errno::kBlocked);
  EXPECT_EQ(*txn.ListXattrs(kFile.ino), (std::vector<std::string>{"user.y", "user.large"}));
  table_.DropAttr(kFile.ino);
  table_.Learn(kFile, AttrOf(kFile, 2));
  EXPECT_EQ(txn.GetXattr(kFile.ino, "user.y").code(), Errno::kBlocked);
  EXPECT_EQ(txn.ListXattrs(kFile.ino).code(), Errno::kBlocked);
}

TEST_F(TableTest, RecallOfAFileDropsAllOfIt) {
  Admit(table_.Start(), Granting({kFile.ino}));
  table_.Learn(kFile, AttrOf(kFile));
  table_.Apply({kFile.ino, LeaseMode::kNone, {}});
  EXPECT_EQ(table_.Find(kFile.ino), nullptr);
  EXPECT_EQ(table_.leases(), 0u);
}

TEST_F(TableTest, LeaseGoesBackWithTheLastSequenceSeen) {
  Admit(table_.Start(), Granting({kFile.ino}, 5));
  Admit(table_.Start(), Granting({kFile.ino}, 4));
  EXPECT_EQ(table_.TakeLease(kFile.ino), (LeaseReturn{kFile.ino, 5}));
  EXPECT_EQ(table_.TakeLease(kFile.ino), std::nullopt);
}

TEST_F(TableTest, ReplySentBeforeALeaseWentBackTeachesNothing) {
  const uint64_t before = table_.Start();
  Admit(table_.Start(), Granting({kFile.ino}, 5));
  table_.TakeLease(kFile.ino);
  EXPECT_EQ(Admit(before, Granting({kFile.ino}, 4)), Learnable{});
}

TEST_F(TableTest, LongestUnusedNodeGoesWhenThereAreTooMany) {
  for (uint64_t i = 1; i <= 4; ++i) table_.Learn({Ino{i}, 0}, AttrOf({Ino{i}, 0}));
  table_.Find(Ino{1});
  table_.Learn({Ino{5}, 0}, AttrOf({Ino{5}, 0}));
  EXPECT_EQ(table_.nodes(), 4u);
  EXPECT_NE(table_.Peek(Ino{1}), nullptr);
  EXPECT_EQ(table_.Peek(Ino{2}), nullptr);
  EXPECT_EQ(table_.evicted(), 1u);
  const auto evicted = table_.TakeEvicted();
  ASSERT_EQ(evicted.size(), 1u);
  EXPECT_EQ(evicted[0].ino, Ino{2});
  EXPECT_EQ(table_.evicted(), 0u);
}

TEST_F(TableTest, WhatIsLearntAgainIsNotEvicted) {
  for (uint64_t i = 1; i <= 5; ++i) table_.Learn({Ino{i}, 0}, AttrOf({Ino{i}, 0}));
  table_.Learn({Ino{1}, 0}, AttrOf({Ino{1}, 0}));  // evicts 2
  const auto evicted = table_.TakeEvicted();
  ASSERT_EQ(evicted.size(), 1u);
  EXPECT_EQ(evicted[0].ino, Ino{2});
}

TEST_F(TableTest, ListedNamesThatAreLookedUpAreToBeListedOnNowAndThen) {
  constexpr uint32_t kAtFirst = Directory::kAtFirst, kBetween = Directory::kBetween;
  Table table(kKey, 1 << 20, 1 << 20);
  std::vector<std::string> names;
  for (uint32_t i = 0; i < 100; ++i) names.push_back("n" + std::to_string(i));
  ReadDirReply listing = Listing(names, true);
  for (size_t i = 0; i < 100; ++i) listing.entries[i].ino = Ino{100 + i};
  const auto look = [&](size_t i) {
    return table.NoteLookup(kDir.ino, listing.entries[i].name).has_value();
  };
  table.Learn(kDir, AttrOf(kDir));
  EXPECT_FALSE(look(0));  // it was not listed
  table.LearnListing({.dir = kDir, .cookie = 0}, listing);
  uint32_t next = 0;
  for (uint32_t i = 0; i < kAtFirst; ++i) EXPECT_FALSE(look(next++));
  EXPECT_EQ(table.NoteLookup(kDir.ino, listing.entries[next].name),
            listing.entries[next].cookie - 1);
  // Whoever looks at a few only does not get all the others each time.
  for (uint32_t i = 0; i < kBetween; ++i) EXPECT_FALSE(look(++next));
  EXPECT_FALSE(look(next));  // it was asked about
  table.Learn({Ino{100 + next + 1}, 0}, AttrOf({Ino{100 + next + 1}, 0}));
  EXPECT_FALSE(look(++next));  // it is known
  // What a listing with attributes has none of is not asked for in this way again.
  ReadDirReply hidden;
  hidden.entries = {listing.entries[++next]};
  table.LearnListing({.dir = kDir, .cookie = 1, .plus = true}, hidden);
  EXPECT_FALSE(look(next));
  EXPECT_TRUE(look(++next));
}

TEST_F(TableTest, NamesAndXattrsTakeRoomToo) {
  table_.Learn(kFile, AttrOf(kFile));
  KnowDir();
  for (int i = 0; i < 100; ++i) table_.LearnName(kDir.ino, "name" + std::to_string(i), {});
  EXPECT_EQ(table_.Peek(kFile.ino), nullptr);
  EXPECT_NE(table_.Peek(kDir.ino), nullptr);  // not the one that grows
  table_.Learn(kFile, AttrOf(kFile));
  EXPECT_EQ(table_.Peek(kDir.ino), nullptr);
  KnowDir();
  table_.LearnXattr(kFile.ino, "user.x", std::string(4000, 'x'));
  EXPECT_EQ(table_.Peek(kDir.ino), nullptr);
}

// Whatever is learnt and forgotten, what is known at the end takes what it would have taken alone.
TEST_F(TableTest, RoomIsGivenBack) {
  Table table(kKey, 1 << 20, 1 << 20);
  table.Learn(kFile, AttrOf(kFile));
  table.Learn(kDir, AttrOf(kDir));
  const size_t two = table.bytes();
  EXPECT_EQ(two, 2 * Table::kNodeBytes);
  for (int round = 0; round < 3; ++round) {
    table.LearnName(kDir.ino, "a", {});
    table.LearnName(kDir.ino, "a", {kFile.ino, FileType::kRegular});
    table.LearnName(kDir.ino, "b", {});
    table.LearnXattr(kFile.ino, "user.x", "value");
    table.LearnXattr(kFile.ino, "user.x", "value");
    table.LearnXattrNames(kFile.ino, {"user.x"});
    EXPECT_GT(table.bytes(), two);
    table.Doubt(kDir.ino, "a");
    table.Doubt(kDir.ino, "a");
    table.LearnEmpty(kDir.ino, kFile.ino);
    table.DropAttr(kFile.ino);
    table.Learn(kFile, AttrOf(kFile));
    EXPECT_EQ(table.bytes(), two);
  }
  table.LearnName(kDir.ino, "a", {});
  table.LearnXattr(kDir.ino, "user.x", std::nullopt);
  table.Apply({kDir.ino, LeaseMode::kNone, {}, true});
  table.TakeLease(kFile.ino);
  EXPECT_EQ(table.bytes(), 0u);
}

TEST_F(TableTest, OwnChangeOfWhatIsExclusiveIsLearntThoughNothingIsGranted) {
  LeaseNews exclusive;
  exclusive.grants = {{kFile.ino, LeaseMode::kExclusive, 1}};
  const uint64_t before = table_.Start();
  Admit(table_.Start(), exclusive);
  table_.BeginChange(kFile.ino);
  const uint64_t start = table_.Start();
  // Another one has not the last word.
  table_.BeginChange(kFile.ino);
  EXPECT_EQ(Admit(start, {}, {kFile.ino}), Learnable{});
  table_.EndChange(kFile.ino);
  EXPECT_EQ(Admit(start, {}, {kFile.ino}), Learnable{});  // nor the first, once overtaken
  EXPECT_EQ(Admit(table_.Start(), {}, {kFile.ino}), Learnable{kFile.ino});
  // Nor what was sent before it was exclusive.
  EXPECT_EQ(Admit(before, {}, {kFile.ino}), Learnable{});
}

TEST_F(TableTest, ReplyToWhatWaitedForLongIsBelievedUnlessBarsAreForgotten) {
  const uint64_t start = table_.Now();
  EXPECT_EQ(Admit(start, Granting({kFile.ino})), Learnable{kFile.ino});
  table_.Bar(kDir.ino);
  EXPECT_EQ(Admit(start, Granting({kFile.ino, kDir.ino})), Learnable{kFile.ino});
  for (uint64_t i = 100; i < 2000; ++i) table_.Bar(Ino{i});
  Admit(table_.Start(), {});  // forgets them
  EXPECT_EQ(Admit(start, Granting({kFile.ino})), Learnable{});
}

TEST_F(TableTest, SliceBeginsWithTheFirstUse) {
  LeaseNews news;
  news.grants = {{kFile.ino, LeaseMode::kExclusive, 1}};
  table_.NoteUse(kFile.ino, 5);  // not ours: not counted
  Admit(table_.Start(), news);
  EXPECT_EQ(table_.Uses(kFile.ino), 0u);
  table_.NoteUse(kFile.ino, 10);
  table_.NoteUse(kFile.ino, 20);
  EXPECT_EQ(table_.Uses(kFile.ino), 2u);
  EXPECT_FALSE(table_.IsSliceOver(kFile.ino, 9 + Table::kSliceNanos));
  EXPECT_TRUE(table_.IsSliceOver(kFile.ino, 10 + Table::kSliceNanos));
  // Granted anew, anew.
  table_.Apply({kFile.ino, LeaseMode::kNone, {}});
  Admit(table_.Start(), news);
  EXPECT_EQ(table_.Uses(kFile.ino), 0u);
  EXPECT_FALSE(table_.IsSliceOver(kFile.ino, 50));  // begins
  EXPECT_TRUE(table_.IsSliceOver(kFile.ino, 50 + Table::kSliceNanos));
}

TEST_F(TableTest, SliceMayEndAtOnce) {
  LeaseNews news;
  news.grants = {{kFile.ino, LeaseMode::kExclusive, 1}};
  table_.EndSlice(kFile.ino);  // not ours: nothing
  Admit(table_.Start(), news);
  table_.NoteUse(kFile.ino, 10);
  table_.EndSlice(kFile.ino);
  EXPECT_TRUE(table_.IsSliceOver(kFile.ino, 10));
}

TEST_F(TableTest, ContentsGoWithTheAttributesThatTheyCameWith) {
  const auto read = [this] {
    const auto data = table_.ReadContents(kFile.ino, 0, 100);
    return data.has_value() ? data->ToString() : "nothing";
  };
  const Contents contents{kFile.ino, 0, Bytes::FromString("abc")};
  Attr attr = AttrOf(kFile);
  attr.size = 3;
  table_.LearnContents(contents);  // of what is not known
  EXPECT_EQ(read(), "nothing");
  Attr newer = attr;
  newer.version = 2;
  const std::function<void()> ends[] = {
      [&] { table_.DropAttr(kFile.ino); },
      [&] { table_.Apply({kFile.ino, LeaseMode::kNone, {}}); },
      [&] { table_.BeginChange(kFile.ino), table_.EndChange(kFile.ino); },
      [&] { table_.Replace(attr); },
      [&] { table_.Learn(kFile, newer); },
      [&] { table_.TakeLease(kFile.ino); },
      [&] { table_.Clear(); },
  };
  for (const auto& end : ends) {
    table_.DropAttr(kFile.ino);
    table_.Learn(kFile, attr);
    table_.LearnContents(contents);
    EXPECT_EQ(read(), "abc");
    table_.Learn(kFile, attr);  // the same again
    EXPECT_EQ(read(), "abc");
    end();
    EXPECT_EQ(read(), "nothing");
    table_.Learn(kFile, attr);
    EXPECT_EQ(read(), "nothing");
  }
}

TEST_F(TableTest, NothingOfBeforeAClearIsBelieved) {
  const uint64_t before = table_.Start();
  table_.Learn(kFile, AttrOf(kFile));
  table_.Clear();
  EXPECT_EQ(table_.nodes(), 0u);
  EXPECT_EQ(Admit(before, Granting({kFile.ino})), Learnable{});
  EXPECT_TRUE(table_.RecalledSince(kFile.ino, before));
}

TEST_F(TableTest, FiguresAreKnownUntilTheirTimeARecallOrAnOwnChange) {
  const auto learn = [this] { table_.LearnFigures({.bytes_used = 7}, /*until_nanos=*/100); };
  EXPECT_EQ(table_.Figures(0), std::nullopt);
  learn();
  EXPECT_EQ(table_.Figures(99)->bytes_used, 7u);
  EXPECT_EQ(table_.Figures(100), std::nullopt);
  table_.Apply({.ino = kFigures});
  EXPECT_EQ(table_.Figures(0), std::nullopt);
  learn();
  table_.BeginChange(kFigures);
  EXPECT_EQ(table_.Figures(0), std::nullopt);
  const uint64_t start = table_.Start();
  EXPECT_EQ(Admit(start, Granting({kFigures})), Learnable{});
  table_.EndChange(kFigures);
  learn();
  table_.Clear();
  EXPECT_EQ(table_.Figures(0), std::nullopt);
}

}  // namespace
}  // namespace tarn::cache
