#include "server/rpc/listener.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>

#include "tests/support/eventually.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

namespace tarn::rpc {
namespace {

class ListenerTest : public ::testing::Test {
 protected:
  ~ListenerTest() override {
    listener_.reset();
    if (client_ >= 0) close(client_);
  }
  void Listen(const std::string& address) {
    auto bound = Listener::Bind(address);
    ASSERT_OK(bound);
    listener_ = *std::move(bound);
    listener_->Start([this](int fd) {
      ++taken_;
      close(fd);
    });
  }
  template <class Address>
  bool Connects(const Address& to) {
    const auto& address = reinterpret_cast<const sockaddr&>(to);
    client_ = socket(address.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(client_, &address, sizeof to) == 0;
  }
  sockaddr_in Loopback() const {
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(listener_->port()));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return to;
  }

  std::unique_ptr<Listener> listener_;
  std::atomic<int> taken_{0};
  int client_ = -1;
};

TEST_F(ListenerTest, HandsOverWhatComes) {
  Listen("127.0.0.1:0");
  EXPECT_GT(listener_->port(), 0);
  ASSERT_TRUE(Connects(Loopback()));
  EXPECT_TRUE(testing::Eventually([this] { return taken_ == 1; }));
}

TEST_F(ListenerTest, NameIsEachOfItsAddressesOnOnePort) {
  Listen("localhost:0");
  ASSERT_TRUE(Connects(Loopback()));
  EXPECT_TRUE(testing::Eventually([this] { return taken_ == 1; }));
}

TEST_F(ListenerTest, SocketInTheFileSystemReplacesAStaleOne) {
  const testing::TempDir dir;
  const std::string path = dir / "socket";
  for (int i = 1; i <= 2; ++i) {
    Listen("unix:" + path);
    EXPECT_EQ(listener_->port(), 0);
    sockaddr_un to = {};
    to.sun_family = AF_UNIX;
    path.copy(to.sun_path, path.size());
    ASSERT_TRUE(Connects(to));
    EXPECT_TRUE(testing::Eventually([&] { return taken_ == i; }));
    listener_.reset();
    close(client_);
  }
  client_ = -1;
}

TEST_F(ListenerTest, TakenPortFailsEBUSYAndSaysSo) {
  Listen("127.0.0.1:0");
  const auto second = Listener::Bind("127.0.0.1:" + std::to_string(listener_->port()));
  ASSERT_EQ(second.code(), Errno::kEBUSY);
  EXPECT_EQ(second.error().message, "Address already in use");
}

TEST_F(ListenerTest, WhatIsNoAddressFailsEINVAL) {
  for (const char* address : {"", "here", "127.0.0.1:", "127.0.0.1:x", "no.such.name.invalid:1",
                              "unix:"}) {
    const auto bound = Listener::Bind(address);
    EXPECT_EQ(bound.code(), Errno::kEINVAL) << address;
  }
  EXPECT_EQ(Listener::Bind("unix:" + std::string(200, 'x')).code(), Errno::kEINVAL);
}

TEST(LastForConnections, LeavesAQuarterButNoMoreThanFilesNeed) {
  EXPECT_EQ(LastForConnections(100), 75);
  EXPECT_EQ(LastForConnections(1024), 768);
  EXPECT_EQ(LastForConnections(1'000'000), 998'976);
  EXPECT_EQ(LastForConnections(RLIM_INFINITY), INT32_MAX);
}

}  // namespace
}  // namespace tarn::rpc
