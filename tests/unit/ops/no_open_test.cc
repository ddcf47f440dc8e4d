// Reads and writes through no open: the caller must have the right to one.
#include "tests/unit/ops/local_fs_fixture.h"

namespace tarn::ops {
namespace {

class NoOpenTest : public LocalFsFixture {
 protected:
  static constexpr Uid kOwner = 1000, kOther = 1001;

  void SetUp() override {
    file_ = Create("f", OpenId{1});
    ASSERT_OK(Write(file_, OpenId{1}, "content"));
    ASSERT_OK(Call<verbs::Release>(As(kA), {.inode = file_, .open = OpenId{1}}));
    ASSERT_OK(Call<verbs::SetAttr>(As(kA), {.inode = file_, .mode = 0600, .uid = kOwner}));
  }
  Result<ReadReply> ReadAs(const Caller& caller) {
    return Call<verbs::Read>(caller, {.inode = file_, .open = kNoOpen, .size = 100});
  }
  Result<WriteReply> WriteAs(const Caller& caller) {
    return Call<verbs::Write>(
        caller, {.inode = file_, .open = kNoOpen, .data = Bytes::FromString("C")});
  }

  Handle file_;
};

TEST_F(NoOpenTest, WhoMayOpenMayReadAndWrite) {
  ASSERT_OK(WriteAs(As(kB, kOwner)));
  const auto read = ReadAs(As(kB, kOwner));
  ASSERT_OK(read);
  EXPECT_EQ(read->data.ToString(), "Content");
}

TEST_F(NoOpenTest, WhoMayNotIsRefused) {
  EXPECT_ERROR(kEACCES, ReadAs(As(kB, kOther)));
  EXPECT_ERROR(kEACCES, WriteAs(As(kB, kOther)));
  Caller reader = As(kB, kOwner);
  reader.read_only = true;
  EXPECT_ERROR(kEROFS, WriteAs(reader));
  ASSERT_OK(ReadAs(reader));
}

TEST_F(NoOpenTest, NothingElseWorksWithoutAnOpen) {
  EXPECT_ERROR(kEBADF, Call<verbs::Seek>(As(kA), {.inode = file_, .open = kNoOpen}));
  EXPECT_ERROR(kEBADF, Call<verbs::Allocate>(
                           As(kA), {.inode = file_, .open = kNoOpen, .length = 1}));
}

TEST_F(NoOpenTest, NothingIsHeld) {
  ASSERT_OK(ReadAs(As(kB, kOwner)));
  ASSERT_OK(Call<verbs::Unlink>(As(kA), {.dir = root(), .name = "f"}));
  clock_.Advance(2 * kOrphanMinAgeNanos);
  fs_->ReclaimNow();
  EXPECT_ERROR(kESTALE, ReadAs(As(kB, kOwner)));
  EXPECT_ERROR(kESTALE, WriteAs(As(kB, kOwner)));
}

TEST_F(NoOpenTest, DirectoryIsNoFile) {
  EXPECT_ERROR(kEISDIR, Call<verbs::Read>(As(kA), {.inode = root(), .open = kNoOpen, .size = 1}));
  EXPECT_ERROR(kEISDIR, Call<verbs::Write>(As(kA), {.inode = root(),
                                                    .open = kNoOpen,
                                                    .data = Bytes::FromString("x")}));
}

}  // namespace
}  // namespace tarn::ops
