// What is unlinked: it lives while somebody has it open, then it is freed.
#include "tests/support/eventually.h"
#include "tests/unit/ops/local_fs_fixture.h"

namespace tarn::ops {
namespace {

class OrphansTest : public LocalFsFixture {
 protected:
  // How many orphans and blocks the store still has.
  size_t Orphans() { return fs_->store().ListOrphans(kNoIno, 100)->size(); }
  size_t Blocks() const { return kv_->KeyCount(store::Family::kBlock); }
  void Pass(int64_t nanos) {
    clock_.Advance(nanos);
    fs_->ReclaimNow();
  }
};

TEST_F(OrphansTest, UnlinkedOpenFileWorksUntilReleasedThenIsFreed) {
  const Handle file = Create("f", OpenId{1});
  ASSERT_OK(Write(file, OpenId{1}, std::string(100'000, 'x')));
  ASSERT_OK(Call<verbs::Unlink>(As(kA), {.dir = root(), .name = "f"}));
  Pass(2 * kOrphanMinAgeNanos);
  EXPECT_OK(Write(file, OpenId{1}, "still here"));
  EXPECT_EQ(*Read(file, OpenId{1}, 10), "still here");
  EXPECT_EQ(Orphans(), 1u);
  ASSERT_OK(Call<verbs::Release>(As(kA), {.inode = file, .open = OpenId{1}}));
  Pass(0);
  EXPECT_EQ(Orphans(), 0u);
  EXPECT_EQ(Blocks(), 0u);
  EXPECT_ERROR(kESTALE, Call<verbs::GetAttr>(As(kA), {.inode = file}));
}

TEST_F(OrphansTest, UnlinkedFileCanBeOpenedUntilItIsOldEnough) {
  const Handle file = Create("f", OpenId{1});
  ASSERT_OK(Call<verbs::Release>(As(kA), {.inode = file, .open = OpenId{1}}));
  ASSERT_OK(Call<verbs::Unlink>(As(kA), {.dir = root(), .name = "f"}));
  Pass(kOrphanMinAgeNanos - 1);
  EXPECT_OK(Open(file, OpenId{2}, kB));
  Pass(2);
  EXPECT_OK(Call<verbs::GetAttr>(As(kB), {.inode = file}));
  fs_->EndSession(kB);
  Pass(0);
  EXPECT_ERROR(kESTALE, Open(file, OpenId{3}, kA));
}

TEST_F(OrphansTest, LinkedTmpFileIsKept) {
  ASSERT_OK_AND_ASSIGN(CreateReply made,
                       Call<verbs::CreateTmp>(As(kA), {.dir = root(), .mode = 0644,
                                                       .open = OpenId{1},
                                                       .access = OpenAccess::kReadWrite}));
  ASSERT_OK(Call<verbs::Link>(As(kA), {.inode = made.entry.handle, .new_dir = root(),
                                       .new_name = "named"}));
  ASSERT_OK(Call<verbs::Release>(As(kA), {.inode = made.entry.handle, .open = OpenId{1}}));
  Pass(2 * kOrphanMinAgeNanos);
  EXPECT_OK(Call<verbs::GetAttr>(As(kA), {.inode = made.entry.handle}));
}

TEST_F(OrphansTest, NothingIsFreedInGraceAndUnclaimedAfterIt) {
  const Handle kept = Create("f", OpenId{1}), lost = Create("g", OpenId{2});
  for (const char* name : {"f", "g"}) {
    ASSERT_OK(Call<verbs::Unlink>(As(kA), {.dir = root(), .name = name}));
  }
  Restart({.grace = true});
  Pass(2 * kOrphanMinAgeNanos);
  EXPECT_EQ(Orphans(), 2u);
  ASSERT_OK(fs_->ReclaimOpen(As(kA), kept, OpenId{1}, OpenAccess::kReadWrite));
  fs_->EndGrace();
  Pass(0);
  EXPECT_OK(Write(kept, OpenId{1}, "x"));
  EXPECT_ERROR(kESTALE, Call<verbs::GetAttr>(As(kA), {.inode = lost}));
}

TEST_F(OrphansTest, ReleaseWakesTheReclaimer) {
  const Handle file = Create("f", OpenId{1});
  ASSERT_OK(Call<verbs::Unlink>(As(kA), {.dir = root(), .name = "f"}));
  Pass(2 * kOrphanMinAgeNanos);  // met while pinned
  ASSERT_OK(Call<verbs::Release>(As(kA), {.inode = file, .open = OpenId{1}}));
  EXPECT_TRUE(testing::Eventually([&] { return Orphans() == 0; }));
}

TEST_F(OrphansTest, ContentsCutOffAreFreed) {
  const Handle file = Create("f", OpenId{1});
  ASSERT_OK(Write(file, OpenId{1}, std::string(100'000, 'x')));
  ASSERT_OK(Call<verbs::SetAttr>(As(kA), {.inode = file, .open = OpenId{1}, .size = 0}));
  Pass(kOrphanMinAgeNanos);
  EXPECT_EQ(Blocks(), 0u);
}

}  // namespace
}  // namespace tarn::ops
