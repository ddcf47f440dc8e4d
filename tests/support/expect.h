// Expectations about Results: EXPECT_OK, EXPECT_ERROR(kENOENT, …), ASSERT_OK_AND_ASSIGN.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "common/result.h"

namespace tarn {

// How GoogleTest prints an errno and a Result.
inline void PrintTo(Errno code, std::ostream* out) {
  *out << ErrnoName(code);
}

namespace testing {

template <class T>
::testing::AssertionResult Succeeded(const char* text, const Result<T>& result) {
  if (result.ok()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << text << "\n  is " << ErrnoName(result.code()) << " "
                                       << result.error().message << ", expected success";
}

template <class T>
::testing::AssertionResult FailedWith(const char*, const char* text, Errno expected,
                                      const Result<T>& result) {
  if (result.code() == expected) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << text << "\n  is " << ErrnoName(result.code()) << ", expected " << ErrnoName(expected);
}

}  // namespace testing
}  // namespace tarn

#define EXPECT_OK(expr) \
  EXPECT_PRED_FORMAT1(  \
      [](const char* t, const auto& r) { return ::tarn::testing::Succeeded(t, r); }, expr)
#define ASSERT_OK(expr) \
  ASSERT_PRED_FORMAT1(  \
      [](const char* t, const auto& r) { return ::tarn::testing::Succeeded(t, r); }, expr)
// EXPECT_ERROR(kENOENT, process.Unlink("/x")).
#define EXPECT_ERROR(errno_name, expr)                                                       \
  EXPECT_PRED_FORMAT2([](const char* a, const char* t, ::tarn::Errno e,                      \
                         const auto& r) { return ::tarn::testing::FailedWith(a, t, e, r); }, \
                      ::tarn::Errno::errno_name, expr)
// Declares or assigns `lhs` from a Result; ends the test when it failed.
#define ASSERT_OK_AND_ASSIGN(lhs, expr) \
  ASSERT_OK_AND_ASSIGN_(TARN_CONCAT(expected_result_, __LINE__), lhs, expr)
#define ASSERT_OK_AND_ASSIGN_(tmp, lhs, expr) \
  auto tmp = (expr);                          \
  ASSERT_OK(tmp);                             \
  lhs = std::move(tmp).value()
