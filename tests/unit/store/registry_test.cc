#include "server/store/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <tuple>

#include "common/limits.h"
#include "server/store/keys.h"
#include "server/store/records.h"
#include "tests/unit/store/store_fixture.h"
#include "tests/unit/store/tree.h"

namespace tarn::store {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class RegistryTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Registry>> Open() { return OpenRegistry(state_, SmallRocks(), clock_); }
  // Writes one key of the control store. REQUIRES: no registry is open.
  void PutControl(const std::string& key, const std::string& value) {
    auto kv = OpenRocksKv(state_ + "/control", false, MakeRocksMemory(SmallRocks()));
    ASSERT_OK(kv);
    Batch batch;
    batch.Put(Family::kSuper, key, Bytes::Copy(value));
    ASSERT_OK(kv.value()->Write(batch, Tier::kMayBlock));
  }

  ScratchDir dir_;
  const std::string state_ = dir_.path() + "/a/state";
  TestClock clock_;
};

TEST_F(RegistryTest, FirstStartMakesDefault) {
  ASSERT_OK_AND_ASSIGN(auto registry, Open());
  const auto all = registry->List();
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].name, kDefaultFileSystem);
  EXPECT_EQ(all[0].created, clock_.now);
  ASSERT_OK_AND_ASSIGN(const FileSystemInfo by_id, registry->Find(all[0].id));
  EXPECT_EQ(by_id.name, kDefaultFileSystem);
  ASSERT_OK_AND_ASSIGN(auto store, registry->OpenStore(kDefaultFileSystem));
  EXPECT_EQ(store->identity().id, all[0].id);
  EXPECT_EQ(store->identity().name, kDefaultFileSystem);
  EXPECT_TRUE(std::filesystem::is_directory(state_ + "/fs/" + all[0].id));
}

TEST_F(RegistryTest, FileSystemsAreFoundAgain) {
  std::string id;
  {
    ASSERT_OK_AND_ASSIGN(auto registry, Open());
    ASSERT_OK_AND_ASSIGN(const FileSystemInfo made, registry->Create("second"));
    id = made.id;
  }
  ASSERT_OK_AND_ASSIGN(auto registry, Open());
  EXPECT_THAT(registry->List(), SizeIs(2));
  EXPECT_EQ(registry->Find("second").value().id, id);
  EXPECT_ERROR(kENOENT, registry->Find("third"));
  EXPECT_ERROR(kENOENT, registry->OpenStore("third"));
  EXPECT_OK(registry->OpenStore(id));
}

TEST_F(RegistryTest, NameThatIsTakenOrNoneIsRefused) {
  ASSERT_OK_AND_ASSIGN(auto registry, Open());
  EXPECT_ERROR(kEEXIST, registry->Create("default"));
  for (const char* name : {"", ".", "..", "a/b", "a b", ".hidden"}) {
    EXPECT_ERROR(kEINVAL, registry->Create(name)) << name;
  }
  EXPECT_ERROR(kEINVAL, registry->Create(std::string(129, 'a')));
}

TEST_F(RegistryTest, StoreThatIsOpenIsRefusedASecondTime) {
  ASSERT_OK_AND_ASSIGN(auto registry, Open());
  ASSERT_OK_AND_ASSIGN(auto store, registry->OpenStore("default"));
  EXPECT_ERROR(kEBUSY, registry->OpenStore("default"));
}

TEST_F(RegistryTest, DirectoryInUseIsRefusedWithASentence) {
  ASSERT_OK_AND_ASSIGN(auto registry, Open());
  auto second = Open();
  EXPECT_ERROR(kEBUSY, second);
  EXPECT_THAT(second.error().message, HasSubstr(state_));
  EXPECT_THAT(second.error().message, HasSubstr("another tarnd has it open"));
}

TEST_F(RegistryTest, DirectoryOfAnotherVersionIsRefusedUntouched) {
  ASSERT_OK(Open());
  PutControl(std::string(kFormatKey), Be32(kFormatVersion + 1));
  auto refused = Open();
  EXPECT_ERROR(kEINVAL, refused);
  EXPECT_THAT(refused.error().message,
              HasSubstr("format version " + std::to_string(kFormatVersion + 1)));
  EXPECT_THAT(refused.error().message, HasSubstr(state_));
  PutControl(std::string(kFormatKey), Be32(kFormatVersion));
  ASSERT_OK_AND_ASSIGN(auto registry, Open());
  EXPECT_OK(registry->OpenStore("default"));
}

