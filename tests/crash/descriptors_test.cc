// The server runs out of descriptors: whoever is connected goes on, whoever comes waits or is told,
// and once there are some again everybody is served, with nothing lost.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "tests/crash/crash.h"

namespace tarn::testing {
namespace {

class DescriptorsTest : public CrashTest {
 protected:
  static constexpr int kConnections = 200;

  void TearDown() override {
    LetGo();
    CrashTest::TearDown();
  }
  // How many descriptors the server may have from now on, beyond those that it has.
  void Limit(rlim_t more) {
    const std::filesystem::directory_iterator open("/proc/" + std::to_string(server().pid()) +
                                                   "/fd");
    rlimit limit{};
    ASSERT_EQ(prlimit(server().pid(), RLIMIT_NOFILE, nullptr, &limit), 0);
    const auto has = static_cast<rlim_t>(std::distance(begin(open), end(open)));
    limit.rlim_cur = std::min(limit.rlim_max, has + more);
    ASSERT_EQ(prlimit(server().pid(), RLIMIT_NOFILE, &limit, nullptr), 0);
  }
  // Connections that say nothing: the kernel makes them, and the server has no descriptor for most.
  void Connect() {
    const std::string address = server().address();
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port =
        htons(static_cast<uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
    for (int i = 0; i < kConnections; ++i) {
      sockets_.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      (void)connect(sockets_.back(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
    }
  }
  void LetGo() {
    for (const int fd : sockets_) close(fd);
    sockets_.clear();
  }

  std::vector<int> sockets_;
};

TEST_F(DescriptorsTest, ServerWithoutAnyServesWhomItHasAndAllOnceThereAreSome) {
  ASSERT_EQ(Write(a() / "kept", "before"), 0);
  Limit(2);
  Connect();
  const auto work = [this]() -> std::string {
    for (int i = 0; i < 200; ++i) {
      const std::string name = "f" + std::to_string(i);
      if (const int error = Write(host(i) / name, name)) return Oops(name, error);
      if (Read(host(i + 1) / name) != name) return name + " reads " + Read(host(i + 1) / name);
    }
    return "";
  };
  MustEnd(work);
  EXPECT_TRUE(server().running());
  Limit(4096);
  LetGo();
  const RealMount late(server().spec());
  EXPECT_EQ(Read(late / "kept"), "before");
  for (int i = 0; i < 200; ++i) {
    const std::string name = "f" + std::to_string(i);
    EXPECT_EQ(Read(late / name), name);
  }
  server().Restart();
  EXPECT_EQ(Read(late / "f199"), "f199");
  ExpectMountsNeverRemade();
}

}  // namespace
}  // namespace tarn::testing
