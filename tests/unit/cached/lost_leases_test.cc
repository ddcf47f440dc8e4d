// A CachedFs whose server restarts: the kernel is emptied before anything goes on, and whatever is
// stuck there holds nobody up.
#include <gtest/gtest.h>

#include <atomic>

#include "common/wait.h"
#include "tests/support/in_process_server.h"
#include "tests/unit/cached/client.h"

namespace tarn::cache {
namespace {

// Knows the root. The first pass is stuck at a page that a request keeps locked; the request is not
// answered before the test lets go of it.
class StuckKernel final : public KernelCache {
 public:
  void Settle() override {}
  void RunGated(absl::FunctionRef<void()> hand_over) override { hand_over(); }
  bool Knows(Ino) override { return true; }
  std::vector<Ino> Known() override { return {Ino{1}}; }
  void DropAttr(Ino) override {}
  void DropData(Ino) override {
    if (passes_.fetch_add(1) == 0) released_.WaitForNotification();
  }
  void DropName(Ino, const std::string&, Manner) override {}
  void DropAllNames() override {}

  void Release() { released_.Notify(); }
  int passes() const { return passes_; }

 private:
  std::atomic<int> passes_ = 0;
  Notification released_;
};

TEST(LostLeasesTest, PassThatIsStuckHoldsNobodyUp) {
  testing::InProcessServer server;
  Client a(server.address());
  StuckKernel kernel;
  a.fs->SetKernel(&kernel);
  server.Stop();
  server.Start();
  Caller caller;
  caller.groups.emplace();
  EXPECT_OK(Wait<verbs::MakeDir>(
      *a.fs, caller, {.dir = a.remote->root().handle, .name = "d", .mode = 0755}));
  EXPECT_EQ(kernel.passes(), 2);
  kernel.Release();
  a.fs->SetKernel(nullptr);
}

}  // namespace
}  // namespace tarn::cache
