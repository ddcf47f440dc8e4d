#include "server/ops/scrubber.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/store/keys.h"
#include "tests/support/eventually.h"
#include "tests/support/expect.h"
#include "tests/support/mem_kv.h"
#include "tests/unit/store/store_fixture.h"
#include "tests/unit/store/tree.h"

namespace tarn::ops {
namespace {

using store::Family;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

bool Always(size_t) { return true; }

class ScrubberTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = store::Store::Open(disk_.Reopen(), clock_, true, "test");
    ASSERT_OK(opened);
    store_ = std::move(opened).value();
    store::Tree tree(*store_);
    const Handle dir = tree.MakeDir(store::Tree::kRoot, "d");
    file_ = tree.MakeFile(dir, "f", std::string(40'000, 'x'));
    tree.MakeFile(dir, "g", "sound");
  }
  void FlipBlock() {
    const std::string key = store::BlockKey(store::Tree(*store_).Get(file_.ino).data, 1);
    const auto value = disk_.Get(Family::kBlock, key, store::Tier::kMayBlock);
    std::string bytes(value.value()->view);
    bytes[1000] ^= 4;
    store::Batch batch;
    batch.Put(Family::kBlock, key, Bytes::FromString(bytes));
    ASSERT_OK(disk_.Write(batch, store::Tier::kMayBlock));
  }

  testing::MemKv disk_;
  store::TestClock clock_;
  std::unique_ptr<store::Store> store_;
  Handle file_;
};

TEST_F(ScrubberTest, SoundStoreHasNoFindings) {
  const store::ScrubReport report = store_->Scrub(Always);
  EXPECT_TRUE(report.whole);
  EXPECT_GT(report.bytes, 40'000u);
  EXPECT_THAT(report.findings, IsEmpty());
}

TEST_F(ScrubberTest, FlippedBitIsFoundAndTheFileNamed) {
  FlipBlock();
  EXPECT_THAT(store_->Scrub(Always).findings,
              ElementsAre(AllOf(HasSubstr("/d/f (inode"), HasSubstr("bytes 16384 to 32767"))));
}

TEST_F(ScrubberTest, RunsByItselfAndCounts) {
  FlipBlock();
  Scrubber scrubber(*store_, {.interval = absl::Milliseconds(1)});
  EXPECT_TRUE(testing::Eventually([&] { return scrubber.scrubs() >= 2; }));
  EXPECT_GE(scrubber.findings(), 2u);
}

TEST_F(ScrubberTest, StopsInTheMiddle) {
  store::Tree(*store_).Write(file_.ino, 0, std::string(3 << 20, 'y'));
  int calls = 0;
  const store::ScrubReport report = store_->Scrub([&](size_t) { return ++calls < 2; });
  EXPECT_EQ(calls, 2);
  EXPECT_FALSE(report.whole);
}

}  // namespace
}  // namespace tarn::ops
