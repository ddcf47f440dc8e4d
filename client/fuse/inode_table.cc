#include "client/fuse/inode_table.h"

#include <algorithm>

#include "common/clock.h"
#include "common/limits.h"

namespace tarn::fuse {
namespace {

// A table below this never gives memory back.
constexpr size_t kKeptCapacity = 1024;

constexpr int64_t kContendedNanos = kSecondNanos;

}  // namespace

NodeId InodeTable::Remember(Handle handle) {
  if (handle.ino == root_.ino) return kRootNode;
  Shard& shard = ShardOf(handle.ino);
  MutexLock lock(&shard.mu);
  Entry& entry = shard.entries[handle.ino];
  entry.tag = handle.tag;
  ++entry.lookups;
  return NodeId{Raw(handle.ino)};
}

void InodeTable::Forget(NodeId node, uint64_t lookups, absl::FunctionRef<void(Ino)> gone) {
  if (node == kRootNode) return;
  Shard& shard = ShardOf(InoOf(node));
  MutexLock lock(&shard.mu);
  auto it = shard.entries.find(InoOf(node));
  if (it == shard.entries.end()) return;
  if (it->second.lookups > lookups) {
    it->second.lookups -= lookups;
    return;
  }
  shard.entries.erase(it);
  gone(InoOf(node));
  // Erasing leaves the table as large as it ever was; a walk of the whole tree must not.
  size_t capacity = shard.entries.capacity();
  if (capacity > kKeptCapacity && shard.entries.size() < capacity / 8) shard.entries.rehash(0);
}

Handle InodeTable::HandleOf(NodeId node) const {
  if (node == kRootNode) return root_;
  Ino ino = InoOf(node);
  const Shard& shard = ShardOf(ino);
  MutexLock lock(&shard.mu);
  auto it = shard.entries.find(ino);
  return {ino, it == shard.entries.end() ? 0 : it->second.tag};
}

bool InodeTable::Knows(Ino ino) const {
  if (ino == root_.ino) return true;
  const Shard& shard = ShardOf(ino);
  MutexLock lock(&shard.mu);
  return shard.entries.contains(ino);
}

std::vector<Ino> InodeTable::Known() const {
  std::vector<Ino> known{root_.ino};
  for (const Shard& shard : shards_) {
    MutexLock lock(&shard.mu);
    for (const auto& [ino, entry] : shard.entries) known.push_back(ino);
  }
  return known;
}

void InodeTable::NotePages(Ino ino) {
  Shard& shard = ShardOf(ino);
  MutexLock lock(&shard.mu);
  const auto it = shard.entries.find(ino);
  if (it != shard.entries.end()) it->second.pages = true;
}

bool InodeTable::MayHavePages(Ino ino) const {
  const Shard& shard = ShardOf(ino);
  MutexLock lock(&shard.mu);
  const auto it = shard.entries.find(ino);
  return it != shard.entries.end() && it->second.pages;
}

void InodeTable::AddWriter(Ino ino) {
  Shard& shard = ShardOf(ino);
  MutexLock lock(&shard.mu);
  const auto it = shard.entries.find(ino);
  if (it != shard.entries.end()) ++it->second.writers;
}

void InodeTable::RemoveWriter(Ino ino) {
  Shard& shard = ShardOf(ino);
  MutexLock lock(&shard.mu);
  const auto it = shard.entries.find(ino);
  if (it != shard.entries.end() && it->second.writers > 0) --it->second.writers;
}

void InodeTable::NoteContended(Ino ino) {
  Shard& shard = ShardOf(ino);
  MutexLock lock(&shard.mu);
  const auto it = shard.entries.find(ino);
  if (it != shard.entries.end() && it->second.pages) {
    it->second.contended_nanos = SystemClock().BootNanos();
  }
}

bool InodeTable::IsContended(Ino ino) const {
  const Shard& shard = ShardOf(ino);
  MutexLock lock(&shard.mu);
  const auto it = shard.entries.find(ino);
  if (it == shard.entries.end()) return false;
  if (it->second.writers > 0) return true;
  if (it->second.contended_nanos == 0) return false;
  return SystemClock().BootNanos() - it->second.contended_nanos < kContendedNanos;
}

std::optional<uint64_t> InodeTable::GrowsFrom(const Attr& attr, bool relies_on_it) const {
  const Shard& shard = ShardOf(attr.ino);
  MutexLock lock(&shard.mu);
  const auto it = shard.entries.find(attr.ino);
  if (it == shard.entries.end()) return std::nullopt;
  const Entry& entry = it->second;
  const bool matters = entry.pages || relies_on_it;
  if (!matters || attr.size <= entry.size_floor.value_or(attr.size)) return std::nullopt;
  return entry.size_floor;
}

void InodeTable::TellSize(const Attr& attr) {
  Shard& shard = ShardOf(attr.ino);
  MutexLock lock(&shard.mu);
  const auto it = shard.entries.find(attr.ino);
  if (it == shard.entries.end()) return;
  Entry& entry = it->second;
  entry.size_floor = std::min(entry.size_floor.value_or(attr.size), attr.size);
  entry.version = std::max(entry.version, attr.version);
}

bool InodeTable::HasToldNewer(const Attr& attr) const {
  const Shard& shard = ShardOf(attr.ino);
  MutexLock lock(&shard.mu);
  const auto it = shard.entries.find(attr.ino);
  return it != shard.entries.end() && it->second.version > attr.version;
}

void InodeTable::TellEnd(Ino ino, uint64_t end) {
  Shard& shard = ShardOf(ino);
  MutexLock lock(&shard.mu);
  const auto it = shard.entries.find(ino);
  if (it == shard.entries.end() || !it->second.size_floor.has_value()) return;
  it->second.size_floor = std::min(*it->second.size_floor, end);
}

void InodeTable::NoteGrown(Ino ino, uint64_t size) {
  Shard& shard = ShardOf(ino);
  MutexLock lock(&shard.mu);
  const auto it = shard.entries.find(ino);
  if (it == shard.entries.end()) return;
  Entry& entry = it->second;
  entry.size_floor = std::max(entry.size_floor.value_or(size), size);
}

uint64_t InodeTable::SizeFloor(Ino ino) const {
  const Shard& shard = ShardOf(ino);
  MutexLock lock(&shard.mu);
  const auto it = shard.entries.find(ino);
  return it == shard.entries.end() ? 0 : it->second.size_floor.value_or(0);
}

size_t InodeTable::size() const {
  size_t sum = 0;
  for (const Shard& shard : shards_) {
    MutexLock lock(&shard.mu);
    sum += shard.entries.size();
  }
  return sum;
}

size_t InodeTable::capacity() const {
  size_t sum = 0;
  for (const Shard& shard : shards_) {
    MutexLock lock(&shard.mu);
    sum += shard.entries.capacity();
  }
  return sum;
}

}  // namespace tarn::fuse
