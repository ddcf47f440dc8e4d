// A CachedFs whose server restarts: the kernel is emptied before anything goes on, and whatever is
// stuck there holds nobody up.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "common/wait.h"
#include "tests/support/eventually.h"
#include "tests/support/in_process_server.h"
#include "tests/unit/cached/client.h"

namespace tarn::cache {
namespace {

// Knows the root. The first pass is stuck at a page that a request keeps locked, and whoever drops
// attributes is stuck; no request is answered before the test lets go.
class StuckKernel final : public KernelCache {
 public:
  void Settle() override {}
  void RunGated(absl::FunctionRef<void()> hand_over) override { hand_over(); }
  bool Knows(Ino) override { return true; }
  std::vector<Ino> Known() override { return {Ino{1}}; }
  void DropAttr(Ino) override {
    ++stuck_;
    released_.WaitForNotification();
  }
  void DropData(Ino) override {
    if (passes_.fetch_add(1) == 0) released_.WaitForNotification();
  }
  void DropName(Ino, const std::string&, Manner) override {}
  void DropAllNames() override {}

  void Release() { released_.Notify(); }
  int passes() const { return passes_; }
  int stuck() const { return stuck_; }  // in recalls

 private:
  std::atomic<int> passes_ = 0, stuck_ = 0;
  Notification released_;
};

class LostLeasesTest : public ::testing::Test {
 protected:
  ~LostLeasesTest() override {
    kernel_.Release();
    a_.fs->SetKernel(nullptr);
  }
  static Caller Root() {
    Caller caller;
    caller.groups.emplace();
    return caller;
  }
  Result<EntryReply> MakeDir(Client& client, Handle dir, const std::string& name) {
    return Wait<verbs::MakeDir>(*client.fs, Root(), {.dir = dir, .name = name, .mode = 0755});
  }
  Handle root() const { return a_.remote->root().handle; }
  void RestartServer() {
    server_.Stop();
    server_.Start();
  }

  testing::InProcessServer server_;
  StuckKernel kernel_;
  Client a_{server_.address()}, b_{server_.address()};
};

TEST_F(LostLeasesTest, PassThatIsStuckHoldsNobodyUp) {
  a_.fs->SetKernel(&kernel_);
  RestartServer();
  EXPECT_OK(MakeDir(a_, root(), "d"));
  EXPECT_GE(kernel_.passes(), 2);
}

TEST_F(LostLeasesTest, RecallsThatAreStuckHoldNobodyUp) {
  constexpr int kMoreThanWorkers = 70;
  constexpr int kWorkers = 64;
  std::vector<Handle> dirs;
  for (int i = 0; i < kMoreThanWorkers; ++i) {
    ASSERT_OK_AND_ASSIGN(const EntryReply made, MakeDir(a_, root(), std::to_string(i)));
    dirs.push_back(made.handle);
  }
  a_.fs->SetKernel(&kernel_);
  for (const Handle dir : dirs) {
    b_.fs->MakeDir(Root(), {.dir = dir, .name = "d", .mode = 0755}, [](Result<EntryReply>) {});
  }
  ASSERT_TRUE(testing::Eventually([&] { return kernel_.stuck() >= kWorkers; }));
  RestartServer();
  EXPECT_OK(MakeDir(a_, root(), "d"));
}

}  // namespace
}  // namespace tarn::cache
