#include "server/store/damage.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "server/store/keys.h"
#include "server/store/layout.h"
#include "server/store/paths.h"
#include "server/store/records.h"

namespace tarn::store {
namespace {

// How many blocks of one file are tried one by one.
constexpr uint64_t kProbesMax = 65'536;

uint64_t NumberAt(std::string_view key) { return ReadBe64(key.substr(0, 8)).value_or(0); }

class Describer {
 public:
  Describer(Kv& kv, uint32_t block_bytes, const std::vector<Damage>& damages, size_t limit)
      : kv_(kv), layout_(block_bytes), limit_(limit) {
    for (const Damage& damage : damages) {
      switch (damage.family) {
        case Family::kInode: inodes_.push_back(damage); break;
        case Family::kDentry: dentries_.push_back(damage); break;
        case Family::kXattr: xattrs_.push_back(damage); break;
        case Family::kBlock: blocks_.push_back(damage); break;
        default: others_.push_back(damage);
      }
    }
  }

  std::vector<std::string> Run() {
    for (const Damage& damage : others_) {
      Say(fmt::format("{} cannot be read: {}",
                      damage.family == Family::kOrphan    ? "a record of what is to be freed"
                      : damage.family == Family::kSession ? "a record of a client's session"
                                                          : "a record of the file system as such",
                      damage.error));
    }
    if (!inodes_.empty()) LookForInodes();
    if (!dentries_.empty() || !xattrs_.empty() || !blocks_.empty()) LookAtInodes();
    NameAll();
    if (sentences_.empty()) {
      Say(fmt::format("something that belongs to no file cannot be read: {}",
                      (blocks_.empty() ? dentries_.empty() ? xattrs_ : dentries_ : blocks_)
                          .front().error));
    }
    return std::move(sentences_);
  }

 private:
  void Say(std::string sentence) {
    if (sentences_.size() < limit_) sentences_.push_back(std::move(sentence));
  }
  void SayOf(Ino ino, std::string what) {
    if (sentences_.size() + nameless_.size() < limit_) nameless_.emplace_back(ino, std::move(what));
  }

  // Whether `number` may begin a key within one of the damages; `n` is the one.
  static const Damage* Within(const std::vector<Damage>& damages, uint64_t number) {
    auto in = [number](const Damage& damage) {
      return NumberAt(damage.from) <= number &&
             (damage.to.empty() || number <= NumberAt(damage.to));
    };
    const auto it = std::find_if(damages.begin(), damages.end(), in);
    return it == damages.end() ? nullptr : &*it;
  }

  // The names whose inodes are in the damage.
  void LookForInodes() {
    bool named = false;
    ToughWalk walk(kv_, Family::kDentry, "", "");
    while (walk.Next()) {
      if (walk.damage() != nullptr) continue;
      const auto parts = ParseDentryKey(walk.key());
      const auto dentry = DecodeDentry(walk.key(), walk.value());
      if (!parts || !dentry.ok() || !Within(inodes_, Raw(dentry->ino))) continue;
      const auto value = kv_.Get(Family::kInode, InodeKey(dentry->ino), Tier::kScan);
      if (value.ok()) continue;
      named = true;
      const Ino dir{NumberAt(walk.key())};
      Say(fmt::format("{} (inode {}): its inode cannot be read: {}",
                      JoinPath(DirectoryPath(kv_, dir), parts->name), Raw(dentry->ino),
                      value.error().message));
    }
    if (!named) Say(fmt::format("an inode cannot be read: {}", inodes_.front().error));
  }

  void LookAtInodes() {
    ToughWalk walk(kv_, Family::kInode, "", "");
    while (walk.Next()) {
      if (walk.damage() != nullptr || walk.key().size() != 8) continue;
      const Ino ino{NumberAt(walk.key())};
      const auto inode = DecodeInode(ino, walk.value());
      if (!inode.ok()) continue;
      if (inode->data != DataId{} && Within(blocks_, Raw(inode->data))) LookAtBlocks(*inode);
      if (Within(xattrs_, Raw(ino))) {
        LookAtRange(Family::kXattr, ino, "an extended attribute cannot be read");
      }
      if (inode->attr.type == FileType::kDirectory && Within(dentries_, Raw(ino))) {
        LookAtRange(Family::kDentry, ino, "some of its entries cannot be read");
      }
    }
  }

  void LookAtRange(Family family, Ino ino, std::string_view what) {
    const std::string lower = Be64(Raw(ino));
    ToughWalk walk(kv_, family, lower, PrefixEnd(lower), Probe::kEachKey);
    while (walk.Next()) {
      if (walk.damage() == nullptr) continue;
      return SayOf(ino, fmt::format("{}: {}", what, walk.damage()->error));
    }
  }

  // Tries the blocks that are in a damage one by one.
  void LookAtBlocks(const Inode& inode) {
    const uint64_t count = layout_.BlockCount(inode.attr.size);
    uint64_t tried = 0;
    for (const Damage& damage : blocks_) {
      const auto [first, last] = PartOf(damage, inode.data, count);
      uint64_t bad_from = last, bad_to = last;
      std::string error;
      for (uint64_t i = first; i < last && ++tried <= kProbesMax; ++i) {
        const std::string key = BlockKey(inode.data, static_cast<uint32_t>(i));
        const auto value = kv_.Get(Family::kBlock, key, Tier::kScan);
        if (value.ok()) continue;
        if (bad_from == last) bad_from = i;
        bad_to = i + 1;
        error = value.error().message;
      }
      if (bad_from == last) continue;
      const uint64_t start = layout_.StartOf(static_cast<uint32_t>(bad_from));
      const uint64_t end = std::min(inode.attr.size, bad_to * layout_.block_bytes());
      SayOf(inode.attr.ino, fmt::format("not all of its bytes {} to {} can be read: {}", start,
                                        end - 1, error));
    }
  }

  // Which blocks of `data` the damage may contain.
  static std::pair<uint64_t, uint64_t> PartOf(const Damage& damage, DataId data, uint64_t count) {
    uint64_t first = 0, last = count;
    const uint64_t number = Raw(data);
    const std::string_view from = damage.from, to = damage.to;
    if (number < NumberAt(from) || (!to.empty() && number > NumberAt(to))) return {0, 0};
    if (number == NumberAt(from)) first = BlockIndexOf(from).value_or(0);
    if (!to.empty() && number == NumberAt(to)) {
      last = std::min<uint64_t>(last, BlockIndexOf(to).value_or(0));
    }
    return {std::min(first, last), last};
  }

  void NameAll() {
    std::set<Ino> inos;
    for (const auto& [ino, what] : nameless_) inos.insert(ino);
    const auto paths = FindPaths(kv_, inos);
    for (const auto& [ino, what] : nameless_) {
      Say(fmt::format("{}: {}", NameInode(paths, ino), what));
    }
    nameless_.clear();
  }

  Kv& kv_;
  const Layout layout_;
  const size_t limit_;
  std::vector<Damage> inodes_, dentries_, xattrs_, blocks_, others_;
  std::vector<std::pair<Ino, std::string>> nameless_;
  std::vector<std::string> sentences_;
};

}  // namespace

std::vector<std::string> DescribeDamages(Kv& kv, uint32_t block_bytes,
                                         const std::vector<Damage>& damages, size_t limit) {
  if (damages.empty()) return {};
  return Describer(kv, block_bytes, damages, limit).Run();
}

}  // namespace tarn::store
