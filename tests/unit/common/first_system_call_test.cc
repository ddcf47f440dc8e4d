// syscall(), which timed_wait.cc takes over, in several threads at once before libc's own has been
// looked up. A program of its own: each process has one first call, and its dlsym is wrapped.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "common/timed_wait.h"

namespace {

constexpr int kThreads = 2;
std::atomic<int> looking = 0;

}  // namespace

extern "C" void* __real_dlsym(void* handle, const char* name);

// Whoever looks the call up takes its time: until the other thread has come, too, or a second.
extern "C" void* __wrap_dlsym(void* handle, const char* name) {
  if (std::strcmp(name, "syscall") == 0) {
    looking.fetch_add(1);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    while (looking.load() < kThreads && std::chrono::steady_clock::now() < until) {
    }
  }
  return __real_dlsym(handle, name);
}

namespace tarn {
namespace {

TEST(FirstSystemCallTest, NobodyWaitsForWhoIsLookingItUp) {
  ASSERT_GT(MonotonicNanos(), 0);  // so that the file is linked
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&right] { right += syscall(SYS_getpid) == getpid() ? 1 : 0; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right.load(), kThreads);
  EXPECT_GT(looking.load(), 0);
}

}  // namespace
}  // namespace tarn
