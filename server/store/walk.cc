#include "server/store/walk.h"

#include <algorithm>
#include <utility>

namespace tarn::store {
namespace {

// The first 16 bytes of a key as a number: all keys of the schema sort by it, but for the ends of
// long names.
using Place = unsigned __int128;
constexpr size_t kPlaceBytes = sizeof(Place);
constexpr Place kLastPlace = ~Place{0};

Place PlaceOf(std::string_view key) {
  Place place = 0;
  for (size_t i = 0; i < kPlaceBytes; ++i) {
    place = place << 8 | (i < key.size() ? static_cast<unsigned char>(key[i]) : 0);
  }
  return place;
}

// The first key at a place.
std::string KeyAt(Place place) {
  std::string key(kPlaceBytes, '\0');
  for (size_t i = kPlaceBytes; i-- > 0; place >>= 8) key[i] = static_cast<char>(place & 0xff);
  key.erase(key.find_last_not_of('\0') + 1);
  return key;
}

}  // namespace

ToughWalk::ToughWalk(Kv& kv, Family f, std::string lower, std::string upper, Probe probe)
    : kv_(kv),
      family_(f),
      probe_(probe),
      upper_(std::move(upper)),
      it_(kv.Iterate(f, lower, upper_, Tier::kScan)),
      last_(lower),
      skip_to_(std::move(lower)) {}

bool ToughWalk::Next() {
  if (ended_) return in_damage_ = false;
  const bool was_in_damage = std::exchange(in_damage_, false);
  if (!begun_ || skip_to_ > last_) {
    begun_ = true;
    last_ = skip_to_;
    it_->Seek(skip_to_);
  } else if (!was_in_damage && it_->Valid()) {
    it_->Next();
  }
  if (it_->Valid()) {
    last_ = it_->key();
    if (const Status had = ProbeEntry(); !had.ok()) CollectUnreachable(had.error());
    return true;
  }
  const Status status = it_->status();
  if (status.ok()) return false;
  damage_ = {family_, last_, {}, status.error().message};
  LeaveDamage();
  in_damage_ = true;
  return true;
}

void ToughWalk::SeekAfresh(const std::string& key) {
  it_ = kv_.Iterate(family_, "", upper_, Tier::kScan);
  it_->Seek(key);
}

Status ToughWalk::ProbeEntry() {
  if (probe_ == Probe::kWalkOnly) return Ok();
  const auto value = kv_.Get(family_, it_->key(), Tier::kScan);
  if (!value.ok()) return value.error();
  return Ok();
}

void ToughWalk::CollectUnreachable(const Error& first) {
  in_damage_ = true;
  damage_ = {family_, last_, {}, first.message};
  for (it_->Next(); it_->Valid(); it_->Next()) {
    last_ = it_->key();
    if (!ProbeEntry().ok()) continue;
    damage_.to = last_;
    return;
  }
}

// Looks for the end of the damage: in growing steps for any place behind it, then by halves.
void ToughWalk::LeaveDamage() {
  auto readable = [this](Place place) {
    SeekAfresh(KeyAt(place));
    return it_->status().ok();
  };
  Place bad = PlaceOf(last_);
  Place good = kLastPlace;
  for (Place step = 1;; step *= 2) {
    if (step == 0 || step > kLastPlace - bad) {
      if (!readable(kLastPlace)) {
        ended_ = true;
        return;
      }
      good = kLastPlace;
      break;
    }
    if (readable(bad + step)) {
      good = bad + step;
      break;
    }
    bad += step;
  }
  while (good - bad > 1) {
    const Place middle = bad + (good - bad) / 2;
    (readable(middle) ? good : bad) = middle;
  }
  SeekAfresh(KeyAt(good));
  if (!it_->Valid()) return;
  damage_.to = it_->key();
  last_ = it_->key();
}

}  // namespace tarn::store
