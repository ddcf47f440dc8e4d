// A caching client of a server in this process.
#pragma once

#include <memory>
#include <string>

#include "client/cache/cached_fs.h"
#include "client/transport/remote_fs.h"
#include "common/limits.h"
#include "common/wait.h"
#include "tests/support/expect.h"

namespace tarn::cache {

struct Client {
  explicit Client(const std::string& address, CacheOptions options = {},
                  Clock& clock = SystemClock()) {
    auto connected =
        transport::RemoteFs::Connect({.server = address, .client_name = "test", .leases = true});
    EXPECT_OK(connected);
    remote = std::move(connected).value();
    fs = std::make_unique<CachedFs>(*remote, clock, options);
  }
  ~Client() { remote->Close(); }

  std::unique_ptr<transport::RemoteFs> remote;
  std::unique_ptr<CachedFs> fs;
};

// Calls as root. What needs the server while it is away fails soon.
template <class V>
Result<typename V::Reply> Call(Client& client, typename V::Args args) {
  Caller caller;
  caller.groups.emplace();
  caller.patience_nanos = kSecondNanos;
  return Wait<V>(*client.fs, caller, std::move(args));
}

}  // namespace tarn::cache
