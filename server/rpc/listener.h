// Takes connections, as long as there are descriptors to spare.
//
// gRPC's own listener never accepts again once accept(2) has failed for want of a descriptor (1.51,
// tcp_server_posix.cc): a flood of connections of a second would make the server deaf until its
// restart. This one leaves some descriptors to the store, whatever comes: connections beyond are
// closed at once, those that are there go on, and who tries again later comes in.
#pragma once

#include <sys/resource.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/result.h"

namespace tarn::rpc {

// Thread safety: one thread at a time; connections are handed over on a thread of its own.
// Lifetime: the destructor stops it; then nothing is handed over any more.
class Listener {
 public:
  // Binds ADDRESS:PORT, [IPv6]:PORT or unix:PATH; a name that means several addresses, to all of
  // them. Errors: EINVAL (not such an address, or it has no meaning), EBUSY (it is taken, or not
  // this machine's), each with the reason.
  static Result<std::unique_ptr<Listener>> Bind(const std::string& address);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Of the first address; 0: a socket in the file system.
  int port() const { return port_; }
  // Begins. `take` owns the descriptor of a connection, which does not block.
  void Start(std::function<void(int)> take);

 private:
  Listener();

  Status BindTo(const std::string& host, const std::string& port);
  Status BindUnix(const std::string& path);
  void Run();
  void TakeFrom(int listening);
  // Without a descriptor for it: takes the connection by the spare one, and closes it.
  void Refuse(int listening);

  std::vector<int> listening_;
  int port_ = 0;
  int wake_ = -1;   // an eventfd
  int spare_ = -1;  // for a connection that is to be closed
  bool refusing_ = false;  // the thread's: said so already
  std::function<void(int)> take_;
  std::thread thread_;
};

// The highest descriptor that a connection may get: a quarter, but at most 1,024, are left to
// files. Descriptors are given out from the lowest, so this counts them.
int LastForConnections(rlim_t limit);

}  // namespace tarn::rpc
