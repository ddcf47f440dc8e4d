#include "server/store/fsck.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/store/damage.h"
#include "server/store/fsck_impl.h"
#include "server/store/keys.h"
#include "server/store/sealed_kv.h"
#include "server/store/super.h"

namespace tarn::store {

// ---- findings ----

void Checker::Find(std::string sentence) {
  if (report_.findings.size() + of_inodes_.size() >= options_.findings_max) {
    report_.more = true;
    return;
  }
  report_.findings.push_back(std::move(sentence));
}

void Checker::FindOf(uint64_t ino, std::string what) {
  if (report_.findings.size() + of_inodes_.size() >= options_.findings_max) {
    report_.more = true;
    return;
  }
  of_inodes_.emplace_back(ino, std::move(what));
}

bool Checker::IsDamage(const ToughWalk& walk) {
  if (walk.damage() == nullptr) return false;
  auto same = [&](const Damage& known) {  // families are walked more than once
    return known.family == walk.damage()->family && known.from == walk.damage()->from;
  };
  if (std::none_of(damages_.begin(), damages_.end(), same)) damages_.push_back(*walk.damage());
  return true;
}

bool Checker::Within(const std::vector<Stretch>& stretches, uint64_t number) {
  return std::any_of(stretches.begin(), stretches.end(), [number](const Stretch& stretch) {
    return stretch.first <= number && number <= stretch.second;
  });
}

void Checker::NameFindings() {
  std::set<Ino> inos;
  for (const auto& [ino, what] : of_inodes_) inos.insert(Ino{ino});
  const auto paths = FindPaths(kv_, inos);
  for (const auto& [ino, what] : of_inodes_) {
    report_.findings.push_back(fmt::format("{}: {}", NameInode(paths, Ino{ino}), what));
  }
}

// ---- small families ----

void Checker::CheckGarbage() {
  const std::string lower = GarbageKey(DataId{});
  ToughWalk walk(kv_, Family::kOrphan, lower, PrefixEnd(lower.substr(0, 1)), Probe::kEachKey);
  while (walk.Next()) {
    if (IsDamage(walk)) continue;
    const auto data = ParseGarbageKey(walk.key());
    if (!data) {
      Find(fmt::format("a record of contents to be freed has the key {}", PrintKey(walk.key())));
      continue;
    }
    largest_data_ = std::max(largest_data_, Raw(*data));
    const auto garbage = DecodeGarbage(walk.key(), walk.value());
    if (!garbage.ok()) Find(garbage.error().message);
  }
}

void Checker::CheckSessions() {
  ToughWalk walk(kv_, Family::kSession, "", "", Probe::kEachKey);
  while (walk.Next()) {
    if (IsDamage(walk)) continue;
    Status decoded = Ok();
    if (const auto id = ParseSessionKey(walk.key()); id) {
      if (const auto session = DecodeSession(*id, walk.value()); !session.ok()) {
        decoded = session.error();
      }
    } else if (walk.key().size() == 20) {
      if (const auto reply = DecodeKeptReply(walk.key(), walk.value()); !reply.ok()) {
        decoded = reply.error();
      }
    } else {
      decoded = Error(Errno::kEIO,
                      fmt::format("a session's record has the key {}", PrintKey(walk.key())));
    }
    if (!decoded.ok()) Find(decoded.error().message);
  }
}

void Checker::CheckCounter(const std::string& key, int64_t expected, std::string_view what) {
  const auto value = kv_.Get(Family::kSuper, key, Tier::kScan);
  if (!value.ok()) return Find(fmt::format("the counter of {} cannot be read", what));
  const auto counter = *value ? ReadLe64((*value)->view) : std::optional<int64_t>(0);
  if (counter != expected) {
    Find(fmt::format("the counter of {} says {}, but there are {}", what,
                     counter ? std::to_string(*counter) : "nothing", expected));
  }
}

void Checker::CheckNumber(std::string_view key, uint64_t largest, std::string_view what) {
  const auto value = kv_.Get(Family::kSuper, key, Tier::kScan);
  const auto next = value.ok() && *value ? ReadBe64((*value)->view) : std::nullopt;
  if (!next) return Find(fmt::format("the next {} cannot be read", what));
  if (*next <= largest) {
    Find(fmt::format("the next {} is said to be {}, but {} is in use", what, *next, largest));
  }
}

void Checker::CheckSuper() {
  CheckNumber(kNextInoKey, largest_ino_, "inode number");
  CheckNumber(kNextDataKey, largest_data_, "number of contents");
  const auto open = kv_.Get(Family::kSuper, kOpenKey, Tier::kScan);
  if (!open.ok() || !*open || !DecodeOpenMark((*open)->view).ok()) {
    Find("the record of who had the file system open last cannot be read");
  }
  Usage total;
  for (const auto& [quota, usage] : usage_) {
    total.bytes += usage.bytes;
    total.inodes += usage.inodes;
    if (quota == QuotaId{}) continue;
    const std::string of = fmt::format(" of quota {}", Raw(quota));
    CheckCounter(QuotaCounterKey(kBytesKey, quota), usage.bytes, "bytes" + of);
    CheckCounter(QuotaCounterKey(kInodesKey, quota), usage.inodes, "inodes" + of);
  }
  report_.bytes = static_cast<uint64_t>(total.bytes);
  if (!lost_inodes_.empty()) return;  // who knows how many there are
  CheckCounter(std::string(kBytesKey), total.bytes, "bytes");
  CheckCounter(std::string(kInodesKey), total.inodes, "inodes");
}

FsckReport Checker::Run() {
  CheckNames();
  CheckBlocks();
  CheckGarbage();
  CheckSessions();
  CheckSuper();
  NameFindings();
  for (std::string& sentence :
       DescribeDamages(kv_, identity_.block_bytes, damages_, options_.findings_max)) {
    report_.findings.push_back(std::move(sentence));
  }
  return std::move(report_);
}

Result<FsckReport> Fsck(std::unique_ptr<Kv> engine, const FsckOptions& options) {
  const std::unique_ptr<Kv> sealed = MakeSealedKv(std::move(engine));
  Kv& kv = *sealed;
  ASSIGN_OR_RETURN(const auto format, kv.Get(Family::kSuper, kFormatKey, Tier::kScan));
  if (!format) return Error(Errno::kENOENT, "there is no file system in it");
  RETURN_IF_ERROR(CheckFormat(format->view));
  ASSIGN_OR_RETURN(const auto upgrading, kv.Get(Family::kSuper, kUpgradingKey, Tier::kScan));
  if (upgrading) {
    return Error(Errno::kEINVAL, "its upgrade to this format has not ended: start tarnd first");
  }
  ASSIGN_OR_RETURN(const auto value, kv.Get(Family::kSuper, kIdentityKey, Tier::kScan));
  if (!value) return Error(Errno::kEIO, "corrupt: super has no identity");
  ASSIGN_OR_RETURN(const Identity identity, DecodeIdentity(value->view));
  return Checker(kv, options, identity).Run();
}

}  // namespace tarn::store
