// A walk over everything in a range of a family that goes on behind what cannot be read.
//
// Thread safety: one thread at a time. Lifetime: not beyond the Kv.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server/store/kv.h"

namespace tarn::store {

// Keys after `from` (of at least that key if it is the first of the family) and before `to` that
// cannot be read; `to` empty: to the end. Some in between may be fine.
struct Damage {
  Family family{};
  std::string from;
  std::string to;
  std::string error;
};

// kEachKey: each entry is also asked for by its key, as by whoever needs it. That reads more of the
// tables (their filters) than a walk does; an entry that cannot be had so is a damage.
enum class Probe { kWalkOnly, kEachKey };

class ToughWalk {
 public:
  // Over keys in [lower, upper); `upper` empty: to the end.
  ToughWalk(Kv& kv, Family f, std::string lower, std::string upper,
            Probe probe = Probe::kWalkOnly);

  // To the next entry, or the next stretch that cannot be read. False: the end.
  bool Next();
  // The stretch at which the walk is; null: it is at an entry.
  const Damage* damage() const { return in_damage_ ? &damage_ : nullptr; }
  // REQUIRES: at an entry. Until the next move.
  std::string_view key() const { return it_->key(); }
  std::string_view value() const { return it_->value(); }
  // Goes on at `key` or behind it with the next call of Next. REQUIRES: `key` is not behind us.
  void SkipTo(std::string key) { skip_to_ = std::move(key); }

 private:
  // A new look at the engine, at `key` or behind it: what an iterator of RocksDB says after it has
  // met a damage is not to be trusted.
  void SeekAfresh(const std::string& key);
  void LeaveDamage();
  // The error if the entry at which the iterator is cannot be had by its key.
  Status ProbeEntry();
  // Makes a damage of the entries from here on that cannot be had.
  void CollectUnreachable(const Error& first);

  Kv& kv_;
  const Family family_;
  const Probe probe_;
  const std::string upper_;
  std::unique_ptr<KvIterator> it_;
  std::string last_;     // where the walk has been
  std::string skip_to_;
  bool begun_ = false;
  bool in_damage_ = false;
  bool ended_ = false;   // nothing behind the damage can be read
  Damage damage_;
};

}  // namespace tarn::store
