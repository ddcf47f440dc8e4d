// The real thing: tarnd and tarn mounts as processes of their own, as an operator starts them, in a
// temporary directory and on a free port. A test that fails, or dies, leaves nothing behind.
//
// The programs are those that the build made (TARN_TARND and TARN_TARN, set by CMake).
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/lan.h"
#include "tests/support/temp_dir.h"

namespace tarn::testing {

std::string TarndPath();
std::string TarnPath();
// A port of the loopback that nobody uses now.
int FreePort();
// True when this machine and user can mount; else why not is printed.
bool CanMount();
// Everything in a log, for a failure's message.
std::string ReadLog(const std::string& path);

class RealServer {
 public:
  struct Options {
    std::string state_dir;  // "": one of its own
    std::vector<std::string> flags;
    const Lan* lan = nullptr;  // runs on its host 0, not on this machine's loopback; outlives this
  };
  RealServer() : RealServer(Options{}) {}
  explicit RealServer(Options options);

  // Starts it, with faults (common/fault.h), and waits until it accepts connections; one with
  // faults may have died of them before. REQUIRES: not running.
  void Start(const std::string& faults = "");
  // The exit status of one that ends by itself; nullopt: it did not.
  std::optional<int> WaitForEnd() { return process_->Wait(); }
  void KillHard();    // kill -9
  int StopCleanly();  // SIGTERM; its exit status
  void Restart() {
    KillHard();
    Start();
  }
  bool running() { return process_ != nullptr && process_->running(); }
  pid_t pid() const { return process_->pid(); }
  const std::string& state_dir() const { return state_dir_; }
  const std::string& log() const { return log_; }
  std::string address() const { return host_ + ":" + std::to_string(port_); }
  // What a mount names: "127.0.0.1:PORT:/default" and `directory`.
  std::string spec(const std::string& directory = "") const {
    return address() + ":/default" + directory;
  }

 private:
  const TempDir dir_;
  std::string state_dir_;
  std::string log_;
  const std::vector<std::string> flags_;
  const Lan* const lan_;
  const std::string host_;
  const int port_ = FreePort();
  bool Accepts() const;

  std::unique_ptr<ChildProcess> process_;
};

class RealMount {
 public:
  // Mounts `spec` in a directory of its own and waits until it is there. `inside`: what Lan::Inside
  // says of the host that the client runs on.
  explicit RealMount(const std::string& spec, std::vector<std::string> flags = {},
                     const std::string& faults = "", std::vector<std::string> inside = {});
  // Unmounts, by force if need be, and waits for the client's end.
  ~RealMount();

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  // After the client's death: mounts anew at the same place.
  void Remount();
  void KillClient() { client_->Kill(); }  // kill -9: the mount point stays, dead
  pid_t pid() const { return client_->pid(); }
  ChildProcess& client() { return *client_; }
  const std::string& log() const { return log_; }
  bool mounted() const;

 private:
  const TempDir dir_;
  std::string path_;
  std::string log_;
  std::vector<std::string> argv_;
  std::unique_ptr<ChildProcess> client_;

  void Start();
};

}  // namespace tarn::testing
