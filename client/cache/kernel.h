// The two seams between the cache and the kernel's end of a mount.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/types.h"

namespace tarn::cache {

// What close(2) waits for: that the server has what was written, that it is durable, or nothing.
enum class FlushOnClose { kClose, kSync, kFsync };

// The kernel's own caches of one mount, for the cache to empty. Implemented by client/fuse.
// Thread safety: safe; never called with a lock held.
class KernelCache {
 public:
  // How a name is dropped. kGentle: may wait for requests of this mount in that directory. kForced:
  // does not, at a price: all names of the mount are looked up again.
  enum class Manner { kGentle, kForced };

  virtual ~KernelCache() = default;
  // Returns when every reply that is being handed over has been.
  virtual void Settle() = 0;
  // Runs `hand_over`, for which Settle waits. It must not wait for anything.
  virtual void RunGated(absl::FunctionRef<void()> hand_over) = 0;
  // The kernel may still name the inode in requests, or is about to be told of it.
  virtual bool Knows(Ino ino) = 0;
  virtual std::vector<Ino> Known() = 0;
  virtual void DropAttr(Ino ino) = 0;  // with ACLs
  // With attributes. Pages that a read under way is to fill are left to it: what it is answered
  // with is new. May still wait for a read that has just begun.
  virtual void DropData(Ino ino) = 0;
  virtual void DropName(Ino dir, const std::string& name, Manner manner) = 0;
  virtual void DropAllNames() = 0;  // never waits
};

// What the kernel's end asks before it lets the kernel keep something. The answer holds until the
// reply has been handed over if both happen between two calls of Settle.
// Thread safety: safe; never waits.
class Freshness {
 public:
  virtual ~Freshness() = default;
  // For how long the kernel may trust what is fresh; 0: not at all.
  virtual double Seconds() const = 0;
  // These attributes are what the lease at hand covers.
  virtual bool IsFresh(const Attr& attr) const = 0;
  // The name leads to that inode (kNoIno: is absent), under a lease.
  virtual bool IsFresh(Ino dir, std::string_view name, Ino child) const = 0;
  // The server's time of day, as far as is known here.
  virtual Timestamp ServerNow() const = 0;
  // The kernel has forgotten the inode.
  virtual void Forget(Ino ino) = 0;
};

}  // namespace tarn::cache
