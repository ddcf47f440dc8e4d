// Pages of an inode that the kernel keeps locked until a request is answered.
#pragma once

#include "client/fuse/bridge.h"
#include "client/fuse/invalidator.h"

namespace tarn::fuse {

// While it lives, whoever empties the kernel passes over them (Invalidator::DropData): he may be
// what the answer waits for.
// Lifetime: goes after the reply, but before the Request, whose bridge it needs.
class BusyPages {
 public:
  using Io = Invalidator::Io;

  BusyPages(FuseBridge& bridge, Io io, Ino ino, uint64_t offset, uint64_t size)
      : bridge_(bridge), io_(io), ino_(ino), offset_(offset), size_(size) {
    bridge_.invalidator().BeginIo(io_, ino_, offset_, size_);
  }
  ~BusyPages() { bridge_.invalidator().EndIo(io_, ino_, offset_, size_); }
  BusyPages(const BusyPages&) = delete;
  BusyPages& operator=(const BusyPages&) = delete;

 private:
  FuseBridge& bridge_;
  const Io io_;
  const Ino ino_;
  const uint64_t offset_, size_;
};

}  // namespace tarn::fuse
