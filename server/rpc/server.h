// The gRPC server with all its services over a set of file systems.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/limits.h"
#include "common/result.h"
#include "server/ops/local_fs.h"

namespace tarn::rpc {

// Thread safety: safe.
// Lifetime: the file systems outlive it; the destructor stops it.
class Server {
 public:
  // Takes the sessions on record from the file systems' stores and serves at `listen`
  // ("address:port", port 0: any; or "unix:/path"); `timing` is what its clients are told, and what
  // the file systems were made with; `request_bytes` bounds the memory of requests that arrive, and
  // of those under way. Errors: EBUSY (cannot listen), EIO.
  static Result<std::unique_ptr<Server>> Start(const std::string& listen,
                                               const std::vector<ops::LocalFs*>& file_systems,
                                               Clock& clock, const Timing& timing = {},
                                               uint64_t request_bytes = kRequestBytesMax);
  virtual ~Server() = default;

  // That was taken; 0: a unix socket.
  virtual int port() const = 0;
  // Takes nothing new, lets what runs finish within about a second, drops what waits (its clients
  // ask again after reconnecting). Idempotent.
  virtual void Stop() = 0;
};

}  // namespace tarn::rpc
