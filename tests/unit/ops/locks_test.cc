// Locks as verbs: waiting, interruption, sessions, grace.
#include <gmock/gmock.h>

#include "tests/unit/ops/local_fs_fixture.h"

namespace tarn::ops {
namespace {

// One call's answer, which may come later.
class Answer {
 public:
  Done<Unit> Take() {
    return [state = state_](Status status) {
      state->status.emplace(std::move(status));
      state->given.Notify();
    };
  }
  bool given() const { return state_->given.HasBeenNotified(); }
  Errno Get() const {
    state_->given.WaitForNotification();
    return state_->status->code();
  }

 private:
  struct State {
    Notification given;
    std::optional<Status> status;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

class LocksTest : public LocalFsFixture {
 protected:
  LocksTest() { Prepare(); }
  void Prepare() {
    file_ = Create("f", OpenId{1});
    EXPECT_OK(Open(file_, OpenId{1}, kB));
  }
  SetLockArgs Lock(LockType type, uint64_t owner = 1, bool wait = false) const {
    return {.inode = file_, .open = OpenId{1}, .owner = LockOwner{owner}, .wait = wait,
            .lock = {.type = type}};
  }
  Status Set(SessionId session, SetLockArgs args) {
    return Call<verbs::SetLock>(As(session), std::move(args));
  }
  Answer SetLater(const Caller& caller) {
    Answer answer;
    fs_->SetLock(caller, Lock(LockType::kWrite, 1, true), answer.Take());
    return answer;
  }

