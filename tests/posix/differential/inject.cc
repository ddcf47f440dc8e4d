#include "tests/posix/differential/inject.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <iterator>

namespace tarn::differential {
namespace {

using Falsify = void (*)(const Op* op, Reply* reply);

bool Is(const Op* op, Verb verb) {
  return op != nullptr && op->verb == verb;
}

void WrongErrno(const Op* op, Reply* reply) {
  if (Is(op, Verb::kRemoveDir) && reply->answer.error == ENOTEMPTY) reply->answer.error = EEXIST;
}
void WrongSuccess(const Op* op, Reply* reply) {
  if (Is(op, Verb::kChangeMode) && reply->answer.error == EPERM) reply->answer = {};
}
void WrongResult(const Op* op, Reply* reply) {
  if (Is(op, Verb::kPositionalWrite) && reply->answer.result > 4096) --reply->answer.result;
}
void WrongData(const Op* op, Reply* reply) {
  if (Is(op, Verb::kPositionalRead) && reply->answer.result > 0) reply->answer.detail += "x";
}
void WrongMode(const Op*, Reply* reply) {
  for (Object& object : reply->objects) {
    if (S_ISREG(object.attributes.mode)) object.attributes.mode &= ~static_cast<uint32_t>(S_ISGID);
  }
}
void WrongOwner(const Op*, Reply* reply) {
  for (Object& object : reply->objects) {
    if (object.attributes.gid == 2000) object.attributes.gid = 1000;
  }
}
void WrongLinks(const Op*, Reply* reply) {
  for (Object& object : reply->objects) {
    if (S_ISREG(object.attributes.mode) && object.attributes.nlink > 1) ++object.attributes.nlink;
  }
}
void WrongSize(const Op*, Reply* reply) {
  for (Object& object : reply->objects) {
    if (S_ISREG(object.attributes.mode) && object.attributes.size > 8192) ++object.attributes.size;
  }
}
void WrongCtime(const Op* op, Reply* reply) {
  if (!Is(op, Verb::kLink) || reply->answer.error != 0) return;
  for (Object& object : reply->objects) object.attributes.ctime = 1'500'000'000'000'000'000;
}
void WrongXattr(const Op*, Reply* reply) {
  for (Object& object : reply->objects) {
    for (auto& [name, value] : object.xattrs) {
      if (name.starts_with("user.") && !value.empty()) value.pop_back();
    }
  }
}
void WrongAcl(const Op*, Reply* reply) {
  for (Object& object : reply->objects) {
    std::erase_if(object.xattrs,
                  [](const auto& xattr) { return xattr.first == "system.posix_acl_default"; });
  }
}
void WrongListing(const Op*, Reply* reply) {
  for (Object& object : reply->objects) {
    std::erase_if(object.listing, [](const std::string& entry) { return entry.size() > 255; });
  }
}
void WrongTarget(const Op*, Reply* reply) {
  for (Object& object : reply->objects) {
    if (object.link_target.size() > 1000) object.link_target.resize(1000);
  }
}
void WrongLock(const Op* op, Reply* reply) {
  if (Is(op, Verb::kGetLock)) reply->answer.detail = "F_UNLCK";
}
void WrongTree(const Op* op, Reply* reply) {
  if (op != nullptr) return;
  for (Object& object : reply->objects) object.content += object.attributes.size > 0 ? 1 : 0;
}
// Two objects for one: as if a hard link were a copy.
void WrongIdentity(const Op* op, Reply* reply) {
  if (!Is(op, Verb::kLink) || reply->answer.error != 0) return;
  for (Object& object : reply->objects) {
    if (object.role == "path 2") ++object.attributes.identity;
  }
}

constexpr struct {
  std::string_view kind;
  Falsify falsify;
} kInjections[] = {
    {"errno", WrongErrno},       {"success", WrongSuccess}, {"result", WrongResult},
    {"data", WrongData},         {"mode", WrongMode},       {"owner", WrongOwner},
    {"nlink", WrongLinks},       {"size", WrongSize},       {"ctime", WrongCtime},
    {"xattr", WrongXattr},       {"acl", WrongAcl},         {"listing", WrongListing},
    {"target", WrongTarget},     {"lock", WrongLock},       {"tree", WrongTree},
    {"identity", WrongIdentity},
};

}  // namespace

std::vector<std::string_view> InjectionKinds() {
  std::vector<std::string_view> kinds;
  for (const auto& injection : kInjections) kinds.push_back(injection.kind);
  return kinds;
}

bool IsInjection(std::string_view kind) {
  return std::any_of(std::begin(kInjections), std::end(kInjections),
                     [&](const auto& injection) { return injection.kind == kind; });
}

void Inject(std::string_view kind, const Op* op, Reply* reply) {
  for (const auto& injection : kInjections) {
    if (injection.kind == kind) injection.falsify(op, reply);
  }
}

}  // namespace tarn::differential
