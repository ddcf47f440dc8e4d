// A bit flips somewhere in what RocksDB has on disk: whoever reads what is damaged gets EIO, others
// get what they wrote, nobody gets anything else; fsck finds it and names the files.
// TARN_TEST_SEED=n flips the same bits again; TARN_TEST_LONG=1 flips ten times as many.
#include <gmock/gmock.h>
#include <spdlog/fmt/fmt.h>

#include <map>

#include "server/store/fsck.h"
#include "tests/crash/local_disk.h"

namespace tarn::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using store::Family;

class FlippedBitTest : public ::testing::Test {
 protected:
  static constexpr int kFiles = 60;

  static std::string PathOf(int i) { return fmt::format("/d{}/f{}", i % 4, i); }
  static std::string ContentOf(int i) {
    std::string content;
    for (int n = 0; content.size() < static_cast<size_t>(i) * 700; ++n) {
      content += fmt::format("{} of file {}, ", n, i);
    }
    return content;
  }
  // Fills the disk: all in tables, or all in the log.
  void Fill(bool in_tables) {
    auto engine = OpenOn(disk_, true);
    ASSERT_OK(engine);
    LocalStage stage(std::make_unique<BorrowedKv>(*engine));
    for (int d = 0; d < 4; ++d) ASSERT_OK(stage.root().MakeDir(fmt::format("/d{}", d), 0755));
    for (int i = 0; i < kFiles; ++i) {
      ASSERT_OK(PutFile(stage.root(), PathOf(i), ContentOf(i)));
      ASSERT_OK(stage.root().SetXattr(PathOf(i), "user.number", std::to_string(i)));
    }
    ASSERT_OK(stage.Sync());
    for (int f = 0; in_tables && f < store::kFamilies; ++f) {
      ASSERT_OK((*engine)->Compact(static_cast<Family>(f), "", std::string(17, '\xff'),
                                   UINT64_MAX));
    }
  }
  // A bit of a file whose name ends so, each byte as likely.
  void FlipOne(BadDisk& disk, std::string_view suffix) {
    std::vector<std::pair<std::string, uint64_t>> files;
    uint64_t total = 0;
    for (const auto& [path, size] : disk.Files()) {
      if (!path.ends_with(suffix)) continue;
      files.emplace_back(path, size);
      total += size;
    }
    ASSERT_GT(total, 0u);
    uint64_t byte = std::uniform_int_distribution<uint64_t>(0, total - 1)(random_);
    for (const auto& [path, size] : files) {
      if (byte < size) {
        ASSERT_TRUE(disk.FlipBit(path, byte * 8 + random_() % 8));
        return;
      }
      byte -= size;
    }
  }
  // How many files cannot be read; each of those must be named by fsck.
  int Look(const std::shared_ptr<BadDisk>& disk, const std::string& fsck_says) {
    auto engine = OpenOn(disk, false);
    if (!engine.ok()) return -1;
    LocalStage stage(std::make_unique<BorrowedKv>(*engine));
    int unreadable = 0;
    for (int i = 0; i < kFiles; ++i) {
      const auto content = GetFile(stage.root(), PathOf(i));
      const auto number = stage.root().GetXattr(PathOf(i), "user.number");
      if (content.ok()) {
        EXPECT_TRUE(*content == ContentOf(i)) << PathOf(i);
      }
      if (number.ok()) {
        EXPECT_EQ(*number, std::to_string(i));
      }
      if (content.ok() && number.ok()) continue;
      ++unreadable;
      EXPECT_EQ(content.ok() ? number.code() : content.code(), Errno::kEIO) << PathOf(i);
      const std::string dir = PathOf(i).substr(0, 3);  // where names are lost, it is named instead
      if (fsck_says.find(PathOf(i)) == std::string::npos) {
        EXPECT_THAT(fsck_says, HasSubstr(dir + " (inode")) << PathOf(i);
      }
    }
    return unreadable;
  }

  const unsigned seed_ = ChosenSeed();
  std::mt19937 random_{seed_};
  std::shared_ptr<BadDisk> disk_ = BadDisk::Make();
};

TEST_F(FlippedBitTest, InATableIsEIOForThoseWhoReadItAndFoundByFsck) {
  Fill(true);
  const int flips = LongForm() ? 1500 : 150;
  int refused = 0, harmless = 0, files = 0, found = 0;
  for (int i = 0; i < flips && !HasFailure(); ++i) {
    const auto disk = disk_->Copy();
    FlipOne(*disk, ".sst");
    std::string says;
    auto engine = OpenOn(disk, false);
    if (!engine.ok()) {  // what RocksDB needs to know of a table in order to open it
      EXPECT_EQ(engine.code(), Errno::kEIO);
      EXPECT_THAT(engine.error().message,
                  AnyOf(HasSubstr("is corrupt"), HasSubstr("cannot open the database")));
      ++refused;
      continue;
    }
    const auto report = store::Fsck(std::make_unique<BorrowedKv>(*engine), {});
    if (report.ok()) {
      for (const std::string& finding : report->findings) says += finding + "\n";
    } else {  // not even the identity can be read
      EXPECT_ERROR(kEIO, report);
      ++refused;
      continue;
    }
    engine = Errno::kEIO;  // closed
    found += says.empty() ? 0 : 1;
    const int unreadable = Look(disk, says);
    if (unreadable > 0) files += unreadable;
    if (unreadable == 0 && says.empty()) ++harmless;
  }
  std::printf("%d flips: %d found, in %d files; %d keep the store from opening; %d in bytes that "
              "nobody reads\n", flips, found, files, refused, harmless);
  EXPECT_GT(found, flips / 4);
}

TEST_F(FlippedBitTest, InWhatIsSyncedOfTheLogIsRefusedNotForgotten) {
  Fill(false);
  const int flips = LongForm() ? 500 : 50;
  int refused = 0;
  for (int i = 0; i < flips && !HasFailure(); ++i) {
    const auto disk = disk_->Copy();
    FlipOne(*disk, ".log");
    const auto before = disk->Files();
    auto engine = OpenOn(disk, false);
    if (!engine.ok()) {
      EXPECT_EQ(engine.code(), Errno::kEIO);
      // "corrupt": RocksDB itself misses what tables have that are newer than the damage.
      EXPECT_THAT(engine.error().message, AnyOf(HasSubstr("is damaged"), HasSubstr("is corrupt")));
      EXPECT_EQ(disk->Files(), before);  // kept for examination
      ++refused;
      continue;
    }
    engine = Errno::kEIO;
    EXPECT_EQ(Look(disk, ""), 0);  // it hit what was written after the last sync, a clean end say
  }
  std::printf("%d flips: %d refused\n", flips, refused);
  EXPECT_GT(refused, flips / 2);
}

}  // namespace
}  // namespace tarn::testing
