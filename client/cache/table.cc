#include "client/cache/table.h"

#include <algorithm>
#include <utility>

namespace tarn::cache {
namespace {

constexpr size_t kMaxUnknown = 256;  // names of a directory that is complete but for them

}  // namespace

uint64_t Table::Start() {
  ++in_flight_[clock_];
  return clock_;
}

void Table::End(uint64_t start) {
  auto it = in_flight_.find(start);
  if (it != in_flight_.end() && --it->second == 0) in_flight_.erase(it);
  if (barriers_.size() >= prune_at_) PruneBarriers();
}

// A bar matters only to requests that were under way when it was set.
void Table::PruneBarriers() {
  const uint64_t oldest = in_flight_.empty() ? clock_ : in_flight_.begin()->first;
  pruned_ = oldest;
  absl::erase_if(barriers_, [oldest](const auto& entry) { return entry.second.any <= oldest; });
  prune_at_ = std::max<size_t>(1024, barriers_.size() * 2);
}

bool Table::BarredSince(Ino ino, uint64_t start) const {
  if (start < std::max(all_barred_, pruned_)) return true;
  const auto barred = barriers_.find(ino);
  return barred != barriers_.end() && barred->second.any > start;
}

Table::Learnable Table::Admit(const LeaseNews& news, uint64_t start, const std::vector<Ino>& own) {
  Learnable learnable;
  for (const Grant& grant : news.grants) {
    if (grant.mode < LeaseMode::kShared) continue;
    Lease& lease = leases_[grant.ino];
    const bool newest = grant.sequence >= lease.sequence;
    lease.sequence = std::max(lease.sequence, grant.sequence);
    if (BarredSince(grant.ino, start)) continue;
    if (newest) SetExclusive(lease, grant.mode == LeaseMode::kExclusive);
    const bool is_own = std::find(own.begin(), own.end(), grant.ino) != own.end();
    const auto changing = changing_.find(grant.ino);
    if ((changing == changing_.end() ? 0 : changing->second) > (is_own ? 1u : 0u)) continue;
    learnable.push_back(grant.ino);
  }
  // What has been ours all the time nobody else has changed since.
  for (const Ino ino : own) {
    const auto lease = leases_.find(ino);
    if (lease == leases_.end() || !lease->second.exclusive) continue;
    const bool all_the_time = lease->second.exclusive_at <= start && !BarredSince(ino, start);
    if (all_the_time && changing_.at(ino) == 1) learnable.push_back(ino);
  }
  std::sort(learnable.begin(), learnable.end());
  return learnable;
}

void Table::SetExclusive(Lease& lease, bool exclusive) {
  if (std::exchange(lease.exclusive, exclusive) == exclusive) return;
  lease.exclusive_at = ++clock_;
  lease.uses = 0;
  lease.slice_end_nanos.reset();
}

bool Table::MayWrite(Ino ino) const {
  const auto it = leases_.find(ino);
  return it != leases_.end() && it->second.exclusive;
}

void Table::NoteUse(Ino ino, int64_t now_nanos) {
  if (!MayWrite(ino)) return;
  Lease& lease = leases_.at(ino);
  ++lease.uses;
  BeginSlice(lease, now_nanos);
}

uint64_t Table::Uses(Ino ino) const {
  const auto it = leases_.find(ino);
  return it == leases_.end() ? 0 : it->second.uses;
}

void Table::BeginSlice(Lease& lease, int64_t now_nanos) {
  if (!lease.slice_end_nanos.has_value()) lease.slice_end_nanos = now_nanos + kSliceNanos;
}

bool Table::IsSliceOver(Ino ino, int64_t now_nanos) {
  Lease& lease = leases_.at(ino);
  BeginSlice(lease, now_nanos);
  return *lease.slice_end_nanos <= now_nanos;
}

void Table::EndSlice(Ino ino) {
  if (MayWrite(ino)) leases_.at(ino).slice_end_nanos = 0;
}

bool Table::RecalledSince(Ino ino, uint64_t start) const {
  if (start < all_barred_) return true;
  const auto it = barriers_.find(ino);
  return it != barriers_.end() && it->second.recall > start;
}

void Table::Bar(Ino ino) { barriers_[ino].any = ++clock_; }

void Table::Apply(const Recall& recall) {
  Barrier& barrier = barriers_[recall.ino];
  barrier.any = ++clock_;
  if (!recall.directory && recall.to != LeaseMode::kNone) {
    // What is known stays true; only it is not ours to change any more.
    const auto lease = leases_.find(recall.ino);
    if (lease != leases_.end()) SetExclusive(lease->second, false);
    return;
  }
  barrier.recall = clock_;
  if (recall.to == LeaseMode::kNone) {
    DropAttr(recall.ino);
    Erase(recall.ino);
    leases_.erase(recall.ino);
    return;
  }
  DropAttr(recall.ino);
  for (const std::string& name : recall.names) Doubt(recall.ino, name);
  if (Directory* dir = DirectoryOf(recall.ino)) ForgetListing(*dir);
}

void Table::BeginChange(Ino ino) {
  ++changing_[ino];
  Bar(ino);
  DropAttr(ino);
}

void Table::EndChange(Ino ino) {
  auto it = changing_.find(ino);
  if (it != changing_.end() && --it->second == 0) changing_.erase(it);
  Bar(ino);
  DropAttr(ino);
}

void Table::Doubt(Ino ino, const std::string& name) {
  Directory* dir = DirectoryOf(ino);
  if (dir == nullptr) return;
  if (dir->names.erase(KeyOf(name)) > 0) Discharge(*NodeOf(ino), BytesOfName(name));
  dir->filling = false;
  if (!dir->complete) return;
  dir->unknown.insert(name);
  if (dir->unknown.size() > kMaxUnknown) {
    dir->complete = false;
    dir->unknown.clear();
  }
}

void Table::ForgetListing(Directory& dir) {
  dir.filling = false;
  dir.parent = kNoIno;  // it may be the directory itself that has changed
}

void Table::ForgetParent(Ino ino) {
  if (Directory* dir = DirectoryOf(ino)) dir->parent = kNoIno;
}

void Table::DropAttr(Ino ino) {
  if (ino == kFigures) figures_.reset();
  const auto it = nodes_.find(ino);
  if (it == nodes_.end()) return;
  it->second->has_attr = false;
  DropXattrs(*it->second);
  prefetched_.Drop(ino);
}

void Table::Clear() {
  all_barred_ = ++clock_;
  prefetched_.Clear();
  figures_.reset();
  nodes_.clear();
  bytes_ = 0;
  ages_.clear();
  evicted_.clear();
  leases_.clear();
}

std::optional<LeaseReturn> Table::TakeLease(Ino ino) {
  Bar(ino);
  Erase(ino);
  const auto it = leases_.find(ino);
  if (it == leases_.end()) return std::nullopt;
  const LeaseReturn lease{ino, it->second.sequence};
  leases_.erase(it);
  return lease;
}

Node* Table::MakeNode(Handle handle) {
  Node* node = NodeOf(handle.ino);
  if (node == nullptr) {
    node = nodes_.emplace(handle.ino, std::make_unique<Node>()).first->second.get();
    node->age = ages_.insert(ages_.end(), handle.ino);
    node->handle = handle;
    Charge(*node, kNodeBytes);
  }
  node->handle = handle;
  return node;
}

void Table::Charge(Node& node, size_t bytes) {
  node.bytes += bytes;
  bytes_ += bytes;
  while (bytes_ > max_bytes_ && nodes_.size() > 1) {
    const Ino oldest = ages_.front();
    if (oldest == node.handle.ino) {
      ages_.splice(ages_.end(), ages_, node.age);
      continue;
    }
    evicted_.push_back({oldest, nodes_.at(oldest)->dir != nullptr});
    Erase(oldest);
  }
}

void Table::Discharge(Node& node, size_t bytes) {
  node.bytes -= bytes;
  bytes_ -= bytes;
}

void Table::Erase(Ino ino) {
  const auto it = nodes_.find(ino);
  if (it == nodes_.end()) return;
  bytes_ -= it->second->bytes;
  ages_.erase(it->second->age);
  nodes_.erase(it);
  prefetched_.Drop(ino);
}

std::optional<Bytes> Table::ReadContents(Ino ino, uint64_t offset, uint64_t size) const {
  const auto it = nodes_.find(ino);
  if (it == nodes_.end() || !it->second->has_attr) return std::nullopt;
  return prefetched_.Read(ino, offset, size, it->second->attr.size);
}

Node* Table::Find(Ino ino) {
  const auto it = nodes_.find(ino);
  if (it == nodes_.end()) return nullptr;
  ages_.splice(ages_.end(), ages_, it->second->age);
  return it->second.get();
}

const Node* Table::Peek(Ino ino) const {
  const auto it = nodes_.find(ino);
  return it == nodes_.end() ? nullptr : it->second.get();
}

Node* Table::NodeOf(Ino ino) {
  const auto it = nodes_.find(ino);
  return it == nodes_.end() ? nullptr : it->second.get();
}

Directory* Table::DirectoryOf(Ino ino) {
  Node* node = NodeOf(ino);
  return node == nullptr ? nullptr : node->dir.get();
}

std::optional<Dentry> Table::FindName(const Node& node, std::string_view name) const {
  if (node.dir == nullptr) return std::nullopt;
  const auto it = node.dir->names.find(KeyOf(name));
  if (it != node.dir->names.end()) return it->second;
  if (node.dir->complete && !node.dir->unknown.contains(std::string(name))) return Dentry{};
  return std::nullopt;
}

std::optional<uint64_t> Table::NoteLookup(Ino ino, const std::string& name) {
  const Node* node = NodeOf(ino);
  if (node == nullptr || node->dir == nullptr || node->dir->bare.empty()) return std::nullopt;
  Directory& dir = *node->dir;
  const auto dentry = FindName(*node, name);
  const bool bare = dentry.has_value() && dir.bare.erase(dentry->ino) > 0;
  if (dir.singly > 0) {
    --dir.singly;
    return std::nullopt;
  }
  if (!bare || HasAttr(dentry->ino)) return std::nullopt;
  dir.singly = Directory::kBetween;
  return KeyOf(name).first - 1;
}

bool Table::HasAttr(Ino ino) const {
  const Node* node = Peek(ino);
  return node != nullptr && node->has_attr;
}

bool Table::CanList(const Node& node) const {
  return node.dir != nullptr && node.dir->complete && node.dir->unknown.empty();
}

std::vector<Table::Evicted> Table::TakeEvicted() {
  std::vector<Evicted> evicted = std::exchange(evicted_, {});
  std::erase_if(evicted, [this](const Evicted& one) { return nodes_.contains(one.ino); });
  return evicted;
}

}  // namespace tarn::cache
