// fsck finds each way in which a store can be wrong, and names the file.
#include "server/store/fsck.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/store/keys.h"
#include "server/store/records.h"
#include "server/store/sealed_kv.h"
#include "tests/unit/store/store_fixture.h"
#include "tests/unit/store/tree.h"

namespace tarn::store {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// /d/f (two blocks and a bit), /d/sub, /hard and /d/hard, /l -> d, an xattr, an orphan, a session.
class FsckTest : public ::testing::TestWithParam<Engine> {
 protected:
  void SetUp() override {
    auto store = OpenStore();
    Tree tree(*store);
    dir_ = tree.MakeDir(Tree::kRoot, "d");
    sub_ = tree.MakeDir(dir_, "sub");
    file_ = tree.MakeFile(dir_, "f", std::string(40'000, 'x'));
    hard_ = tree.MakeFile(Tree::kRoot, "hard", "y");
    tree.Link(hard_, dir_, "hard");
    link_ = tree.MakeSymLink(Tree::kRoot, "l", "d");
    tree.SetXattr(file_, "user.a", "b");
    orphan_ = tree.MakeFile(Tree::kRoot, "gone", "zz");
    tree.Unlink(Tree::kRoot, "gone");
    SessionRecord session;
    session.id = {1, 2};
    ASSERT_OK(store->PutSession(session));
    session.id = {3, 4};
    session.fenced = true;
    ASSERT_OK(store->PutSession(session));
    auto txn = store->Begin(Tier::kMayBlock, nullptr);
    txn->KeepReply(session.id, 0, {1, 2, "r"});
    ASSERT_OK(txn->Commit());
    file_data_ = tree.Get(file_.ino).data;
    identity_ = store->identity();
  }
  std::unique_ptr<Store> OpenStore() {
    auto store = Store::Open(box_.Open(), clock_, true, "test");
    EXPECT_OK(store);
    return std::move(store).value();
  }
  std::unique_ptr<Kv> OpenKv() { return MakeSealedKv(box_.Open()); }

  void Change(const std::function<void(Batch&)>& change) {
    auto kv = OpenKv();
    Batch batch;
    change(batch);
    ASSERT_OK(kv->Write(batch, Tier::kMayBlock));
  }
  void Put(Family f, const std::string& key, const std::string& value) {
    Change([&](Batch& batch) { batch.Put(f, key, Bytes::FromString(value)); });
  }
  void Delete(Family f, const std::string& key) {
    Change([&](Batch& batch) { batch.Delete(f, key); });
  }
  void ChangeInode(Handle which, const std::function<void(Inode&)>& change) {
    Inode inode;
    {
      auto kv = OpenKv();
      auto value = kv->Get(Family::kInode, InodeKey(which.ino), Tier::kMayBlock);
      inode = DecodeInode(which.ino, value.value()->view).value();
    }
    change(inode);
    Put(Family::kInode, InodeKey(which.ino), EncodeInode(inode));
  }
  std::string KeyOf(Handle dir, const std::string& name) const {
    return DentryKey(dir.ino, NameHash(identity_.hash_key, name), name);
  }
  FsckReport Check(const FsckOptions& options = {}) {
    auto report = Fsck(box_.Open(), options);
    EXPECT_OK(report);
    return report.ok() ? *report : FsckReport{};
  }
  std::vector<std::string> Findings() { return Check().findings; }

  EngineBox box_{GetParam()};
  TestClock clock_;
  Identity identity_;
  Handle dir_, sub_, file_, hard_, link_, orphan_;
  DataId file_data_{};
};
INSTANTIATE_TEST_SUITE_P(Engines, FsckTest, ::testing::Values(Engine::kMem, Engine::kRocks),
                         EngineName);

TEST_P(FsckTest, SoundStoreIsFoundSound) {
  const FsckReport report = Check();
  EXPECT_THAT(report.findings, IsEmpty());
  EXPECT_EQ(report.inodes, 7u);
  EXPECT_EQ(report.names, 6u);
  EXPECT_EQ(report.blocks, 5u);
}

TEST_P(FsckTest, SmallWindowsFindTheSame) {
  EXPECT_THAT(Check({.window = 1}).findings, IsEmpty());
  ChangeInode(hard_, [](Inode& inode) { inode.attr.nlink = 3; });
  ChangeInode(file_, [](Inode& inode) { inode.attr.allocated += 4096; });
  EXPECT_EQ(Check({.window = 1}).findings.size(), Check().findings.size());
}

TEST_P(FsckTest, FindingsBeyondTheLimitAreCutShort) {
  ChangeInode(hard_, [](Inode& inode) { inode.attr.nlink = 3; });
  ChangeInode(file_, [](Inode& inode) { inode.attr.nlink = 3; });
  const FsckReport report = Check({.findings_max = 1});
  EXPECT_EQ(report.findings.size(), 1u);
  EXPECT_TRUE(report.more);
}

TEST_P(FsckTest, NameOfAMissingInodeIsFound) {
  Delete(Family::kInode, InodeKey(file_.ino));
  EXPECT_THAT(Findings(), Contains(HasSubstr("/d/f: leads to inode")));
}

TEST_P(FsckTest, InodeWithoutItsNameIsFound) {
  Delete(Family::kDentry, KeyOf(dir_, "f"));
  EXPECT_THAT(Findings(), ElementsAre(HasSubstr("should have 1 names")));
}

TEST_P(FsckTest, WrongLinkCountsAreFound) {
  ChangeInode(hard_, [](Inode& inode) { inode.attr.nlink = 3; });
  ChangeInode(dir_, [](Inode& inode) { inode.attr.nlink = 2; });
  EXPECT_THAT(Findings(),
              ElementsAre(AllOf(HasSubstr("/d (inode"), HasSubstr("link count 2, but should")),
                          AllOf(HasSubstr("hard (inode"), HasSubstr("link count 3, but should"))));
}

TEST_P(FsckTest, NameOfAnotherTypeIsFound) {
  Put(Family::kDentry, KeyOf(dir_, "f"), EncodeDentry({file_.ino, FileType::kFifo}));
  EXPECT_THAT(Findings(), ElementsAre(HasSubstr("/d/f: is said to have type 1, but inode")));
}

TEST_P(FsckTest, EntryAtAPlaceWhereNoLookupFindsItIsFound) {
  Change([&](Batch& batch) {
    batch.Delete(Family::kDentry, KeyOf(dir_, "f"));
    batch.Put(Family::kDentry, DentryKey(dir_.ino, 77, "f"),
              Bytes::FromString(EncodeDentry({file_.ino, FileType::kRegular})));
  });
  EXPECT_THAT(Findings(),
              ElementsAre(AllOf(HasSubstr("/d (inode"), HasSubstr("entry 'f' is at a place"))));
}

TEST_P(FsckTest, EntriesOfWhatIsNoDirectoryAreFound) {
  const std::string value = EncodeDentry({file_.ino, FileType::kRegular});
  Put(Family::kDentry, KeyOf(Handle{Ino{900}, 0}, "a"), value);
  Put(Family::kDentry, KeyOf(hard_, "b"), value);
  ChangeInode(file_, [](Inode& inode) { inode.attr.nlink = 3; });
  EXPECT_THAT(Findings(),
              ElementsAre(HasSubstr("the entry 'a' is in directory 900, which does not exist"),
                          HasSubstr("is no directory, but has an entry 'b'")));
}

TEST_P(FsckTest, DirectoryThatDoesNotKnowItsPlaceIsFound) {
  ChangeInode(sub_, [](Inode& inode) { inode.name = "other"; });
  EXPECT_THAT(Findings(), ElementsAre(AllOf(HasSubstr("/d/sub: the directory (inode"),
                                            HasSubstr("says that it is 'other'"))));
}

TEST_P(FsckTest, RingOfDirectoriesBesideTheTreeIsFound) {
  Change([&](Batch& batch) {  // /d goes into /d/sub
    batch.Delete(Family::kDentry, KeyOf(Tree::kRoot, "d"));
    batch.Put(Family::kDentry, KeyOf(sub_, "d"),
              Bytes::FromString(EncodeDentry({dir_.ino, FileType::kDirectory})));
  });
  ChangeInode(dir_, [&](Inode& inode) { inode.parent = sub_.ino; });
  ChangeInode(sub_, [](Inode& inode) { inode.attr.nlink = 3; });
  ChangeInode(Tree::kRoot, [](Inode& inode) { inode.attr.nlink = 2; });
  EXPECT_THAT(Findings(), Contains(HasSubstr("cannot be reached from the root")));
}

TEST_P(FsckTest, OrphansAreFoundThatNobodyFreesOrThatHaveANameOrDoNotExist) {
  Delete(Family::kOrphan, OrphanKey(orphan_.ino));
  Put(Family::kOrphan, OrphanKey(file_.ino), EncodeOrphan({1}));
  Put(Family::kOrphan, OrphanKey(Ino{900}), EncodeOrphan({1}));
  EXPECT_THAT(Findings(),
              ElementsAre(HasSubstr("inode 900 is to be freed, but does not exist"),
                          AllOf(HasSubstr("/d/f"), HasSubstr("has a name, but is to be freed")),
                          HasSubstr("nobody will free it")));
}

TEST_P(FsckTest, XattrsOfWhatIsSaidToHaveNoneAreFound) {
  ChangeInode(file_, [](Inode& inode) { inode.attr.no_xattrs = true; });
  EXPECT_THAT(Findings(), ElementsAre(AllOf(HasSubstr("/d/f"), HasSubstr("no extended"))));
}

TEST_P(FsckTest, XattrsOfNobodyAreFound) {
  Put(Family::kXattr, XattrKey(Ino{900}, "user.x"), "v");
  EXPECT_THAT(Findings(), ElementsAre(HasSubstr("attributes of inode 900, which does not exist")));
}

TEST_P(FsckTest, BlockBehindTheEndIsFound) {
  Put(Family::kBlock, BlockKey(file_data_, 9), "late");
  EXPECT_THAT(Findings(),
              ElementsAre(AllOf(HasSubstr("/d/f"), HasSubstr("block 9 has 4 bytes, but only 0")),
                          AllOf(HasSubstr("/d/f"), HasSubstr("is said to occupy"))));
}

TEST_P(FsckTest, MissingBlockIsFound) {
  Delete(Family::kBlock, BlockKey(file_data_, 1));
  EXPECT_THAT(Findings(), ElementsAre(AllOf(HasSubstr("/d/f"), HasSubstr("occupy 40960 bytes, but "
                                                                         "its blocks occupy"))));
}

TEST_P(FsckTest, ContentsOfNobodyAreFoundUnlessTheyAreToBeFreed) {
  Put(Family::kSuper, std::string(kNextDataKey), Be64(70'000));
  Put(Family::kBlock, BlockKey(DataId{60'000}, 0), "lost");
  EXPECT_THAT(Findings(), ElementsAre(HasSubstr("4 bytes in 1 blocks of contents 60000 belong")));
  Put(Family::kOrphan, GarbageKey(DataId{60'000}), EncodeGarbage({1, 4096}));
  EXPECT_THAT(Findings(), IsEmpty());
}

TEST_P(FsckTest, ContentsOfTwoFilesAreFound) {
  ChangeInode(hard_, [&](Inode& inode) { inode.data = file_data_; });
  EXPECT_THAT(Findings(), Contains(HasSubstr("has the same contents as inode")));
}

TEST_P(FsckTest, WrongCountersAreFound) {
  Change([](Batch& batch) {
    batch.Add(Family::kSuper, std::string(kBytesKey), 5);
    batch.Add(Family::kSuper, std::string(kInodesKey), -1);
    batch.Add(Family::kSuper, QuotaCounterKey(kBytesKey, QuotaId{3}), 0);
  });
  EXPECT_THAT(Findings(), ElementsAre(HasSubstr("the counter of bytes says"),
                                      HasSubstr("the counter of inodes says 5, but there are 6")));
}

TEST_P(FsckTest, NumbersInUseThatAreYetToBeGivenOutAreFound) {
  Put(Family::kSuper, std::string(kNextInoKey), Be64(3));
  Put(Family::kSuper, std::string(kNextDataKey), Be64(1));
  EXPECT_THAT(Findings(), ElementsAre(HasSubstr("the next inode number is said to be 3, but"),
                                      HasSubstr("the next number of contents is said to be 1")));
}

TEST_P(FsckTest, RecordsThatAreNoneAreFound) {
  Put(Family::kInode, InodeKey(hard_.ino), "\xff");
  Put(Family::kSession, SessionKey({1, 2}), "\xff");
  Put(Family::kSession, KeptReplyKey({1, 2}, 4), "\xff");
  Put(Family::kOrphan, GarbageKey(DataId{1}), "\xff");
  const auto findings = Findings();
  EXPECT_THAT(findings, Contains(AllOf(HasSubstr("hard (inode"), HasSubstr("corrupt inode"))));
  EXPECT_THAT(findings, Contains(HasSubstr("corrupt session record")));
  EXPECT_THAT(findings, Contains(HasSubstr("corrupt kept reply record")));
  EXPECT_THAT(findings, Contains(HasSubstr("corrupt garbage record")));
}

TEST_P(FsckTest, OtherFormatIsRefused) {
  Put(Family::kSuper, std::string(kFormatKey), Be32(99));
  EXPECT_ERROR(kEINVAL, Fsck(box_.Open(), {}));
}

}  // namespace
}  // namespace tarn::store
