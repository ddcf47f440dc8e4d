// gRPC's threads for callbacks do not sleep: otherwise who comes after a quiet second waits.
#include "common/wire/awake.h"

#include <dlfcn.h>
#include <grpc/support/time.h>
#include <pthread.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/unit/transport/remote_fixture.h"

namespace tarn::transport {
namespace {

class AwakeTest : public RemoteFixture {};

gpr_timespec InAnHour() {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_hours(1, GPR_TIMESPAN));
}

TEST_F(AwakeTest, ThreadOfTheirNameDoesNotSleep) {
  wire::KeepCallbackThreadsAwake();
  std::thread like_one([] {
    ASSERT_EQ(pthread_setname_np(pthread_self(), "nexting_thread"), 0);
    gpr_sleep_until(InAnHour());
  });
  like_one.join();
}

TEST_F(AwakeTest, OthersSleepAsLongAsTheyWant) {
  wire::KeepCallbackThreadsAwake();
  const gpr_timespec until = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                          gpr_time_from_millis(20, GPR_TIMESPAN));
  gpr_sleep_until(until);
  EXPECT_GE(gpr_time_cmp(gpr_now(GPR_CLOCK_MONOTONIC), until), 0);
}

// What gRPC calls is ours, and its threads are called as is thought.
TEST_F(AwakeTest, HoldsForTheThreadsOfThisGrpc) {
  EXPECT_EQ(dlsym(RTLD_DEFAULT, "gpr_sleep_until"), reinterpret_cast<void*>(&gpr_sleep_until));
  Dl_info where{};
  ASSERT_NE(dladdr(reinterpret_cast<void*>(&gpr_sleep_until), &where), 0);
  EXPECT_EQ(std::string(where.dli_fname).find("libgpr"), std::string::npos);
  const auto fs = Connect();
  int found = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm") >> std::ws, name);
    if (name == "nexting_thread") ++found;
  }
  EXPECT_GE(found, 1);
}

}  // namespace
}  // namespace tarn::transport