TEST_F(RegistryTest, CreationThatACrashCutShortIsCompleted) {
  ASSERT_OK(Open());
  const std::string id = "fs-0123456789abcdef0";
  PutControl("fs/" + id, EncodeFileSystem({"half", clock_.now, false}));
  {
    ASSERT_OK_AND_ASSIGN(auto registry, Open());
    EXPECT_EQ(registry->Find("half").value().id, id);
    ASSERT_OK_AND_ASSIGN(auto store, registry->OpenStore("half"));
    EXPECT_EQ(store->identity().id, id);
  }
  ASSERT_OK_AND_ASSIGN(auto registry, Open());
  EXPECT_OK(registry->OpenStore("half"));
}

TEST_F(RegistryTest, PlaceThatIsNoDirectoryIsRefused) {
  std::filesystem::create_directories(dir_.path() + "/a");
  std::ofstream(state_) << "a file";
  auto refused = Open();
  EXPECT_ERROR(kENOTDIR, refused);
  EXPECT_THAT(refused.error().message, HasSubstr("is not a directory"));
}

TEST_F(RegistryTest, DirectoryWithOtherThingsIsRefusedUntouched) {
  std::filesystem::create_directories(state_);
  std::ofstream(state_ + "/thesis.tex") << "text";
  auto refused = Open();
  EXPECT_ERROR(kEINVAL, refused);
  EXPECT_THAT(refused.error().message, HasSubstr("not empty"));
  EXPECT_FALSE(std::filesystem::exists(state_ + "/fs"));
}

TEST_F(RegistryTest, DirectoryWithoutPermissionIsRefused) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  std::filesystem::create_directories(state_);
  std::filesystem::permissions(state_, std::filesystem::perms::owner_read);
  auto refused = Open();
  std::filesystem::permissions(state_, std::filesystem::perms::owner_all);
  EXPECT_ERROR(kEACCES, refused);
}

// Names, sizes and times of all files below a directory.
std::set<std::tuple<std::string, uintmax_t, int64_t>> FilesBelow(const std::string& dir) {
  std::set<std::tuple<std::string, uintmax_t, int64_t>> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    if (!entry.is_regular_file() || entry.path().filename() == "LOCK") continue;
    files.emplace(entry.path(), entry.file_size(),
                  entry.last_write_time().time_since_epoch().count());
  }
  return files;
}

TEST_F(RegistryTest, CheckSeesWhatIsOnlyInTheLogAndChangesNothing) {
  {
    ASSERT_OK_AND_ASSIGN(auto registry, Open());
    ASSERT_OK(registry->Create("second"));
    ASSERT_OK_AND_ASSIGN(auto store, registry->OpenStore(kDefaultFileSystem));
    Tree tree(*store);
    tree.MakeFile(Tree::kRoot, "f", "content");
  }
  const auto before = FilesBelow(state_);
  ASSERT_OK_AND_ASSIGN(const auto all, CheckStateDirectory(state_, "", SmallRocks(), {}));
  EXPECT_EQ(FilesBelow(state_), before);
  ASSERT_THAT(all, SizeIs(2));
  ASSERT_OK_AND_ASSIGN(const auto one, CheckStateDirectory(state_, "default", SmallRocks(), {}));
  ASSERT_THAT(one, SizeIs(1));
  ASSERT_OK(one[0].report);
  EXPECT_EQ(one[0].report->inodes, 2u);
  EXPECT_THAT(one[0].report->findings, SizeIs(0));
  EXPECT_ERROR(kENOENT, CheckStateDirectory(state_, "third", SmallRocks(), {}));
  EXPECT_OK(Open());  // and holds nothing back
}

TEST_F(RegistryTest, CheckIsRefusedWhereATarndIsOrNothingIs) {
  EXPECT_ERROR(kENOENT, CheckStateDirectory(state_, "", SmallRocks(), {}));
  ASSERT_OK_AND_ASSIGN(auto registry, Open());
  const auto refused = CheckStateDirectory(state_, "", SmallRocks(), {});
  EXPECT_ERROR(kEBUSY, refused);
  EXPECT_THAT(refused.error().message, HasSubstr("is in use"));
}

}  // namespace
}  // namespace tarn::store
