#include "client/cli/spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tarn::cli {
namespace {

using ::testing::HasSubstr;

TEST(MountSpec, NameWithoutPortTakesTheDefault) {
  auto spec = ParseMountSpec("server:/default");
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(*spec, (MountSpec{{"server", kDefaultPort}, "default", ""}));
}

TEST(MountSpec, PortAndDirectoryAreTaken) {
  auto spec = ParseMountSpec("10.0.0.1:99:/fs-1//a/./b/");
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(*spec, (MountSpec{{"10.0.0.1", 99}, "fs-1", "/a/b"}));
}

TEST(MountSpec, BracketsHoldIpv6) {
  auto spec = ParseMountSpec("[fe80::1]:99:/fs");
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->server, (ServerAddress{"fe80::1", 99}));
  EXPECT_EQ(ToString(spec->server), "[fe80::1]:99");
  spec = ParseMountSpec("[::1]:/fs/d");
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->server, (ServerAddress{"::1", kDefaultPort}));
}

TEST(MountSpec, BareIpv6FailsWithTheRemedy) {
  auto spec = ParseMountSpec("fe80::1:/fs");
  ASSERT_FALSE(spec.ok());
  EXPECT_THAT(spec.error().message, HasSubstr("brackets"));
}

TEST(MountSpec, WhatIsNoneFails) {
  for (const char* text : {"", "server", "/default", "server:default", ":/default", "server:/",
                           "server:0:/fs", "server:65536:/fs", "server:x:/fs", "[::1:/fs",
                           "[::1]9:/fs", "server:/fs/../x", "server::/fs", "[[a]:/fs", "a]:/fs",
                           "a/b:/fs", "a b:/fs"}) {
    auto spec = ParseMountSpec(text);
    EXPECT_EQ(spec.code(), Errno::kEINVAL) << text;
    EXPECT_FALSE(spec.ok() || spec.error().message.empty()) << text;
  }
}

TEST(ServerAddress, PortIsOptional) {
  EXPECT_EQ(*ParseServerAddress("a"), (ServerAddress{"a", kDefaultPort}));
  EXPECT_EQ(*ParseServerAddress("a:1"), (ServerAddress{"a", 1}));
  EXPECT_FALSE(ParseServerAddress("a:").ok());
}

}  // namespace
}  // namespace tarn::cli
