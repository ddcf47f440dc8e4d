// The server dies at each of its named fault points, and answers, requests and recalls are lost at
// others (common/fault.h), with three clients at work: nothing that was acknowledged is lost or
// done twice, and everybody goes on.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "common/fault.h"
#include "tests/crash/crew.h"

namespace tarn::testing {
namespace {

class FaultPointTest : public CrashTest {
 protected:
  void SetUp() override {
    CrashTest::SetUp();
    if (IsSkipped()) return;
    usage_ = UsageOf(a().path());
    roots_ = {a().path(), b().path(), c().path()};
    crew_ = std::make_unique<Crew>(roots_, seed_);
  }
  // One step of a worker; every tenth makes something durable.
  std::string Step(int thread, int number) {
    if (number % 10 == 0) {
      const Fd fd(roots_[static_cast<size_t>(thread) % 3] + "/synced", O_RDWR | O_CREAT);
      if (!fd.ok() || fsync(fd.get()) != 0) return Oops("fsync", errno);
    }
    return crew_->Step(thread);
  }
  // The server runs again with `faults`, until it dies of them.
  void DieOf(const std::string& faults) {
    SCOPED_TRACE(faults);
    server().KillHard();
    server().Start(faults);
    const std::optional<int> status = server().WaitForEnd();
    EXPECT_EQ(status, kFaultExitStatus);
  }
  void ExpectAllThere(Load& load, bool goes_on) {
    if (!goes_on && crew_->first_wrong().empty()) KillClients();
    (void)load.Stop();
    ASSERT_EQ(crew_->first_wrong(), "");
    ASSERT_TRUE(goes_on) << "after " << load.done() << " steps nothing went on";
    ExpectMountsNeverRemade();
    const RealMount cold(server().spec());
    roots_.push_back(cold.path());
    for (const std::string& root : roots_) EXPECT_EQ(crew_->Check(root), "");
    crew_->CloseAndRemoveAll();
    EXPECT_TRUE(Eventually([&] { return UsageOf(a().path()) == usage_; }))
        << UsageOf(a().path()).first << " inodes are there, " << usage_.first << " were before";
  }

  const uint64_t seed_ = Seed();
  Random random_{seed_ + 7};
  std::pair<uint64_t, uint64_t> usage_;
  std::vector<std::string> roots_;
  std::unique_ptr<Crew> crew_;
};

TEST_F(FaultPointTest, ServerThatDiesAtAnyPointLosesAndRepeatsNothing) {
  Load load(Crew::kWorkers, [&](int thread, int number) { return Step(thread, number); });
  bool goes_on = load.Progresses(50);
  const int rounds = IsTestLong() ? 20 : 1;
  for (int round = 0; goes_on && round < rounds; ++round) {
    for (const char* point : {"commit.before", "commit.after", "reply.send", "recall.send",
                              "wal.sync", "wal.synced", "grace.end"}) {
      const bool once = std::string(point) == "grace.end";
      const uint64_t time = 1 + (once ? 0 : random_() % (std::string(point) < "d" ? 50 : 5));
      DieOf(std::string(point) + "=crash@" + std::to_string(time));
      server().Start();
      goes_on = goes_on && load.Progresses(30);
    }
  }
  ExpectAllThere(load, goes_on);
}

TEST_F(FaultPointTest, LostAnswersAreGivenAgainAndNothingIsDoneTwice) {
  server().KillHard();
  server().Start("reply.send=fail:0.02;commit.after=delay:1ms");
  Load load(Crew::kWorkers, [&](int thread, int number) { return Step(thread, number); });
  ExpectAllThere(load, load.Progresses(IsTestLong() ? 20'000 : 600));
}

// Its lifetime is short, for somebody must be given up.
class FencePointTest : public CrashTest {
 protected:
  std::vector<std::string> server_flags() const override { return ShortLifetime(); }
};

TEST_F(FencePointTest, ServerThatDiesWhileItFencesEndsWithOneHolderOfALock) {
  for (const char* faults : {"fence.after=crash@1", "fence.before=crash@1"}) {
    SCOPED_TRACE(faults);
    server().KillHard();
    server().Start(faults);
    RealMount dead(server().spec());
    LockHolder first(dead / "lock", "range");
    ASSERT_TRUE(first.HoldsEventually());
    dead.KillClient();
    LockHolder second(a() / "lock", "range");
    EXPECT_EQ(server().WaitForEnd(), kFaultExitStatus);
    EXPECT_FALSE(second.holds());  // nobody was given what might still be held
    server().Start();
    EXPECT_TRUE(second.HoldsEventually());
    second.Stop();
    EXPECT_EQ(Write(b() / "lock", "x"), 0);
    if (!IsTestLong()) break;
  }
}

class ClientFaultTest : public CrashTest {
 protected:
  std::vector<std::string> server_flags() const override { return ShortLifetime(); }
};

TEST_F(ClientFaultTest, LostRequestsAreSentAgainAndDoneOnce) {
  const RealMount faulty(server().spec(), {}, "client.send=fail:0.02");
  Crew crew({faulty.path(), a().path()}, Seed());
  Load load(Crew::kWorkers, [&](int thread, int) { return crew.Step(thread); });
  const bool goes_on = load.Progresses(IsTestLong() ? 20'000 : 400);
  EXPECT_EQ(load.Stop(), "");
  EXPECT_TRUE(goes_on);
  EXPECT_EQ(crew.Check(b().path()), "");
  EXPECT_EQ(crew.Check(faulty.path()), "");
}

TEST_F(ClientFaultTest, ClientThatDiesBeforeItAnswersARecallHoldsOthersUpForALifetime) {
  RealMount dies(server().spec(), {}, "client.recall.answer=crash@1");
  ASSERT_EQ(Write(a() / "f", "old"), 0);
  ASSERT_EQ(Read(dies / "f"), "old");
  MustEnd([&]() -> std::string { return Write(a() / "f", "new") == 0 ? "" : "write failed"; });
  EXPECT_EQ(dies.client().Wait(), kFaultExitStatus);
  EXPECT_EQ(Read(b() / "f"), "new");
}

TEST_F(ClientFaultTest, WhatAClientThatDiesOnTheAnswerDidIsThereOnce) {
  RealMount dies(server().spec(), {}, "client.reply=crash@12");
  int made = 0;
  while (Write(dies / ("f" + std::to_string(made)), "content") == 0) ++made;
  EXPECT_EQ(dies.client().Wait(), kFaultExitStatus);
  for (int i = 0; i < made; ++i) {
    EXPECT_EQ(Read(a() / ("f" + std::to_string(i))), "content") << i;
  }
}

}  // namespace
}  // namespace tarn::testing
