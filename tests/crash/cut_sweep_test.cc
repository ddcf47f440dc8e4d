// Connections that break after their first byte, their second, their third …, in either direction:
// wherever it happens, every operation ends well and is done once.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>

#include "tests/crash/crash.h"
#include "tests/support/relay.h"

namespace tarn::testing {
namespace {

// Connections of a client: session, metadata, and two for contents.
constexpr int kConnections = 4;

class CutSweepTest : public ClusterTest {
 protected:
  // A chain of which each link fails if an earlier one was lost or done twice. "": all went well.
  std::string Chain(const RealMount& mount, const std::string& name) {
    const std::string made = mount / (name + ".d"), moved = mount / (name + ".e");
    if (mkdir(made.c_str(), 0755) != 0) return Oops("mkdir", errno);
    if (rename(made.c_str(), moved.c_str()) != 0) return Oops("rename", errno);
    const Fd file(mount / name, O_CREAT | O_EXCL | O_WRONLY);
    if (!file.ok()) return Oops("create", errno);
    if (const int error = file.Lock(false); error != 0) return Oops("lock", error);
    if (const int error = file.WriteAt(name, 0); error != 0) return Oops("write", error);
    if (const int error = Append(mount / "log", Record(name)); error != 0) {
      return Oops("append", error);
    }
    if (rmdir(moved.c_str()) != 0) return Oops("rmdir", errno);
    log_ += Record(name);
    return "";
  }
  static std::string Record(const std::string& name) { return name + "\n"; }

  // One cut: all connections are remade, and the first of each breaks after so many bytes.
  void Cut(const RealMount& mount, Relay& relay, int64_t to_server, int64_t to_client) {
    const std::string name = "f" + std::to_string(to_server) + "_" + std::to_string(to_client);
    SCOPED_TRACE(name);
    relay.BreakNext(kConnections, to_server, to_client);
    relay.Cut();
    EXPECT_EQ(Chain(mount, name), "");
    relay.BreakNext(0, -1, -1);
    EXPECT_EQ(Read(b() / name), name);
  }

  std::string log_;
};

TEST_F(CutSweepTest, EveryByteOfAConnectionMayBeItsLast) {
  // Beyond this many bytes a connection has said its Hello and answered more than one call.
  const int64_t bytes = 3000;
  const int64_t step = IsTestLong() ? 1 : 61;  // a prime: every place within frames comes up
  Relay relay(server().address());
  const RealMount mount(relay.address() + ":/default");
  int cuts = 0;
  for (int64_t at = 0; at < bytes && !HasFailure(); at += step) {
    Cut(mount, relay, at, -1);
    Cut(mount, relay, -1, at);
    cuts += 2;
  }
  EXPECT_EQ(Read(b() / "log"), log_);
  EXPECT_EQ(List(b().path()).size(), static_cast<size_t>(cuts) + 1);
  std::printf("%d cuts\n", cuts);
}

}  // namespace
}  // namespace tarn::testing