  Handle file_;
};

TEST_F(LocksTest, WaitingLockIsGrantedOnUnlockWithoutHoldingAThread) {
  ASSERT_OK(Set(kA, Lock(LockType::kWrite)));
  EXPECT_ERROR(kEAGAIN, Set(kB, Lock(LockType::kRead)));
  Answer answer = SetLater(As(kB));
  EXPECT_FALSE(answer.given());
  ASSERT_OK(Set(kA, Lock(LockType::kUnlock)));
  EXPECT_TRUE(answer.given());  // by the thread that unlocked
  EXPECT_EQ(answer.Get(), Errno::kOk);
  ASSERT_OK_AND_ASSIGN(GetLockReply held,
                       Call<verbs::GetLock>(As(kA), {.inode = file_, .open = OpenId{1},
                                                     .owner = LockOwner{1},
                                                     .lock = {.type = LockType::kRead}}));
  EXPECT_EQ(held.conflict.type, LockType::kWrite);
}

TEST_F(LocksTest, CancelledWaitEndsWithEINTRAndLeavesNoLock) {
  ASSERT_OK(Set(kA, Lock(LockType::kWrite)));
  Caller caller = As(kB);
  caller.cancellation = std::make_shared<Cancellation>();
  Answer answer = SetLater(caller);
  caller.cancellation->Cancel();
  EXPECT_EQ(answer.Get(), Errno::kEINTR);
  ASSERT_OK(Set(kA, Lock(LockType::kUnlock)));
  EXPECT_OK(Set(kA, Lock(LockType::kWrite)));
}

TEST_F(LocksTest, CallCancelledBeforehandDoesNotWait) {
  ASSERT_OK(Set(kA, Lock(LockType::kWrite)));
  Caller caller = As(kB);
  caller.cancellation = std::make_shared<Cancellation>();
  caller.cancellation->Cancel();
  EXPECT_EQ(SetLater(caller).Get(), Errno::kEINTR);
}

TEST_F(LocksTest, CancellationMayOutliveTheFileSystem) {
  Caller caller = As(kB);
  caller.cancellation = std::make_shared<Cancellation>();
  ASSERT_OK(Set(kA, Lock(LockType::kWrite)));
  Answer answer = SetLater(caller);
  fs_.reset();
  EXPECT_EQ(answer.Get(), Errno::kEINTR);
  caller.cancellation->Cancel();
}

TEST_F(LocksTest, GrantAndCancelRaceGivesOneAnswer) {
  for (int i = 0; i < 200; ++i) {
    ASSERT_OK(Set(kA, Lock(LockType::kWrite)));
    Caller caller = As(kB);
    caller.cancellation = std::make_shared<Cancellation>();
    Answer answer = SetLater(caller);
    std::thread canceller([&] { caller.cancellation->Cancel(); });
    ASSERT_OK(Set(kA, Lock(LockType::kUnlock)));
    const Errno code = answer.Get();
    canceller.join();
    if (code == Errno::kOk) {
      ASSERT_OK(Set(kB, Lock(LockType::kUnlock)));
    } else {
      ASSERT_EQ(code, Errno::kEINTR);
    }
  }
}

TEST_F(LocksTest, LockNeedsAnOpenWithItsAccess) {
  ASSERT_OK(Call<verbs::Open>(As(kA), {.inode = file_, .open = OpenId{2}}));
  SetLockArgs args = Lock(LockType::kWrite);
  args.open = OpenId{2};
  EXPECT_ERROR(kEBADF, Set(kA, args));
  args.lock.type = LockType::kRead;
  EXPECT_OK(Set(kA, args));
  args.kind = LockKind::kFlock;
  args.lock.type = LockType::kWrite;
  EXPECT_OK(Set(kA, args));
  args.open = OpenId{77};
  EXPECT_ERROR(kEBADF, Set(kA, args));
  args.lock = {.type = LockType::kRead, .start = 2, .end = 1};
  args.kind = LockKind::kRange;
  EXPECT_ERROR(kEINVAL, Set(kA, args));
}

TEST_F(LocksTest, FlushDropsRangesAndReleaseDropsFlock) {
  SetLockArgs flock = Lock(LockType::kWrite);
  flock.kind = LockKind::kFlock;
  ASSERT_OK(Set(kA, Lock(LockType::kWrite)));
  ASSERT_OK(Set(kA, flock));
  ASSERT_OK(Call<verbs::Flush>(As(kA), {.inode = file_, .open = OpenId{1},
                                        .owner = LockOwner{1}}));
  EXPECT_OK(Set(kB, Lock(LockType::kWrite)));
  EXPECT_ERROR(kEAGAIN, Set(kB, flock));
  ASSERT_OK(Call<verbs::Release>(As(kA), {.inode = file_, .open = OpenId{1}}));
  EXPECT_OK(Set(kB, flock));
}

TEST_F(LocksTest, EndedSessionFreesItsLocksAndEndsItsWaits) {
  ASSERT_OK(Set(kA, Lock(LockType::kWrite)));
  Answer of_b = SetLater(As(kB));
  fs_->EndSession(kA);
  EXPECT_EQ(of_b.Get(), Errno::kOk);
  EXPECT_ERROR(kEBADF, Set(kA, Lock(LockType::kRead)));
  EXPECT_ERROR(kEBADF, Open(file_, OpenId{9}, kA));
}

TEST_F(LocksTest, SilentHolderIsEndedForOneWhoDoesNotWait) {
  fs_->SetExpireSilent([&](SessionId holder) {
    fs_->EndSession(holder);
    return holder == kA;
  });
  ASSERT_OK(Set(kA, Lock(LockType::kWrite)));
  EXPECT_OK(Set(kB, Lock(LockType::kWrite)));
}

TEST_F(LocksTest, SilentHolderIsEndedForOneWhoWaits) {
  fs_->SetExpireSilent([&](SessionId holder) {
    fs_->EndSession(holder);
    return true;
  });
  ASSERT_OK(Set(kA, Lock(LockType::kWrite)));
  EXPECT_EQ(SetLater(As(kB)).Get(), Errno::kOk);
}

TEST_F(LocksTest, LiveHolderIsAskedAboutAndKept) {
  Notification asked;
  fs_->SetExpireSilent([&](SessionId holder) {
    EXPECT_EQ(holder, kA);
    if (!asked.HasBeenNotified()) asked.Notify();
    return false;
  });
  ASSERT_OK(Set(kA, Lock(LockType::kWrite)));
  EXPECT_ERROR(kEAGAIN, Set(kB, Lock(LockType::kWrite)));
  asked.WaitForNotification();
}

TEST_F(LocksTest, CycleOfTwoSessionsFailsEDEADLK) {
  const auto lock = [&](uint64_t byte, bool wait) {
    SetLockArgs args = Lock(LockType::kWrite, 1, wait);
    args.lock.start = args.lock.end = byte;
    return args;
  };
  ASSERT_OK(Set(kA, lock(0, false)));
  ASSERT_OK(Set(kB, lock(1, false)));
  Answer waits;
  fs_->SetLock(As(kA), lock(1, true), waits.Take());
  EXPECT_FALSE(waits.given());
  EXPECT_ERROR(kEDEADLK, Set(kB, lock(0, true)));
  SetLockArgs unlock = lock(1, false);
  unlock.lock.type = LockType::kUnlock;
  ASSERT_OK(Set(kB, unlock));
  EXPECT_EQ(waits.Get(), Errno::kOk);
}

// ---- grace ----

TEST_F(LocksTest, NewLockWaitsForTheEndOfGraceAndReclaimsPass) {
  Restart({.grace = true});
  ASSERT_OK(fs_->ReclaimOpen(As(kA), file_, OpenId{1}, OpenAccess::kReadWrite));
  ASSERT_OK(fs_->ReclaimOpen(As(kB), file_, OpenId{1}, OpenAccess::kReadWrite));
  Answer tried, waits;
  fs_->SetLock(As(kB), Lock(LockType::kWrite, 1, false), tried.Take());
  fs_->SetLock(As(kB), Lock(LockType::kWrite, 1, true), waits.Take());
  EXPECT_FALSE(tried.given());
  ASSERT_OK(fs_->ReclaimLock(As(kA), Lock(LockType::kWrite)));
  EXPECT_ERROR(kEAGAIN, fs_->ReclaimLock(As(kB), Lock(LockType::kWrite)));
  fs_->EndGrace();
  EXPECT_EQ(tried.Get(), Errno::kEAGAIN);
  EXPECT_FALSE(waits.given());
  ASSERT_OK(Set(kA, Lock(LockType::kUnlock)));
  EXPECT_EQ(waits.Get(), Errno::kOk);
  EXPECT_ERROR(kEAGAIN, fs_->ReclaimLock(As(kA), Lock(LockType::kWrite)));
}

TEST_F(LocksTest, WaitInGraceCanBeCancelledOrEndWithItsSession) {
  Restart({.grace = true});
  ASSERT_OK(fs_->ReclaimOpen(As(kA), file_, OpenId{1}, OpenAccess::kReadWrite));
  ASSERT_OK(fs_->ReclaimOpen(As(kB), file_, OpenId{1}, OpenAccess::kReadWrite));
  Caller caller = As(kA);
  caller.cancellation = std::make_shared<Cancellation>();
  Answer cancelled = SetLater(caller), ended = SetLater(As(kB));
  caller.cancellation->Cancel();
  EXPECT_EQ(cancelled.Get(), Errno::kEINTR);
  fs_->EndSession(kB);
  EXPECT_EQ(ended.Get(), Errno::kEINTR);
}

TEST_F(LocksTest, ReclaimOfWhatIsGoneFails) {
  Restart({.grace = true});
  EXPECT_ERROR(kESTALE, fs_->ReclaimOpen(As(kA), fs_->MakeHandle(Ino{999}, 0), OpenId{1},
                                         OpenAccess::kRead));
  EXPECT_ERROR(kEBADF, fs_->ReclaimOpen(As(kA), {kRootIno, 1}, OpenId{1}, OpenAccess::kRead));
  EXPECT_ERROR(kESTALE, fs_->ReclaimLock(As(kA), Lock(LockType::kWrite)));
}

}  // namespace
}  // namespace tarn::ops
