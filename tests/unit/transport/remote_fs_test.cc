// RemoteFs against a real server in this process: what applications see while all is well.
#include <thread>

#include "common/limits.h"
#include "tests/unit/transport/remote_fixture.h"

namespace tarn::transport {
namespace {

using testing::Eventually;

class RemoteFsTest : public RemoteFixture {};

TEST_F(RemoteFsTest, FileIsMadeWrittenReadListedAndRemoved) {
  const auto fs = Connect();
  const auto made = Create(*fs, "file");
  ASSERT_OK(made);
  EXPECT_TRUE(made->created);
  const Handle file = made->entry.handle;
  const std::string text = "some text";
  ASSERT_OK(Write(*fs, file, last_open(), text));
  const auto read = Read(*fs, file, last_open(), 100);
  ASSERT_OK(read);
  EXPECT_EQ(*read, text);
  ASSERT_OK_AND_ASSIGN(const ReadDirReply listed,
                       Wait<verbs::ReadDir>(*fs, root_,
                                            {.dir = fs->root().handle, .max_bytes = 4096,
                                             .plus = true}));
  ASSERT_EQ(listed.entries.size(), 3u);
  EXPECT_EQ(listed.entries[2].name, "file");
  EXPECT_EQ(listed.entries[2].entry->handle, file);
  ASSERT_OK(Wait<verbs::Release>(*fs, root_, {file, last_open()}));
  ASSERT_OK(Wait<verbs::Unlink>(*fs, root_, {fs->root().handle, "file"}));
  EXPECT_ERROR(kENOENT, Lookup(*fs, fs->root().handle, "file"));
}

// ---- the end of an open -------------------------------------------------------------------------

class EndOfOpenTest : public RemoteFixture {
 protected:
  void SetUp() override {
    fs_ = Connect(relay_.address());
    const auto made = Create(*fs_, "file");
    ASSERT_OK(made);
    file_ = made->entry.handle;
  }
  Result<Unit> Release() { return Wait<verbs::Release>(*fs_, root_, {file_, last_open()}); }
  // As the server itself sees it: only by the open may a user write.
  bool HasEnded() {
    Caller user = root_;
    user.uid = user.gid = 1234;
    user.session = fs_->session();
    const auto written = Wait<verbs::Write>(
        server_.fs(), user, {.inode = file_, .open = last_open(), .data = Bytes::Copy("x")});
    return !written.ok();
  }

