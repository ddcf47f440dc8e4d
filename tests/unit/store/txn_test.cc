// Transactions: the overlay, the guard, and what a commit counts.
#include "server/store/txn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/siphash.h"
#include "tests/unit/store/store_fixture.h"

namespace tarn::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class TxnTest : public ::testing::TestWithParam<Engine> {
 protected:
  static Dentry To(uint64_t ino) { return {Ino{ino}, FileType::kRegular}; }
  std::set<std::string> Names(Txn& txn, Ino dir, size_t page) {
    std::set<std::string> names;
    uint64_t after = 0;
    for (;;) {
      auto entries = txn.ListDentries(dir, after, page).value();
      if (entries.empty()) return names;
      for (const NamedDentry& entry : entries) {
        EXPECT_GE(entry.cookie, after);
        EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
        after = entry.cookie;
      }
    }
  }
  StoreBox box_{GetParam()};
};

TEST_P(TxnTest, RootIsThere) {
  const Inode root = box_.Get(kRootIno);
  EXPECT_EQ(root.attr.type, FileType::kDirectory);
  EXPECT_EQ(root.attr.nlink, 2u);
  EXPECT_EQ(root.parent, kRootIno);
  EXPECT_EQ(root.attr.btime, box_.clock.now);
  EXPECT_EQ(box_->usage().inodes, 1u);
  EXPECT_EQ(box_->usage().bytes, 0u);
}

TEST_P(TxnTest, ChangesOfWhatWasThereAreVisited) {
  auto setup = box_.Begin();
  const Ino file = setup->NewIno().value();
  setup->PutInode(NewFile(file));
  ASSERT_OK(setup->Commit());

  auto txn = box_.Begin();
  const Ino made = txn->NewIno().value();
  txn->PutInode(NewFile(made));
  txn->PutXattr(made, "user.x", "1");
  ASSERT_OK(txn->GetInode(file));
  txn->PutXattr(file, "user.x", "1");
  const Inode root = *txn->GetInode(kRootIno).value();
  txn->PutInode(root);
  txn->PutDentry(kRootIno, "a", To(Raw(made)));
  txn->DeleteDentry(kRootIno, "b");
  std::set<std::string> visited;
  txn->ForEachChange([&](Ino ino, bool directory, std::string_view name) {
    visited.insert(std::to_string(Raw(ino)) + (directory ? "/" : "") + std::string(name));
  });
  const std::string in_root = std::to_string(Raw(kRootIno)) + "/";
  EXPECT_THAT(visited, UnorderedElementsAre(in_root, in_root + "a", in_root + "b",
                                            std::to_string(Raw(file))));
}

TEST_P(TxnTest, ReadsSeeOwnWritesAndOthersOnlyAfterCommit) {
  auto txn = box_.Begin();
  const Ino ino = txn->NewIno().value();
  EXPECT_EQ(txn->GetInode(ino).value(), std::nullopt);
  txn->PutInode(NewFile(ino));
  txn->PutDentry(kRootIno, "a", To(Raw(ino)));
  txn->PutXattr(ino, "user.x", "1");
  EXPECT_EQ(txn->GetInode(ino).value(), NewFile(ino));
  EXPECT_EQ(txn->GetDentry(kRootIno, "a").value()->ino, ino);
  EXPECT_EQ(txn->GetXattr(ino, "user.x").value(), "1");
  EXPECT_TRUE(txn->HasDentries(kRootIno).value());
  EXPECT_EQ(box_.Begin()->GetInode(ino).value(), std::nullopt);
  EXPECT_FALSE(box_.Begin()->HasDentries(kRootIno).value());
  ASSERT_OK(txn->Commit());
  auto later = box_.Begin();
  EXPECT_EQ(later->GetInode(ino).value(), NewFile(ino));
  EXPECT_EQ(later->GetDentry(kRootIno, "a").value()->ino, ino);
  EXPECT_EQ(later->GetXattr(ino, "user.x").value(), "1");
  EXPECT_EQ(later->GetDentry(kRootIno, "b").value(), std::nullopt);
}

TEST_P(TxnTest, DroppedTransactionChangesNothing) {
  {
    auto txn = box_.Begin();
    txn->PutDentry(kRootIno, "a", To(5));
  }
  EXPECT_FALSE(box_.Begin()->HasDentries(kRootIno).value());
}

TEST_P(TxnTest, ListingMergesTheOverlayInCookieOrder) {
  auto first = box_.Begin();
  for (int i = 0; i < 100; ++i) first->PutDentry(kRootIno, "f" + std::to_string(i), To(100 + i));
  first->PutDentry(Ino{2}, "other", To(3));
  ASSERT_OK(first->Commit());
  auto txn = box_.Begin();
  std::set<std::string> expected;
  for (int i = 0; i < 100; ++i) {
    if (i % 3 == 0) {
      txn->DeleteDentry(kRootIno, "f" + std::to_string(i));
    } else {
      expected.insert("f" + std::to_string(i));
    }
  }
  for (int i = 0; i < 20; ++i) {
    txn->PutDentry(kRootIno, "g" + std::to_string(i), To(300 + i));
    expected.insert("g" + std::to_string(i));
  }
  txn->DeleteDentry(kRootIno, "never there");
  EXPECT_EQ(Names(*txn, kRootIno, 100), expected);
  EXPECT_EQ(Names(*txn, kRootIno, 1), expected);
  EXPECT_EQ(Names(*txn, kRootIno, 1 << 20), expected);
  ASSERT_OK(txn->Commit());
  EXPECT_EQ(Names(*box_.Begin(), kRootIno, 100), expected);
}

