#include "tests/posix/differential/generator.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>

#include <algorithm>

namespace tarn::differential {
namespace {

constexpr size_t kPreludeEvery = 400;
constexpr size_t kExisting = 60, kDirectories = 12;

// What all steps work in: plain, sticky, setgid, private, and with a default ACL (added below).
constexpr const char* kPrelude[] = {
    "p0 u0 mkdir \"d0\" 0777",        "p0 u0 mkdir \"d1\" 0755",    "p0 u0 chmod \"d0\" 0777",
    "p0 u0 mkdir \"pub\" 01777",      "p0 u0 chmod \"pub\" 01777",  "p0 u0 mkdir \"sgid\" 0777",
    "p0 u0 chown \"sgid\" 1000 2000", "p0 u0 chmod \"sgid\" 02777", "p0 u0 mkdir \"own\" 0700",
    "p0 u0 chown \"own\" 1000 1000",  "p0 u0 mkdir \"acl\" 0777",   "p0 u0 chmod \"acl\" 0777",
};
// user::rwx user:1001:rwx group::r-x group:3000:r-x mask::rwx other::---
constexpr const char* kDefaultAcl =
    "p0 u0 setxattr \"acl\" \"system.posix_acl_default\" \"\\x02\\x00\\x00\\x00"
    "\\x01\\x00\\x07\\x00\\xff\\xff\\xff\\xff\\x02\\x00\\x07\\x00\\xe9\\x03\\x00\\x00"
    "\\x04\\x00\\x05\\x00\\xff\\xff\\xff\\xff\\x08\\x00\\x05\\x00\\xb8\\x0b\\x00\\x00"
    "\\x10\\x00\\x07\\x00\\xff\\xff\\xff\\xff\\x20\\x00\\x00\\x00\\xff\\xff\\xff\\xff\" 0";

}  // namespace

Generator::Generator(uint64_t seed) : random_(seed) {}

// Not std::uniform_int_distribution: its numbers differ between libraries.
uint64_t Generator::Below(uint64_t bound) {
  return random_() % bound;
}

const std::vector<Generator::Choice>& Generator::Choices() {
  using G = Generator;
  static const std::vector<Choice>& choices = *new std::vector<Choice>{
      {Verb::kOpen, 100, &G::FillOpen},
      {Verb::kOpen, 8, &G::FillTmpFile},
      {Verb::kLinkDescriptor, 10, &G::FillNewPath},
      {Verb::kClose, 25, &G::FillDescriptor},
      {Verb::kDup, 8, &G::FillDescriptor},
      {Verb::kRead, 20, &G::FillDescriptor},
      {Verb::kPositionalRead, 25, &G::FillDescriptor},
      {Verb::kVectorRead, 6, &G::FillDescriptor},
      {Verb::kWrite, 40, &G::FillDescriptor},
      {Verb::kPositionalWrite, 50, &G::FillDescriptor},
      {Verb::kVectorWrite, 6, &G::FillDescriptor},
      {Verb::kAppendWrite, 6, &G::FillDescriptor},
      {Verb::kSeek, 25, &G::FillSeek},
      {Verb::kTruncate, 20, &G::FillPath},
      {Verb::kTruncateDescriptor, 20, &G::FillDescriptor},
      {Verb::kAllocate, 15, &G::FillAllocate},
      {Verb::kCopyRange, 12, &G::FillDescriptor},
      {Verb::kSendFile, 6, &G::FillDescriptor},
      {Verb::kMapWrite, 15, &G::FillDescriptor},
      {Verb::kFsync, 4, &G::FillDescriptor},
      {Verb::kFdatasync, 3, &G::FillDescriptor},
      {Verb::kSetFlags, 6, &G::FillDescriptor},
      {Verb::kMakeDir, 40, &G::FillNewPath},
      {Verb::kRemoveDir, 30, &G::FillPath},
      {Verb::kRename, 60, &G::FillTwoPaths},
      {Verb::kLink, 30, &G::FillTwoPaths},
      {Verb::kSymLink, 25, &G::FillSymLink},
      {Verb::kUnlink, 50, &G::FillPath},
      {Verb::kMakeNode, 25, &G::FillMakeNode},
      {Verb::kRemoveTree, 3, &G::FillPath},
      {Verb::kReadLink, 10, &G::FillPath},
      {Verb::kReadDir, 12, &G::FillPath},
      {Verb::kChangeMode, 40, &G::FillPath},
      {Verb::kChangeModeDescriptor, 10, &G::FillDescriptor},
      {Verb::kChangeOwner, 20, &G::FillOwner},
      {Verb::kChangeOwnerLink, 12, &G::FillOwner},
      {Verb::kChangeOwnerDescriptor, 8, &G::FillOwner},
      {Verb::kSetTimes, 20, &G::FillTimes},
      {Verb::kSetTimesDescriptor, 8, &G::FillTimes},
      {Verb::kAccess, 25, &G::FillAccess},
      {Verb::kStat, 10, &G::FillPath},
      {Verb::kStatLink, 10, &G::FillPath},
      {Verb::kStatDescriptor, 6, &G::FillDescriptor},
      {Verb::kSetXattr, 40, &G::FillXattr},
      {Verb::kSetXattrLink, 6, &G::FillXattr},
      {Verb::kSetXattrDescriptor, 10, &G::FillXattr},
      {Verb::kGetXattr, 12, &G::FillXattr},
      {Verb::kListXattr, 10, &G::FillPath},
      {Verb::kRemoveXattr, 15, &G::FillXattr},
      {Verb::kFlock, 15, &G::FillLock},
      {Verb::kSetLock, 25, &G::FillLock},
      {Verb::kGetLock, 12, &G::FillLock},
      {Verb::kSetOfdLock, 15, &G::FillLock},
      {Verb::kGetOfdLock, 8, &G::FillLock},
      {Verb::kUmask, 2, &G::FillPath},
  };
  return choices;
}

void Generator::Learn(const Op& op, int error) {
  const auto add = [](std::vector<std::string>* to, std::string path, size_t most) {
    if (path.empty() || std::find(to->begin(), to->end(), path) != to->end()) return;
    to->push_back(std::move(path));
    // The oldest goes, so that the tree moves on.
    if (to->size() > most) to->erase(to->begin());
  };
  switch (op.verb) {
    case Verb::kOpen:
      if (error == 0) open_[op.process][static_cast<size_t>(op.number[0])] = true;
      break;
    case Verb::kDup:
      if (error == 0) open_[op.process][static_cast<size_t>(op.number[1])] = true;
      return;
    case Verb::kClose:
      open_[op.process][static_cast<size_t>(op.number[0])] = false;
      return;
    case Verb::kUnlink:
    case Verb::kRemoveDir:
    case Verb::kRemoveTree:
      if (error == 0) Forget(op.text[0]);
      return;
    case Verb::kRename:
      if (error == 0 && op.number[0] != RENAME_EXCHANGE) Forget(op.text[0]);
      break;
    default:
      break;
  }
  const std::vector<std::string> paths = op.Paths();
  if (paths.empty()) return;
  if (error == 0) {
    add(&existing_, paths.back(), kExisting);
    if (op.verb == Verb::kMakeDir) add(&directories_, op.text[0] + "/", kDirectories);
  } else if (error == ENOENT) {
    Forget(paths.front());
  }
}

void Generator::Forget(const std::string& path) {
  std::erase(existing_, path);
  std::erase(directories_, path + "/");
}

Op Generator::Next() {
  // Later once more, since they are chmodded, renamed and removed like everything else.
  if (steps_++ % kPreludeEvery == 0) {
    for (const char* line : kPrelude) prelude_.push_back(*ParseOp(line));
    prelude_.push_back(*ParseOp(kDefaultAcl));
    std::reverse(prelude_.begin(), prelude_.end());
  }
  if (!prelude_.empty()) {
    Op op = std::move(prelude_.back());
    prelude_.pop_back();
    return op;
  }
  static const uint64_t total = [] {
    uint64_t sum = 0;
    for (const Choice& choice : Choices()) sum += static_cast<uint64_t>(choice.weight);
    return sum;
  }();
  // Both stay for a while, as processes do.
  if (OneIn(8)) process_ ^= 1;
  if (OneIn(4)) user_ = OneIn(2) ? 0 : static_cast<uint8_t>(Below(Users().size()));
  Op op;
  op.process = process_;
  op.user = user_;
  int64_t at = static_cast<int64_t>(Below(total));
  for (const Choice& choice : Choices()) {
    at -= choice.weight;
    if (at >= 0) continue;
    op.verb = choice.verb;
    (this->*choice.fill)(&op);
    break;
  }
  return op;
}

}  // namespace tarn::differential
