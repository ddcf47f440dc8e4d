// A whole server in this process: LocalFs on a MemKv behind the real gRPC front on a loopback port.
#pragma once

#include <memory>
#include <string>

#include "common/clock.h"
#include "server/ops/local_fs.h"
#include "server/rpc/server.h"
#include "tests/support/mem_kv.h"

namespace tarn::testing {

// Thread safety: none; clients may run meanwhile. The file system is named "default".
class InProcessServer {
 public:
  explicit InProcessServer(const Timing& timing = {});
  ~InProcessServer();

  // 127.0.0.1 and a port that stays the same over restarts.
  std::string address() const;
  ops::LocalFs& fs() const { return *fs_; }
  MemKv& kv() const { return *kv_; }

  // What a death of the process leaves: the store as it is, nothing in memory.
  void Stop();
  // What a loss of power leaves: of the store, what was synced.
  void LosePower();
  // On what Stop or LosePower left.
  void Start();

 private:
  const Timing timing_;
  std::unique_ptr<MemKv> contents_;  // never used itself: what is opened is made from it
  MemKv* kv_ = nullptr;
  std::unique_ptr<ops::LocalFs> fs_;
  std::unique_ptr<rpc::Server> server_;
  int port_ = 0;
};

}  // namespace tarn::testing
