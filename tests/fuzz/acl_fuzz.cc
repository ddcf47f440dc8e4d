// Access control lists as setxattr(2) brings them.
#include "common/posix/acl.h"

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tarn;
  using namespace tarn::posix;
  fuzz::Input input(data, size);
  const uint32_t mode = input.Byte() * 8u;
  const uint32_t want = input.Byte() % 8;
  const Result<Acl> parsed = ParseAcl(input.Rest());
  if (!parsed.ok()) return 0;
  const Result<Acl> again = ParseAcl(EncodeAcl(*parsed));
  fuzz::Require(again.ok() && *again == *parsed, "a list stays as it is");
  if (parsed->entries.empty() || !CheckAcl(*parsed).ok()) return 0;
  Acl acl = *parsed;
  fuzz::Require((ModeWithAcl(acl, mode) & ~0777u) == (mode & ~0777u), "only permissions change");
  ChangeMode(acl, mode);
  fuzz::Require(CheckAcl(acl).ok(), "chmod leaves a list that makes sense");
  fuzz::Require((ModeWithAcl(acl, mode) & 0777) == (mode & 0777), "and says what chmod said");
  fuzz::Require((InheritAcl(acl, mode & 0777) & ~mode & 0777) == 0, "a child gets no more");
  fuzz::Require(CheckAcl(acl).ok(), "nor a list without sense");
  Caller caller;
  caller.uid = input.Byte();
  caller.groups = std::vector<Gid>{caller.uid};
  Attr attr;
  attr.mode = ModeWithAcl(*parsed, mode);
  (void)AclGrants(*parsed, attr, caller, want);
  (void)IsMinimal(*parsed);
  return 0;
}
