// Runs rules on a map in memory, each through every way of meeting a blocked record.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "common/limits.h"
#include "common/posix/rules.h"
#include "tests/support/mem_meta_txn.h"

namespace tarn {

inline void PrintTo(Errno e, std::ostream* os) {
  *os << (e == Errno::kBlocked ? "kBlocked" : ErrnoName(e));
}
inline void PrintTo(FileType type, std::ostream* os) {
  *os << "type " << int{Raw(type)};
}

}  // namespace tarn

namespace tarn::posix {

inline Caller User(Uid uid, std::vector<Gid> groups = {}) {
  Caller caller;
  caller.uid = uid;
  caller.gid = uid;
  caller.groups = std::move(groups);
  return caller;
}
inline const Caller kRoot = User(0);
inline const Caller kAlice = User(1000);
inline const Caller kBob = User(1001);
inline Caller ReadOnly(Caller caller) {
  caller.read_only = true;
  return caller;
}

// The value of a step that has to work.
template <class T>
T Must(Result<T> result) {
  EXPECT_EQ(result.code(), Errno::kOk);
  return result.ok() ? *std::move(result) : T{};
}

// Thread safety: none. Invariants: after every rule the store's own hold (MemMeta::Check).
class RulesFixture : public ::testing::Test {
 protected:
  // Runs `rule` (of a MetaTxn&) until it finishes, a second later than the last one: first with its
  // first read blocked, then with its second, and so on. Each time it must answer kBlocked and
  // leave nothing behind; so must an error.
  template <class Rule>
  auto Run(Rule rule) {
    now.ns += kSecondNanos;
    for (int n = 0;; ++n) {
      const testing::MemMeta before = meta;
      auto result = RunOnce(rule, n);
      if (result.has_value()) {
        EXPECT_TRUE(result->ok() || meta == before) << "an error had an effect";
        EXPECT_EQ(meta.Check(), std::vector<std::string>{});
        return *std::move(result);
      }
      EXPECT_TRUE(meta == before) << "a blocked run had an effect";
    }
  }

  // ---- short forms; names are paths, resolved without permissions ----
  Handle At(const std::string& path) {
    Ino ino = kRootIno;
    std::istringstream in(path);
    for (std::string name; std::getline(in, name, '/');) {
      if (name.empty()) continue;
      testing::MemMetaTxn txn(meta, now);
      auto dentry = txn.GetDentry(ino, name);
      if (!dentry.ok() || !dentry->has_value()) return {};
      ino = (*dentry)->ino;
    }
    return {ino};
  }
  Inode& At(Handle handle) { return meta.inodes.at(handle.ino); }
  Attr AttrOf(const std::string& path) { return At(At(path)).attr; }
  bool Exists(const std::string& path) { return At(path).ino != kNoIno; }
  // Where a name is or is to be.
  struct Place {
    Handle dir;
    std::string name;
  };
  Place Split(const std::string& path) {
    size_t slash = path.rfind('/');
    return {At(path.substr(0, slash)), path.substr(slash + 1)};
  }

  Result<EntryReply> Dir(const std::string& path, uint32_t mode = 0755,
                         const Caller& caller = kRoot) {
    const Place at = Split(path);
    return Run([&](MetaTxn& txn) { return MakeDir(txn, caller, {at.dir, at.name, mode}); });
  }
  Result<CreateReply> File(const std::string& path, uint32_t mode = 0644,
                           const Caller& caller = kRoot) {
    const Place at = Split(path);
    return Run([&](MetaTxn& txn) {
      return Create(txn, caller, {.dir = at.dir, .name = at.name, .mode = mode, .exclusive = true});
    });
  }
  Result<EntryReply> Node(const std::string& path, FileType type, const Caller& caller = kRoot,
                          uint64_t rdev = 0) {
    const Place at = Split(path);
    return Run([&](MetaTxn& txn) {
      return MakeNode(txn, caller, {at.dir, at.name, type, 0644, 0, rdev});
    });
  }
  Result<EntryReply> Sym(const std::string& path, const std::string& target,
                         const Caller& caller = kRoot) {
    const Place at = Split(path);
    return Run([&](MetaTxn& txn) { return SymLink(txn, caller, {at.dir, at.name, target}); });
  }
  Result<EntryReply> Hard(const std::string& from, const std::string& to,
                          const Caller& caller = kRoot) {
    const Place at = Split(to);
    return Run([&](MetaTxn& txn) { return Link(txn, caller, {At(from), at.dir, at.name}); });
  }
  Status Remove(const std::string& path, const Caller& caller = kRoot) {
    const Place at = Split(path);
    return Run([&](MetaTxn& txn) { return Unlink(txn, caller, {at.dir, at.name}); });
  }
  Status RmDir(const std::string& path, const Caller& caller = kRoot) {
    const Place at = Split(path);
    return Run([&](MetaTxn& txn) { return RemoveDir(txn, caller, {at.dir, at.name}); });
  }
  Status Move(const std::string& from, const std::string& to,
              RenameMode mode = RenameMode::kReplace, const Caller& caller = kRoot) {
    const Place old = Split(from);
    const Place at = Split(to);
    return Run([&](MetaTxn& txn) {
      return Rename(txn, caller, {old.dir, old.name, at.dir, at.name, mode});
    });
  }
  Result<AttrReply> Set(const std::string& path, SetAttrArgs args, const Caller& caller = kRoot,
                        OpenAccess held = OpenAccess::kNone) {
    args.inode = At(path);
    return Run([&](MetaTxn& txn) { return SetAttr(txn, caller, args, held); });
  }
  Status Check(const std::string& path, uint32_t mask, const Caller& caller) {
    return Run([&](MetaTxn& txn) { return Access(txn, caller, {At(path), mask}); });
  }
  Status SetX(const std::string& path, const std::string& name, const std::string& value,
              const Caller& caller = kRoot, XattrMode mode = XattrMode::kSet) {
    return Run([&](MetaTxn& txn) { return SetXattr(txn, caller, {At(path), name, value, mode}); });
  }
  Result<GetXattrReply> GetX(const std::string& path, const std::string& name,
                             const Caller& caller = kRoot) {
    return Run([&](MetaTxn& txn) { return GetXattr(txn, caller, {At(path), name}); });
  }
  // Sets attributes behind the rules' back.
  void Own(const std::string& path, Uid uid, Gid gid) {
    At(At(path)).attr.uid = uid;
    At(At(path)).attr.gid = gid;
  }
  void Mode(const std::string& path, uint32_t mode) { At(At(path)).attr.mode = mode; }

  testing::MemMeta meta;
  Timestamp now{1'700'000'000LL * kSecondNanos};

 private:
  template <class Rule>
  auto RunOnce(Rule& rule, int blocked_read)
      -> std::optional<decltype(rule(std::declval<MetaTxn&>()))> {
    testing::MemMetaTxn txn(meta, now);
    txn.BlockReadNumber(blocked_read);
    auto result = rule(txn);
    if (!txn.BlockPending()) {
      EXPECT_EQ(result.code(), Errno::kBlocked);
      return std::nullopt;
    }
    if (result.ok()) txn.Commit();
    return result;
  }
};

}  // namespace tarn::posix
