#include "client/fuse/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

namespace tarn::fuse {
namespace {

using ::testing::HasSubstr;

TEST(MountOptions, DefaultsLetEverythingThrough) {
  auto options = ParseMountOptions({});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(*options, MountOptions{});
  EXPECT_EQ(MountFlags(*options), 0u);
}

TEST(MountOptions, LaterOptionWins) {
  auto options = ParseMountOptions({"ro,nosuid,nodev", "rw,,dev"});
  ASSERT_TRUE(options.ok());
  EXPECT_FALSE(options->read_only);
  EXPECT_FALSE(options->suid);
  EXPECT_TRUE(options->dev);
  EXPECT_EQ(MountFlags(*options), static_cast<unsigned long>(MS_NOSUID));
}

TEST(MountOptions, FstabLineOfAnyoneIsAccepted) {
  auto options =
      ParseMountOptions({"defaults,_netdev,noauto,nofail,relatime,x-systemd.automount,comment=x"});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(*options, MountOptions{});
}

TEST(MountOptions, UserImpliesWhatMountEightSays) {
  auto options = ParseMountOptions({"user=joe,exec"});
  ASSERT_TRUE(options.ok());
  EXPECT_FALSE(options->suid);
  EXPECT_FALSE(options->dev);
  EXPECT_TRUE(options->exec);
}

TEST(MountOptions, HardAndSoftAreThoseOfNfs) {
  EXPECT_FALSE(ParseMountOptions({})->soft);
  auto options = ParseMountOptions({"soft,timeo=50,retrans=2"});
  ASSERT_TRUE(options.ok());
  EXPECT_TRUE(options->soft);
  EXPECT_EQ(options->timeo, 50u);
  // What EFS users have in their fstab.
  EXPECT_EQ(*ParseMountOptions({"hard,timeo=600,retrans=2"}), MountOptions{});
  for (const char* bad : {"timeo", "timeo=", "timeo=0", "timeo=1s", "timeo=-1", "timeo=99999999999",
                          "retrans=x", "soft=1"}) {
    EXPECT_FALSE(ParseMountOptions({bad}).ok()) << bad;
  }
}

TEST(MountOptions, CacheMayBeGivenMemory) {
  EXPECT_EQ(ParseMountOptions({})->cache_mib, 256u);
  EXPECT_EQ(ParseMountOptions({"cache-mib=16"})->cache_mib, 16u);
  EXPECT_EQ(ParseMountOptions({"cache-mib=1048576"})->cache_mib, 1'048'576u);
  for (const char* bad : {"cache-mib", "cache-mib=", "cache-mib=15", "cache-mib=1048577",
                          "cache-mib=1G", "cache-mib=-1"}) {
    EXPECT_FALSE(ParseMountOptions({bad}).ok()) << bad;
  }
}

TEST(MountOptions, LogOptionsTakeValues) {
  auto options = ParseMountOptions({"log-level=debug,log-file=/tmp/a.log"});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->log_level, "debug");
  EXPECT_EQ(options->log_file, "/tmp/a.log");
  EXPECT_FALSE(ParseMountOptions({"log-level="}).ok());
}

TEST(MountOptions, UnknownOptionFailsAndListsTheKnown) {
  auto options = ParseMountOptions({"rw,frobnicate"});
  ASSERT_FALSE(options.ok());
  EXPECT_EQ(options.code(), Errno::kEINVAL);
  EXPECT_THAT(options.error().message, HasSubstr("'frobnicate' is unknown"));
  EXPECT_THAT(options.error().message, HasSubstr("nosuid"));
}

TEST(MountOptions, UnknownOptionIsIgnoredOnlyWhenSloppy) {
  EXPECT_TRUE(ParseMountOptions({"frobnicate"}, true).ok());
}

TEST(MountOptions, SecurityOfEfsIsNeverIgnored) {
  for (const char* option : {"tls", "iam", "accesspoint=fsap-1", "awsprofile=x"}) {
    auto options = ParseMountOptions({option}, true);
    ASSERT_FALSE(options.ok()) << option;
    EXPECT_THAT(options.error().message, HasSubstr("not supported yet"));
  }
}

TEST(MountOptions, SwitchWithAValueIsUnknown) {
  EXPECT_FALSE(ParseMountOptions({"ro=1"}).ok());
}

TEST(MountOptions, FlushIsOneOfThree) {
  EXPECT_EQ(ParseMountOptions({"rw"})->flush, cache::FlushOnClose::kClose);
  EXPECT_EQ(ParseMountOptions({"flush=sync"})->flush, cache::FlushOnClose::kSync);
  EXPECT_EQ(ParseMountOptions({"flush=sync,flush=fsync"})->flush, cache::FlushOnClose::kFsync);
  EXPECT_FALSE(ParseMountOptions({"flush=never"}).ok());
  EXPECT_FALSE(ParseMountOptions({"flush"}).ok());
}

}  // namespace
}  // namespace tarn::fuse
