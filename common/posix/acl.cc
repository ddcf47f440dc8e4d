#include "common/posix/acl.h"

#include <algorithm>

#include "common/posix/permissions.h"

namespace tarn::posix {
namespace {

// Linux's struct posix_acl_xattr_header and _entry, little endian.
constexpr uint32_t kVersion = 2;
constexpr size_t kHeaderBytes = 4;
constexpr size_t kEntryBytes = 8;

uint32_t Get(std::string_view in, size_t at, int bytes) {
  uint32_t v = 0;
  for (int i = bytes - 1; i >= 0; --i) v = v << 8 | static_cast<unsigned char>(in[at + i]);
  return v;
}

void Put(std::string& out, uint32_t v, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(v >> (8 * i)));
}

bool HasId(AclTag tag) {
  return tag == AclTag::kUser || tag == AclTag::kGroup;
}

const AclEntry* Find(const Acl& acl, AclTag tag) {
  auto has_tag = [tag](const AclEntry& entry) { return entry.tag == tag; };
  auto found = std::find_if(acl.entries.begin(), acl.entries.end(), has_tag);
  return found == acl.entries.end() ? nullptr : &*found;
}

uint16_t& Permissions(Acl& acl, AclTag tag) {
  auto has_tag = [tag](const AclEntry& entry) { return entry.tag == tag; };
  return std::find_if(acl.entries.begin(), acl.entries.end(), has_tag)->permissions;
}

// The entry that the mode's group bits show.
AclTag GroupClass(const Acl& acl) {
  return Find(acl, AclTag::kMask) != nullptr ? AclTag::kMask : AclTag::kOwningGroup;
}

}  // namespace

Result<Acl> ParseAcl(std::string_view value) {
  Acl acl;
  if (value.empty()) return acl;
  if (value.size() < kHeaderBytes) return Errno::kEINVAL;
  if (Get(value, 0, 4) != kVersion) return Errno::kEOPNOTSUPP;
  if ((value.size() - kHeaderBytes) % kEntryBytes != 0) return Errno::kEINVAL;
  for (size_t at = kHeaderBytes; at < value.size(); at += kEntryBytes) {
    AclEntry entry;
    entry.tag = static_cast<AclTag>(Get(value, at, 2));
    switch (entry.tag) {
      case AclTag::kOwner:
      case AclTag::kUser:
      case AclTag::kOwningGroup:
      case AclTag::kGroup:
      case AclTag::kMask:
      case AclTag::kOther:
        break;
      default:
        return Errno::kEINVAL;
    }
    entry.permissions = static_cast<uint16_t>(Get(value, at + 2, 2));
    if (HasId(entry.tag)) entry.id = Get(value, at + 4, 4);
    acl.entries.push_back(entry);
  }
  return acl;
}

std::string EncodeAcl(const Acl& acl) {
  std::string out;
  out.reserve(kHeaderBytes + kEntryBytes * acl.entries.size());
  Put(out, kVersion, 4);
  for (const AclEntry& entry : acl.entries) {
    Put(out, Raw(entry.tag), 2);
    Put(out, entry.permissions, 2);
    Put(out, entry.id, 4);
  }
  return out;
}

Status CheckAcl(const Acl& acl) {
  // How often each tag occurred; tags must not descend.
  int owners = 0, owning_groups = 0, masks = 0, others = 0, named = 0;
  uint16_t last = 0;
  for (const AclEntry& entry : acl.entries) {
    if (entry.permissions > 7) return Errno::kEINVAL;
    if (HasId(entry.tag) && entry.id == UINT32_MAX) return Errno::kEINVAL;
    if (Raw(entry.tag) < last) return Errno::kEINVAL;
    last = Raw(entry.tag);
    owners += entry.tag == AclTag::kOwner;
    owning_groups += entry.tag == AclTag::kOwningGroup;
    masks += entry.tag == AclTag::kMask;
    others += entry.tag == AclTag::kOther;
    named += HasId(entry.tag);
  }
  bool complete = owners == 1 && owning_groups == 1 && others == 1;
  if (!complete || masks > 1 || (named > 0 && masks == 0)) return Errno::kEINVAL;
  return Ok();
}

bool IsMinimal(const Acl& acl) {
  return acl.entries.size() == 3;
}

uint32_t ModeWithAcl(const Acl& acl, uint32_t mode) {
  return (mode & ~0777u) | Find(acl, AclTag::kOwner)->permissions << 6 |
         Find(acl, GroupClass(acl))->permissions << 3 | Find(acl, AclTag::kOther)->permissions;
}

void ChangeMode(Acl& acl, uint32_t mode) {
  Permissions(acl, AclTag::kOwner) = mode >> 6 & 7;
  Permissions(acl, GroupClass(acl)) = mode >> 3 & 7;
  Permissions(acl, AclTag::kOther) = mode & 7;
}

uint32_t InheritAcl(Acl& acl, uint32_t mode) {
  Permissions(acl, AclTag::kOwner) &= mode >> 6 & 7;
  Permissions(acl, GroupClass(acl)) &= mode >> 3 & 7;
  Permissions(acl, AclTag::kOther) &= mode & 7;
  return ModeWithAcl(acl, mode);
}

bool AclGrants(const Acl& acl, const Attr& attr, const Caller& caller, uint32_t want) {
  const AclEntry* mask = Find(acl, AclTag::kMask);
  uint32_t limit = mask != nullptr ? mask->permissions : 7;
  bool group_found = false;
  for (const AclEntry& entry : acl.entries) {
    bool enough = (entry.permissions & want) == want;
    switch (entry.tag) {
      case AclTag::kOwner:
        if (caller.uid == attr.uid) return enough;
        break;
      case AclTag::kUser:
        if (caller.uid == entry.id) return (entry.permissions & limit & want) == want;
        break;
      case AclTag::kOwningGroup:
      case AclTag::kGroup:
        // Any one group that is enough decides; being in one that is not bars from "other".
        if (!InGroup(caller, entry.tag == AclTag::kGroup ? entry.id : attr.gid)) break;
        group_found = true;
        if (enough) return (limit & want) == want;
        break;
      case AclTag::kMask:
        break;
      case AclTag::kOther:
        return !group_found && enough;
    }
  }
  return false;
}

Result<Acl> LoadAcl(MetaTxn& txn, const Attr& attr, std::string_view name) {
  if (attr.no_xattrs) return Acl{};
  ASSIGN_OR_RETURN(std::optional<std::string> value, txn.GetXattr(attr.ino, name));
  if (!value.has_value()) return Acl{};
  Result<Acl> acl = ParseAcl(*value);
  if (!acl.ok() || !CheckAcl(*acl).ok()) return Error(Errno::kEIO, "stored ACL is malformed");
  return acl;
}

}  // namespace tarn::posix
