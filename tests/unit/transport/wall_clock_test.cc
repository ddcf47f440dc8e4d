// Waits go by the monotonic clock, ours and those inside gRPC.
//
// To this program the time of day is an hour later than to the kernel. Whoever computes a point of
// it and has the kernel wait for that waits an hour too long, just as if the clock had been set
// back by an hour after the computation.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <future>
#include <thread>

#include "client/transport/admin_client.h"
#include "common/timed_wait.h"
#include "tests/support/eventually.h"

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const long result = syscall(SYS_clock_gettime, clock, time);
  if (clock == CLOCK_REALTIME) time->tv_sec += 3600;
  return static_cast<int>(result);
}

extern "C" int gettimeofday(timeval* time, void*) noexcept {
  const long result = syscall(SYS_gettimeofday, time, nullptr);
  time->tv_sec += 3600;
  return static_cast<int>(result);
}

namespace tarn {
namespace {

// Ends the program if `work` does not end: what waits for an hour cannot be joined.
void MustEnd(const std::function<void()>& work) {
  std::promise<void> ended;
  std::thread thread([&] {
    work();
    ended.set_value();
  });
  if (ended.get_future().wait_for(testing::kPatience) != std::future_status::ready) {
    std::fputs("[  FAILED  ] waits by the time of day\n", stderr);
    std::_Exit(1);
  }
  thread.join();
}

TEST(WallClockTest, IsAnHourOffInThisProgram) {
  timespec kernels{}, ours{};
  ASSERT_EQ(syscall(SYS_clock_gettime, CLOCK_REALTIME, &kernels), 0);
  ASSERT_EQ(clock_gettime(CLOCK_REALTIME, &ours), 0);
  EXPECT_GT(ours.tv_sec, kernels.tv_sec + 3500);
}

TEST(WallClockTest, LimitOfAWaitComesThoughTheClockIsAnHourOff) {
  MustEnd([] {
    Mutex mu;
    bool never = false;
    const int64_t begin = MonotonicNanos();
    MutexLock lock(&mu);
    EXPECT_FALSE(AwaitFor(mu, absl::Condition(&never), absl::Milliseconds(50)));
    EXPECT_GE(MonotonicNanos() - begin, 50'000'000);
  });
}

TEST(WallClockTest, ConditionEndsAWaitBeforeItsLimit) {
  Mutex mu;
  bool met = false;
  std::thread other([&] {
    MutexLock lock(&mu);
    met = true;
  });
  {
    MutexLock lock(&mu);
    EXPECT_TRUE(AwaitFor(mu, absl::Condition(&met), absl::InfiniteDuration()));
  }
  other.join();
}

TEST(WallClockTest, DeadlineOfACallComesThoughTheClockIsAnHourOff) {
  // Connections are made, by the kernel, but nobody answers.
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  socklen_t size = sizeof address;
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  const std::string server = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  MustEnd([&] {
    EXPECT_EQ(transport::DescribeFileSystems(server).code(), Errno::kETIMEDOUT);
  });
  close(listener);
}

}  // namespace
}  // namespace tarn
