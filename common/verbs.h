// Traits of every verb, for what treats them all alike: the service, RemoteFs, metrics, tests.
#pragma once

#include <array>
#include <string_view>

#include "common/filesystem.h"

namespace tarn {

// One empty type per verb: verbs::Rename::Args, ::Reply, kName, kMutates, and Call to run it.
namespace verbs {
#define TARN_DECLARE_VERB(verb, args, reply, mutates)                                      \
  struct verb {                                                                            \
    using Args = args;                                                                     \
    using Reply = reply;                                                                   \
    static constexpr std::string_view kName = #verb;                                       \
    static constexpr bool kMutates = mutates;                                              \
    static void Call(FileSystem& fs, const Caller& caller, Args arguments, Done<Reply> done) { \
      fs.verb(caller, std::move(arguments), std::move(done));                              \
    }                                                                                      \
  };
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB
}  // namespace verbs

// Index of each verb in tables (metrics, kept replies). Stored with kept replies: append only.
enum class Verb : uint8_t {
#define TARN_DECLARE_VERB(verb, args, reply, mutates) k##verb,
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB
};

inline constexpr std::array kVerbNames = {
#define TARN_DECLARE_VERB(verb, args, reply, mutates) std::string_view(#verb),
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB
};

}  // namespace tarn
