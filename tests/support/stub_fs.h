// A FileSystem whose every verb fails with EIO, to override what a test needs.
#pragma once

#include "common/filesystem.h"

namespace tarn::testing {

class StubFs : public FileSystem {
 public:
#define TARN_DECLARE_VERB(verb, args, reply, mutates)                        \
  void verb(const Caller& caller, args arguments, Done<reply> done) override { \
    std::move(done)(Errno::kEIO);                                            \
  }
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB
};

}  // namespace tarn::testing
