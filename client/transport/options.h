// What a mount asks of a server, and what it is told.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "common/filesystem.h"
#include "common/limits.h"
#include "common/siphash.h"

namespace tarn::transport {

struct ConnectOptions {
  std::string server;                   // host, host:port, [v6]:port or unix:/path
  std::string file_system = "default";  // name or id
  std::string directory;                // in it; empty: its root
  bool read_only = false;
  std::string client_name;  // host and mount point, for people
  int64_t connect_timeout_nanos = 10 * kSecondNanos;
  // A session of this client's that is dead, as on_session was told of it: dropped at the server at
  // once, with all that it holds. Empty: none.
  std::string replaced_session;
  // Told of the session, opaque bytes, whenever there is another one; empty: it was closed. Blocks
  // whoever connects. Null: nobody.
  std::function<void(const std::string&)> on_session;
  bool leases = false;  // whoever calls holds leases: RemoteFs::SetLeaseHolder
};

// Who caches what the server's replies grant. Called on the transport's threads with no lock held.
// Thread safety: safe.
class LeaseHolder {
 public:
  virtual ~LeaseHolder() = default;
  // The server wants something back: RemoteFs::AnswerRecall(event) once nobody can see it any more.
  // May come twice. Must not block.
  virtual void OnRecall(uint64_t event, Recall recall) = 0;
  // No lease is held any more: when this returns, nothing cached is used any longer. `reclaim`: the
  // server has lost what it knew, and is told of our opens next, and of what was written under an
  // exclusive lease: RemoteFs::HoldOpen, HoldWritten. May block, but not for an answer of the
  // server.
  virtual void OnLeasesLost(bool reclaim) = 0;
};

struct SessionInfo {
  EntryReply root;
  SipKey hash_key;  // of directory entry names
  uint32_t block_bytes = 0;
  std::string file_system_id;
  bool read_only = false;
  bool leases = false;  // asked for, and given
};

}  // namespace tarn::transport