TEST_P(TxnTest, ListingIsBoundedButNeverEmpty) {
  auto txn = box_.Begin();
  for (char i = 1; i <= 50; ++i) txn->PutDentry(kRootIno, std::string(76, 'a') + i, To(9));
  EXPECT_EQ(txn->ListDentries(kRootIno, 0, 0).value().size(), 1u);
  EXPECT_EQ(txn->ListDentries(kRootIno, 0, 1010).value().size(), 10u);
  EXPECT_THAT(txn->ListDentries(kRootIno, UINT64_MAX, 1000).value(), IsEmpty());
}

TEST_P(TxnTest, HasDentriesLooksThroughDeletions) {
  auto first = box_.Begin();
  first->PutDentry(kRootIno, "a", To(5));
  first->PutDentry(kRootIno, "b", To(6));
  ASSERT_OK(first->Commit());
  auto txn = box_.Begin();
  txn->DeleteDentry(kRootIno, "a");
  EXPECT_TRUE(txn->HasDentries(kRootIno).value());
  txn->DeleteDentry(kRootIno, "b");
  EXPECT_FALSE(txn->HasDentries(kRootIno).value());
  txn->PutDentry(kRootIno, "c", To(7));
  EXPECT_TRUE(txn->HasDentries(kRootIno).value());
}

TEST_P(TxnTest, XattrsListInOrderOfName) {
  auto txn = box_.Begin();
  for (const char* name : {"user.b", "user.a", "user.c"}) txn->PutXattr(Ino{5}, name, "v");
  txn->PutXattr(Ino{6}, "user.z", "v");
  ASSERT_OK(txn->Commit());
  txn = box_.Begin();
  txn->DeleteXattr(Ino{5}, "user.b");
  txn->PutXattr(Ino{5}, "user.d", "");
  EXPECT_THAT(txn->ListXattrs(Ino{5}).value(), ElementsAre("user.a", "user.c", "user.d"));
  EXPECT_EQ(txn->GetXattr(Ino{5}, "user.d").value(), "");
  EXPECT_EQ(txn->GetXattr(Ino{5}, "user.b").value(), std::nullopt);
}

TEST_P(TxnTest, UsageCountsInodesWithANameAndWhatTheyOccupy) {
  const Usage before = box_->usage();
  const Ino ino = box_.MakeFile();
  box_.Write(ino, 0, std::string(5000, 'x'));
  EXPECT_EQ(box_->usage().inodes, before.inodes + 1);
  EXPECT_EQ(box_->usage().bytes, before.bytes + 8192);
  box_.MakeOrphan(ino);
  EXPECT_EQ(box_->usage().inodes, before.inodes);
  EXPECT_EQ(box_->usage().bytes, before.bytes);
  box_.Write(ino, 100'000, "more");  // an orphan's growth is not counted
  EXPECT_EQ(box_->usage().bytes, before.bytes);
  box_.Change(ino, [](Txn& txn, Inode& i) {
    i.attr.nlink = 1;
    txn.DeleteOrphan(i.attr.ino);
    return Ok();
  });
  EXPECT_EQ(box_->usage().inodes, before.inodes + 1);
  EXPECT_EQ(box_->usage().bytes, before.bytes + 8192 + 4096);
  EXPECT_THAT(box_->ListOrphans(kNoIno, 10).value(), IsEmpty());
}

TEST_P(TxnTest, UsageIsRightWithoutReadingTheInodeFirst) {
  const Ino ino = box_.MakeFile();
  box_.Write(ino, 0, "x");
  const Usage before = box_->usage();
  const Inode inode = box_.Get(ino);
  auto txn = box_.Begin();
  txn->PutInode(inode);
  ASSERT_OK(txn->Commit());
  EXPECT_EQ(box_->usage().inodes, before.inodes);
  EXPECT_EQ(box_->usage().bytes, before.bytes);
}

TEST_P(TxnTest, NowStaysTheSame) {
  auto txn = box_.Begin();
  const Timestamp now = txn->Now();
  box_.clock.now.ns += 5;
  EXPECT_EQ(txn->Now(), now);
  EXPECT_EQ(box_.Begin()->Now(), box_.clock.now);
}

TEST_P(TxnTest, GuardForbidsReadsAndFailsCommits) {
  const Ino ino = box_.MakeFile();
  auto txn = box_->Begin(Tier::kMayBlock, [&](Ino asked) { return asked != ino; });
  Inode inode = NewFile(ino);
  EXPECT_ERROR(kBlocked, txn->GetInode(ino));
  EXPECT_ERROR(kBlocked, txn->GetDentry(ino, "a"));
  EXPECT_ERROR(kBlocked, txn->ListDentries(ino, 0, 100));
  EXPECT_ERROR(kBlocked, txn->HasDentries(ino));
  EXPECT_ERROR(kBlocked, txn->GetXattr(ino, "user.a"));
  EXPECT_ERROR(kBlocked, txn->ListXattrs(ino));
  EXPECT_ERROR(kBlocked, txn->ReadData(inode, 0, 1));
  EXPECT_ERROR(kBlocked, txn->WriteData(inode, 0, Bytes::Copy("a")));
  EXPECT_ERROR(kBlocked, txn->SetSize(inode, 5));
  EXPECT_OK(txn->GetInode(kRootIno));
  EXPECT_OK(txn->Commit());
  txn = box_->Begin(Tier::kMayBlock, [&](Ino asked) { return asked != ino; });
  txn->PutXattr(ino, "user.a", "v");
  EXPECT_ERROR(kBlocked, txn->Commit());
  EXPECT_EQ(box_.Begin()->GetXattr(ino, "user.a").value(), std::nullopt);
}

TEST_P(TxnTest, KeptReplyIsStoredWithTheBatchOverTheLast) {
  const SessionId session{1, 2};
  for (uint64_t sequence : {7, 8}) {
    auto txn = box_.Begin();
    txn->KeepReply(session, 3, {sequence, 9, "reply" + std::to_string(sequence)});
    ASSERT_OK(txn->Commit());
  }
  ASSERT_OK_AND_ASSIGN(const auto kept, box_->FindKeptReply(session, 3));
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->sequence, 8u);
  EXPECT_EQ(kept->verb, 9);
  EXPECT_EQ(kept->reply, "reply8");
  EXPECT_EQ(box_->FindKeptReply(session, 4).value().has_value(), false);
}

