// What people write: the thing to mount, and the options.
#include "client/cli/spec.h"
#include "client/fuse/options.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tarn;
  fuzz::Input input(data, size);
  const uint8_t kind = input.Byte();
  const std::string_view text = input.Rest();
  if (kind % 3 == 0) {
    if (const auto spec = cli::ParseMountSpec(text); spec.ok()) {
      fuzz::Require(!spec->file_system.empty() && !spec->server.host.empty(), "a spec is whole");
      const auto again = cli::ParseMountSpec(ToString(spec->server) + ":/" + spec->file_system +
                                             spec->directory);
      fuzz::Require(again.ok() && *again == *spec, "a spec that is printed is the same");
    }
  } else if (kind % 3 == 1) {
    if (const auto address = cli::ParseServerAddress(text); address.ok()) {
      const auto again = cli::ParseServerAddress(ToString(*address));
      fuzz::Require(again.ok() && *again == *address, "an address that is printed is the same");
    }
  } else {
    const auto options = fuse::ParseMountOptions({std::string(text)}, (kind & 4) != 0);
    if (options.ok()) (void)fuse::MountFlags(*options);
  }
  return 0;
}