  testing::Relay relay_{server_.address()};
  std::unique_ptr<RemoteFs> fs_;
  Handle file_;
};

TEST_F(EndOfOpenTest, IsToldWithTheNextRequest) {
  EXPECT_FALSE(HasEnded());
  ASSERT_OK(Release());
  ASSERT_OK(Wait<verbs::GetAttr>(*fs_, root_, {fs_->root().handle}));
  EXPECT_TRUE(HasEnded());
  EXPECT_EQ(relay_.calls()["Release"], 0);
}

TEST_F(EndOfOpenTest, IsToldSoonIfNothingElseIs) {
  ASSERT_OK(Release());
  EXPECT_TRUE(Eventually([&] { return HasEnded(); }));
  EXPECT_EQ(relay_.calls()["Release"], 1);
}

TEST_F(EndOfOpenTest, IsToldAgainWithARequestThatWasLost) {
  relay_.Stall(true, true);
  ASSERT_OK(Release());
  auto asked = Start<verbs::GetAttr>(*fs_, root_, {fs_->root().handle});
  relay_.Cut();
  relay_.Stall(false, false);
  ASSERT_OK(asked.get());
  EXPECT_TRUE(HasEnded());
  EXPECT_EQ(relay_.calls()["Release"], 0);
}

TEST_F(EndOfOpenTest, OfOneWithALockIsWaitedFor) {
  ASSERT_OK(SetLock(*fs_, LockOf(file_, last_open(), LockType::kWrite, false)));
  ASSERT_OK(Release());
  EXPECT_TRUE(HasEnded());
  EXPECT_EQ(relay_.calls()["Release"], 1);
}

TEST_F(EndOfOpenTest, OfManyAtOnceIsAFewMessages) {
  constexpr uint32_t kMessages = 10;
  std::vector<OpenId> opens = {last_open()};
  while (opens.size() < kMessages * kEndedOpensPerRequest) {
    ASSERT_OK(Open(*fs_, file_));
    opens.push_back(last_open());
  }
  for (const OpenId open : opens) ASSERT_OK(Wait<verbs::Release>(*fs_, root_, {file_, open}));
  EXPECT_TRUE(Eventually([&] { return HasEnded(); }));
  EXPECT_LE(relay_.calls()["Release"], 2 * kMessages);
}

TEST_F(RemoteFsTest, MebibyteArrivesIntact) {
  const auto fs = Connect();
  const auto made = Create(*fs, "big");
  ASSERT_OK(made);
  std::string data(kTransferMaxBytes, '\0');
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 2654435761u >> 13);
  ASSERT_OK(Write(*fs, made->entry.handle, last_open(), data));
  const auto read = Read(*fs, made->entry.handle, last_open(), kTransferMaxBytes);
  ASSERT_OK(read);
  EXPECT_TRUE(*read == data);
}

TEST_F(RemoteFsTest, ErrorOfTheServerIsTheAnswer) {
  const auto fs = Connect();
  ASSERT_OK(Create(*fs, "file"));
  EXPECT_ERROR(kEEXIST, Wait<verbs::MakeDir>(*fs, root_, {.dir = fs->root().handle,
                                                          .name = "file", .mode = 0755}));
  EXPECT_ERROR(kENAMETOOLONG, Lookup(*fs, fs->root().handle, std::string(256, 'x')));
  EXPECT_ERROR(kESTALE, Wait<verbs::GetAttr>(*fs, root_, {Handle{Ino{77}, 1}}));
  EXPECT_ERROR(kEINVAL, Wait<verbs::Access>(*fs, root_, {fs->root().handle, 8}));
}

TEST_F(RemoteFsTest, NamesAndErrorsNeedNotBeUtf8) {
  const auto fs = Connect();
  const std::string name = "caf\xe9\xff";
  ASSERT_OK(Create(*fs, name));
  EXPECT_OK(Lookup(*fs, fs->root().handle, name));
}

TEST_F(RemoteFsTest, SessionInfoIsTheServers) {
  const auto fs = Connect();
  const store::Identity& identity = server_.fs().store().identity();
  EXPECT_EQ(fs->info().hash_key, identity.hash_key);
  EXPECT_EQ(fs->info().block_bytes, identity.block_bytes);
  EXPECT_EQ(fs->info().file_system_id, identity.id);
  EXPECT_EQ(fs->root().attr.type, FileType::kDirectory);
}

TEST_F(RemoteFsTest, MountOfADirectoryIsRootedThere) {
  const auto fs = Connect();
  ASSERT_OK(Wait<verbs::MakeDir>(*fs, root_,
                                 {.dir = fs->root().handle, .name = "a", .mode = 0755}));
  ASSERT_OK_AND_ASSIGN(const EntryReply a, Lookup(*fs, fs->root().handle, "a"));
  ASSERT_OK_AND_ASSIGN(const EntryReply b,
                       Wait<verbs::MakeDir>(*fs, root_,
                                            {.dir = a.handle, .name = "b", .mode = 0755}));
  ConnectOptions options{.server = server_.address(), .directory = "/a//b/"};
  const auto below = RemoteFs::Connect(options);
  ASSERT_OK(below);
  EXPECT_EQ((*below)->root().handle, b.handle);
}

TEST_F(RemoteFsTest, ReadOnlyMountRefusesChanges) {
  ConnectOptions options{.server = server_.address(), .read_only = true};
  const auto fs = RemoteFs::Connect(options);
  ASSERT_OK(fs);
  EXPECT_ERROR(kEROFS, Create(**fs, "file"));
}

// What `options` are refused with: the errno, and a sentence with this in it.
void ExpectRefused(const ConnectOptions& options, Errno code, const std::string& part) {
  const auto fs = RemoteFs::Connect(options);
  EXPECT_EQ(fs.code(), code);
  if (fs.ok()) return;
  EXPECT_NE(fs.error().message.find(part), std::string::npos) << fs.error().message;
}

TEST_F(RemoteFsTest, RefusalsSayWhatToDo) {
  ASSERT_OK(Create(*Connect(), "file"));
  const std::string server = server_.address();
  ExpectRefused({.server = server, .file_system = "other"}, Errno::kENOENT, "it has: default");
  ExpectRefused({.server = server, .directory = "/no"}, Errno::kENOENT, "'/no'");
  ExpectRefused({.server = server, .directory = "/file"}, Errno::kENOTDIR, "'/file'");
  ExpectRefused({.server = server, .directory = "/../x"}, Errno::kENOENT, "..");
  ExpectRefused({.server = "host:port"}, Errno::kEINVAL, "host:port");
  ExpectRefused({.server = ""}, Errno::kEINVAL, "address");
  ExpectRefused({.server = "host:99999"}, Errno::kEINVAL, "99999");
}

TEST_F(RemoteFsTest, UnreachableServerIsNamed) {
  server_.Stop();
  ExpectRefused({.server = server_.address(), .connect_timeout_nanos = kSecondNanos / 5},
                Errno::kETIMEDOUT, server_.address());
}

TEST_F(RemoteFsTest, MoreCallsThanSlotsAllComeThrough) {
  constexpr int kThreads = 4;
  constexpr int kEach = 300;
  static_assert(kThreads * kEach > 2 * kSlotsPerSession);
  const auto fs = Connect();
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::vector<Answer<verbs::MakeDir>> answers;
      for (int i = 0; i < kEach; ++i) {
        answers.push_back(Start<verbs::MakeDir>(
            *fs, root_,
            {.dir = fs->root().handle, .name = fmt::format("{}-{}", t, i), .mode = 0755}));
      }
      for (auto& answer : answers) EXPECT_OK(answer.get());
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_OK_AND_ASSIGN(const AttrReply attr,
                       Wait<verbs::GetAttr>(*fs, root_, {fs->root().handle}));
  EXPECT_EQ(attr.attr.nlink, 2u + kThreads * kEach);
}

TEST_F(RemoteFsTest, WaitingLockIsGrantedOnUnlock) {
  const auto a = Connect();
  const auto b = Connect();
  const auto made = Create(*a, "file");
  ASSERT_OK(made);
  const Handle file = made->entry.handle;
  const OpenId open_a = last_open();
  ASSERT_OK(Open(*b, file));
  const OpenId open_b = last_open();
  ASSERT_OK(SetLock(*a, LockOf(file, open_a, LockType::kWrite, false)));
  EXPECT_ERROR(kEAGAIN, SetLock(*b, LockOf(file, open_b, LockType::kWrite, false)));
  auto waiting =
      Start<verbs::SetLock>(*b, root_, LockOf(file, open_b, LockType::kWrite, true));
  EXPECT_FALSE(IsReady(waiting));
  ASSERT_OK(SetLock(*a, LockOf(file, open_a, LockType::kUnlock, false)));
  EXPECT_OK(waiting.get());
}

TEST_F(RemoteFsTest, WaitingLockEndsWithEINTRWhenCancelled) {
  const auto fs = Connect();
  const auto made = Create(*fs, "file");
  ASSERT_OK(made);
  const Handle file = made->entry.handle;
  const OpenId open = last_open();
  ASSERT_OK(SetLock(*fs, LockOf(file, open, LockType::kWrite, false, 1)));
  auto cancellation = std::make_shared<Cancellation>();
  auto waiting = Start<verbs::SetLock>(*fs, Cancellable(cancellation),
                                       LockOf(file, open, LockType::kWrite, true, 2));
  cancellation->Cancel();
  EXPECT_ERROR(kEINTR, waiting.get());
  // Its place in the queue is gone: nobody gets the lock when it becomes free.
  ASSERT_OK(SetLock(*fs, LockOf(file, open, LockType::kUnlock, false, 1)));
  EXPECT_OK(SetLock(*fs, LockOf(file, open, LockType::kWrite, false, 3)));
}

TEST_F(RemoteFsTest, ThousandWaitingLocksHoldNobodyUp) {
  constexpr int kWaiters = 1000;
  const auto fs = Connect();
  const auto made = Create(*fs, "file");
  ASSERT_OK(made);
  const Handle file = made->entry.handle;
  const OpenId open = last_open();
  ASSERT_OK(SetLock(*fs, LockOf(file, open, LockType::kWrite, false, 1)));
  std::vector<Answer<verbs::SetLock>> waiting;
  for (uint64_t i = 0; i < kWaiters; ++i) {
    waiting.push_back(Start<verbs::SetLock>(
        *fs, root_, LockOf(file, open, LockType::kRead, true, 2 + i)));
  }
  for (int i = 0; i < 200; ++i) EXPECT_OK(Lookup(*fs, fs->root().handle, "file"));
  ASSERT_OK(SetLock(*fs, LockOf(file, open, LockType::kUnlock, false, 1)));
  for (auto& one : waiting) EXPECT_OK(one.get());
}

TEST_F(RemoteFsTest, CloseAnswersWhatIsOutstanding) {
  const auto fs = Connect();
  const auto made = Create(*fs, "file");
  ASSERT_OK(made);
  const Handle file = made->entry.handle;
  ASSERT_OK(SetLock(*fs, LockOf(file, last_open(), LockType::kWrite, false, 1)));
  auto waiting = Start<verbs::SetLock>(*fs, root_,
                                       LockOf(file, last_open(), LockType::kWrite, true, 2));
  fs->Close();
  EXPECT_ERROR(kEIO, waiting.get());
  EXPECT_ERROR(kEIO, Lookup(*fs, fs->root().handle, "file"));
  // The session has said Goodbye: what it held is free.
  const auto other = Connect();
  ASSERT_OK(Open(*other, file));
  EXPECT_OK(SetLock(*other, LockOf(file, last_open(), LockType::kWrite, false)));
}

}  // namespace
}  // namespace tarn::transport