INSTANTIATE_TEST_SUITE_P(Engines, TxnTest, ::testing::Values(Engine::kMem, Engine::kRocks),
                         EngineName);

// Failures that only the engine in memory can be asked for.
class TxnFailureTest : public ::testing::Test {
 protected:
  TxnFailureTest() {
    auto kv = std::make_unique<testing::MemKv>();
    kv_ = kv.get();
    store_ = Store::Open(std::move(kv), clock_, true, "test").value();
  }
  TestClock clock_;
  testing::MemKv* kv_ = nullptr;
  std::unique_ptr<Store> store_;
};

TEST_F(TxnFailureTest, MemoryOnlyReadOfColdRecordIsBlockedAndThenSucceeds) {
  kv_->SetBlocked([](Family f, std::string_view) { return f == Family::kInode; });
  EXPECT_ERROR(kBlocked, store_->Begin(Tier::kMemoryOnly, nullptr)->GetInode(kRootIno));
  EXPECT_OK(store_->Begin(Tier::kMayBlock, nullptr)->GetInode(kRootIno));
  kv_->SetBlocked([](Family f, std::string_view) { return f == Family::kDentry; });
  auto add = store_->Begin(Tier::kMayBlock, nullptr);
  add->PutDentry(kRootIno, "a", {Ino{5}, FileType::kRegular});
  ASSERT_OK(add->Commit());
  auto txn = store_->Begin(Tier::kMemoryOnly, nullptr);
  EXPECT_ERROR(kBlocked, txn->GetDentry(kRootIno, "a"));
  EXPECT_ERROR(kBlocked, txn->ListDentries(kRootIno, 0, 100));
  EXPECT_ERROR(kBlocked, txn->HasDentries(kRootIno));
}

TEST_F(TxnFailureTest, FailedCommitCountsNothing) {
  for (const Errno error : {Errno::kENOSPC, Errno::kEIO, Errno::kBlocked}) {
    const Usage before = store_->usage();
    auto txn = store_->Begin(Tier::kMemoryOnly, nullptr);
    txn->PutInode(NewFile(txn->NewIno().value()));
    kv_->FailNextWrite(error);
    EXPECT_EQ(txn->Commit().code(), error);
    EXPECT_EQ(store_->usage().inodes, before.inodes);
  }
}

TEST_F(TxnFailureTest, EmptyCommitWritesNothing) {
  const int writes = kv_->writes();
  ASSERT_OK(store_->Begin(Tier::kMemoryOnly, nullptr)->Commit());
  EXPECT_EQ(kv_->writes(), writes);
}

TEST_F(TxnFailureTest, OneTransactionIsOneWrite) {
  const int writes = kv_->writes();
  auto txn = store_->Begin(Tier::kMemoryOnly, nullptr);
  Inode inode = NewFile(txn->NewIno().value());
  ASSERT_OK(txn->WriteData(inode, 0, Bytes::Zeros(100'000)));
  txn->PutInode(inode);
  txn->PutDentry(kRootIno, "a", {inode.attr.ino, FileType::kRegular});
  txn->PutXattr(inode.attr.ino, "user.a", "v");
  txn->KeepReply({1, 2}, 3, {4, 5, "r"});
  ASSERT_OK(txn->Commit());
  EXPECT_EQ(kv_->writes(), writes + 1);
}

}  // namespace
}  // namespace tarn::store
