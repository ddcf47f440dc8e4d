#include "common/errno.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "common/result.h"
#include "common/types.h"

namespace tarn {
namespace {

TEST(ErrnoTest, ValuesAreLinuxsOwn) {
  EXPECT_EQ(Raw(Errno::kENOENT), ENOENT);
  EXPECT_EQ(Raw(Errno::kENAMETOOLONG), ENAMETOOLONG);
  EXPECT_EQ(Raw(Errno::kESTALE), ESTALE);
  EXPECT_EQ(Raw(Errno::kEDQUOT), EDQUOT);
  EXPECT_EQ(Raw(Errno::kEOPNOTSUPP), EOPNOTSUPP);
}

TEST(ErrnoTest, EveryKnownValueGoesThereAndBackUnderItsName) {
  int known = 0;
  for (int value = 1; value < 200; ++value) {
    if (!IsValidErrno(value)) continue;
    ++known;
    const auto code = static_cast<Errno>(value);
    EXPECT_EQ(ToSystem(code), value);
    EXPECT_EQ(FromSystem(value), code);
    EXPECT_EQ(ErrnoName(code), strerrorname_np(value));
  }
  EXPECT_GT(known, 35);
}

TEST(ErrnoTest, UnknownSystemNumberBecomesEIO) {
  EXPECT_EQ(FromSystem(EXFULL), Errno::kEIO);
}

TEST(ErrnoTest, BlockedIsNoAnswer) {
  EXPECT_FALSE(IsValidErrno(Raw(Errno::kBlocked)));
  EXPECT_TRUE(IsValidErrno(0));
  EXPECT_FALSE(IsValidErrno(9999));
}

Result<int> Half(int n) {
  if (n % 2 != 0) return Error(Errno::kEINVAL, "odd");
  return n / 2;
}

Result<int> Quarter(int n) {
  ASSIGN_OR_RETURN(const int half, Half(n));
  RETURN_IF_ERROR(Half(half));
  return Half(half);
}

TEST(ResultTest, ErrorsClimbAndValuesPass) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(8).code(), Errno::kOk);
  EXPECT_EQ(Quarter(6).code(), Errno::kEINVAL);
  EXPECT_EQ(Quarter(7).error().message, "odd");
}

}  // namespace
}  // namespace tarn
