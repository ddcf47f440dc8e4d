// POSIX access control lists (the withdrawn draft 1003.1e 17, as Linux has it): format and algebra.
//
// An inode's access ACL refines its mode: where one is stored, the mode's group bits are the ACL's
// mask (or, without a mask, its group entry), its owner and other bits the entries of the same
// name. An ACL that says no more than the mode ("minimal") is not stored. A directory's default ACL
// is what its new children start from, in place of the umask.
// Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/filesystem.h"
#include "common/posix/meta_txn.h"

namespace tarn::posix {

// The extended attributes under which ACLs are read and stored.
inline constexpr std::string_view kAccessAclName = "system.posix_acl_access";
inline constexpr std::string_view kDefaultAclName = "system.posix_acl_default";

// Values of Linux's xattr format, stored: never renumber.
enum class AclTag : uint16_t {
  kOwner = 0x01,
  kUser = 0x02,
  kOwningGroup = 0x04,
  kGroup = 0x08,
  kMask = 0x10,
  kOther = 0x20,
};

struct AclEntry {
  AclTag tag = AclTag::kOwner;
  uint16_t permissions = 0;  // 4 read, 2 write, 1 execute
  uint32_t id = UINT32_MAX;  // of kUser and kGroup
  bool operator==(const AclEntry&) const = default;
};

// Entries in the order of the tags.
struct Acl {
  std::vector<AclEntry> entries;
  bool operator==(const Acl&) const = default;
};

// From Linux's format, version 2. An empty value or list is no ACL: no entries. Whether the entries
// make sense is CheckAcl's question. Errors: EINVAL, EOPNOTSUPP (another version).
Result<Acl> ParseAcl(std::string_view value);
std::string EncodeAcl(const Acl& acl);

// Each of owner, owning group and other once, a mask if there are users or groups, in order.
// Errors: EINVAL.
Status CheckAcl(const Acl& acl);

// The functions below REQUIRE an ACL that CheckAcl accepts.

// True if a mode can say the same.
bool IsMinimal(const Acl& acl);
// `mode` with the permission bits that go with `acl`.
uint32_t ModeWithAcl(const Acl& acl, uint32_t mode);
// What chmod to `mode` makes of `acl`.
void ChangeMode(Acl& acl, uint32_t mode);
// Makes of a copy of a directory's default ACL the access ACL of a child asked for with `mode`, and
// returns the child's mode.
uint32_t InheritAcl(Acl& acl, uint32_t mode);
// True if `acl` on an inode with `attr` lets `caller` do all of `want` (4, 2, 1).
bool AclGrants(const Acl& acl, const Attr& attr, const Caller& caller, uint32_t want);

// The ACL stored as `name`; no entries if there is none. Errors: kBlocked, EIO (also if what is
// stored is none).
Result<Acl> LoadAcl(MetaTxn& txn, const Attr& attr, std::string_view name);

}  // namespace tarn::posix
