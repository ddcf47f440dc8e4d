// One of the two sides: a fresh directory, and the processes that work in it.
#pragma once

#include <sys/types.h>

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/posix/differential/op.h"
#include "tests/posix/differential/reply.h"

namespace tarn::differential {

// Thread safety: none.
// Errors: nullopt from Receive… when a worker died or did not answer in time.
// Lifetime: the destructor ends the workers and removes the directory.
class Side {
 public:
  // Makes the directory below `base`.
  Side(std::string base, std::string_view injection);
  ~Side();
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  // False if the directory or the workers could not be made; errno says why.
  bool Start();

  void SendSteps(int process, std::span<const Op> ops);
  std::optional<std::vector<Reply>> ReceiveSteps(int process, size_t count);
  void SendTree();
  std::optional<Reply> ReceiveTree();

 private:
  struct Peer {
    pid_t pid = -1;
    int socket = -1;
  };

  const std::string base_;
  const std::string_view injection_;
  std::string directory_;
  std::array<Peer, kProcesses> peers_;
};

}  // namespace tarn::differential
