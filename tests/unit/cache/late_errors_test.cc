#include "client/cache/late_errors.h"

#include <gtest/gtest.h>

namespace tarn::cache {
namespace {

constexpr Ino kFile{7}, kOther{8};

TEST(LateErrorsTest, EachDescriptorThatWasOpenIsToldOnce) {
  LateErrors errors;
  errors.NoteOpen(OpenId{1});
  errors.NoteOpen(OpenId{2});
  EXPECT_EQ(errors.Take(kFile, OpenId{1}), std::nullopt);
  errors.NoteFailure(kFile, Errno::kENOSPC);
  errors.NoteOpen(OpenId{3});
  EXPECT_EQ(errors.Take(kOther, OpenId{1}), std::nullopt);
  EXPECT_EQ(errors.Take(kFile, OpenId{3}), std::nullopt);  // opened since
  EXPECT_EQ(errors.Take(kFile, OpenId{1}), Errno::kENOSPC);
  EXPECT_EQ(errors.Take(kFile, OpenId{1}), std::nullopt);
  EXPECT_EQ(errors.Take(kFile, OpenId{2}), Errno::kENOSPC);
}

TEST(LateErrorsTest, NewFailureIsNewsToAll) {
  LateErrors errors;
  errors.NoteOpen(OpenId{1});
  errors.NoteFailure(kFile, Errno::kENOSPC);
  EXPECT_EQ(errors.Take(kFile, OpenId{1}), Errno::kENOSPC);
  errors.NoteFailure(kFile, Errno::kEIO);
  EXPECT_EQ(errors.Take(kFile, OpenId{1}), Errno::kEIO);
  errors.NoteFailure(kFile, Errno::kEIO);
  errors.Forget(kFile);
  EXPECT_EQ(errors.Take(kFile, OpenId{1}), std::nullopt);
}

}  // namespace
}  // namespace tarn::cache
