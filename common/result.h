// Result<T>: a value or an Error. The only way a failure is reported inside Tarn.
//
// An Error is an errno with a sentence for the log; the errno is the answer, the sentence is for
// people. Exceptions do not leave a function of ours; they are caught at the borders of libraries.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "common/errno.h"

namespace tarn {

struct [[nodiscard]] Error {
  Errno code = Errno::kEIO;
  std::string message;  // may be empty; never needed to decide anything

  Error(Errno c) : code(c) {}  // NOLINT: implicit, so that `return Errno::kENOENT;` reads well
  Error(Errno c, std::string m) : code(c), message(std::move(m)) {}
  bool operator==(const Error& other) const { return code == other.code; }
};

template <class T>
class [[nodiscard]] Result {
 public:
  using Value = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}       // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}   // NOLINT: implicit
  Result(Errno code) : state_(std::in_place_index<1>, Error(code)) {}         // NOLINT: implicit

  bool ok() const { return state_.index() == 0; }
  // REQUIRES: ok().
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  // REQUIRES: !ok().
  const Error& error() const { return std::get<1>(state_); }
  // kOk when ok().
  Errno code() const { return ok() ? Errno::kOk : error().code; }

 private:
  std::variant<T, Error> state_;
};

// Nothing to return but success. `return Ok();`
struct Unit {
  bool operator==(const Unit&) const = default;
};
using Status = Result<Unit>;
inline Status Ok() { return Unit{}; }

#define TARN_CONCAT_(a, b) a##b
#define TARN_CONCAT(a, b) TARN_CONCAT_(a, b)

// Returns the error of `expr` (a Result) from the enclosing function, if it has one.
#define RETURN_IF_ERROR(expr)                                    \
  do {                                                           \
    if (auto tarn_result = (expr); !tarn_result.ok()) return tarn_result.error(); \
  } while (false)

// Declares or assigns `lhs` from `expr`, or returns its error from the enclosing function.
#define ASSIGN_OR_RETURN(lhs, expr) \
  ASSIGN_OR_RETURN_IMPL_(TARN_CONCAT(tarn_result_, __LINE__), lhs, expr)
#define ASSIGN_OR_RETURN_IMPL_(tmp, lhs, expr) \
  auto tmp = (expr);                           \
  if (!tmp.ok()) return tmp.error();           \
  lhs = std::move(tmp).value()

}  // namespace tarn
