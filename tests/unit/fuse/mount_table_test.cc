#include "client/cli/mount_table.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "client/cli/mount_command.h"
#include "client/cli/status_command.h"

namespace tarn::cli {
namespace {

constexpr char kText[] =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "40 22 0:51 / /mnt/a\\040b rw,nosuid shared:2 master:3 - fuse.tarn srv:/default rw,user_id=0\n"
    "41 40 0:52 / /mnt/c ro - fuse.tarn srv:/other ro\n"
    "42 22 0:53 / /mnt/c rw - tmpfs tmpfs rw\n"
    "nonsense\n\n";

TEST(MountTable, LinesAreTakenApart) {
  auto table = ParseMountInfo(kText);
  ASSERT_EQ(table.size(), 4u);
  EXPECT_EQ(table[1], (MountEntry{0, 51, "/mnt/a b", "fuse.tarn", "srv:/default", false}));
  EXPECT_TRUE(table[1].is_tarn());
  EXPECT_TRUE(table[2].read_only);
}

TEST(MountTable, LastMountAtAPointHidesTheOthers) {
  auto table = ParseMountInfo(kText);
  auto mount = FindMount(table, "/mnt/c");
  ASSERT_TRUE(mount);
  EXPECT_EQ(mount->type, "tmpfs");
  EXPECT_FALSE(FindMount(table, "/mnt"));
}

TEST(AbsolutePath, LastComponentNeedNotExist) {
  std::string cwd = std::filesystem::canonical(".");
  EXPECT_EQ(*AbsolutePath("nowhere"), cwd + "/nowhere");
  EXPECT_EQ(*AbsolutePath("./nowhere//"), cwd + "/nowhere");
  EXPECT_EQ(*AbsolutePath("/nowhere"), "/nowhere");
  EXPECT_EQ(*AbsolutePath("."), cwd);
  EXPECT_EQ(*AbsolutePath("/"), "/");
}

TEST(AbsolutePath, MissingParentFailsENOENT) {
  EXPECT_EQ(AbsolutePath("/no/such/parent").code(), Errno::kENOENT);
}

TEST(HumanBytes, LargestFittingUnitIsTaken) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(1023), "1023 B");
  EXPECT_EQ(HumanBytes(1536), "1.5 KiB");
  EXPECT_EQ(HumanBytes(uint64_t{1} << 63), "8.0 EiB");
}

TEST(Status, TableIsAligned) {
  std::ostringstream out;
  PrintFileSystems({{"fs-0123", "default", 1536, 3, 12}}, out);
  EXPECT_EQ(out.str(),
            "NAME     ID          USED  INODES  MOUNTS\n"
            "default  fs-0123  1.5 KiB       3      12\n");
}

}  // namespace
}  // namespace tarn::cli
