// Many threads at once: names, links and usage stay right, and everybody comes to an end.
#include <atomic>
#include <random>

#include "tests/unit/ops/local_fs_fixture.h"

namespace tarn::ops {
namespace {

class ConcurrencyTest : public LocalFsFixture {
 protected:
  template <class Work>
  static void OnThreads(int n, Work work) {
    std::vector<std::thread> threads;
    for (int t = 0; t < n; ++t) threads.emplace_back([&work, t] { work(t); });
    for (std::thread& thread : threads) thread.join();
  }
};

TEST_F(ConcurrencyTest, MakingAndRemovingInOneDirectoryKeepsLinksAndUsage) {
  const Handle dir = MakeDir(root(), "d");
  const store::Usage before = fs_->store().usage();
  OnThreads(4, [&](int t) {
    for (int i = 0; i < 60; ++i) {
      const std::string own = std::to_string(t) + "." + std::to_string(i);
      EXPECT_OK(Call<verbs::MakeDir>(As(kA), {.dir = dir, .name = own, .mode = 0755}));
      // All want the same name: one makes it, one removes it, whoever that is.
      (void)Call<verbs::MakeNode>(As(kA), {.dir = dir, .name = "shared", .mode = 0644});
      (void)Call<verbs::Unlink>(As(kA), {.dir = dir, .name = "shared"});
      if (i % 2 == 0) {
        EXPECT_OK(Call<verbs::RemoveDir>(As(kA), {.dir = dir, .name = own}));
      }
    }
  });
  (void)Call<verbs::Unlink>(As(kA), {.dir = dir, .name = "shared"});
  EXPECT_EQ(Call<verbs::GetAttr>(As(kA), {.inode = dir})->attr.nlink, 2u + 4 * 30);
  EXPECT_EQ(fs_->store().usage().inodes, before.inodes + 4 * 30);
  ASSERT_OK_AND_ASSIGN(ReadDirReply all, Call<verbs::ReadDir>(As(kA), {.dir = dir,
                                                                       .max_bytes = 200'000}));
  EXPECT_EQ(all.entries.size(), 2u + 4 * 30);
}

// Two threads move a into b and b into a, over and over; others read the paths. One of two moves
// always loses (EINVAL: into itself), the tree stays a tree.
TEST_F(ConcurrencyTest, DirectoriesMovedIntoEachOtherStayATree) {
  const Handle a = MakeDir(root(), "a"), b = MakeDir(root(), "b");
  std::atomic<int> moved{0};
  OnThreads(4, [&](int t) {
    const Handle from = t % 2 == 0 ? a : b, to = t % 2 == 0 ? b : a;
    const std::string name = t % 2 == 0 ? "a" : "b";
    for (int i = 0; i < 100; ++i) {
      const Status in = Call<verbs::Rename>(
          As(kA), {.dir = root(), .name = name, .new_dir = to, .new_name = name});
      if (in.ok()) ++moved;
      EXPECT_TRUE(in.ok() || in.code() == Errno::kENOENT || in.code() == Errno::kEINVAL)
          << ErrnoName(in.code());
      const Status out = Call<verbs::Rename>(
          As(kA), {.dir = to, .name = name, .new_dir = root(), .new_name = name});
      EXPECT_TRUE(out.ok() || out.code() == Errno::kENOENT) << ErrnoName(out.code());
      EXPECT_OK(Call<verbs::Lookup>(As(kA), {.dir = from, .name = ".."}));
    }
  });
  EXPECT_GT(moved, 0);
  // Whatever the last state: from both, the root is reached.
  for (Handle dir : {a, b}) {
    int steps = 0;
    while (dir.ino != kRootIno && ++steps < 5) {
      dir = Call<verbs::Lookup>(As(kA), {.dir = dir, .name = ".."})->handle;
    }
    EXPECT_EQ(dir.ino, kRootIno);
  }
}

TEST_F(ConcurrencyTest, FilesMovedBetweenDirectoriesAreNeverLostOrDoubled) {
  constexpr int kDirs = 4, kFiles = 12;
  std::vector<Handle> dirs;
  for (int d = 0; d < kDirs; ++d) dirs.push_back(MakeDir(root(), std::to_string(d)));
  for (int f = 0; f < kFiles; ++f) {
    EXPECT_OK(Call<verbs::MakeNode>(As(kA), {.dir = dirs[f % kDirs], .name = std::to_string(f),
                                             .mode = 0644}));
  }
  OnThreads(4, [&](int t) {
    std::mt19937 random(t);
    for (int i = 0; i < 300; ++i) {
      const std::string name = std::to_string(random() % kFiles);
      const Status moved = Call<verbs::Rename>(
          As(kA), {.dir = dirs[random() % kDirs], .name = name,
                   .new_dir = dirs[random() % kDirs], .new_name = name,
                   .mode = i % 3 == 0 ? RenameMode::kExchange : RenameMode::kReplace});
      EXPECT_TRUE(moved.ok() || moved.code() == Errno::kENOENT) << ErrnoName(moved.code());
      EXPECT_OK(Call<verbs::ReadDir>(As(kA), {.dir = dirs[random() % kDirs], .max_bytes = 4096,
                                              .plus = true}));
    }
  });
  size_t found = 0;
  for (Handle dir : dirs) {
    found += Call<verbs::ReadDir>(As(kA), {.dir = dir, .max_bytes = 65'536})->entries.size() - 2;
  }
  EXPECT_EQ(found, size_t{kFiles});
}

// Half of the calls find their records on disk only, so callers' threads and the pool mix.
TEST_F(ConcurrencyTest, CallersAndPoolMixWithoutLosingUpdates) {
  std::atomic<uint64_t> reads{0};
  kv_->SetBlocked([&](store::Family, std::string_view) { return reads.fetch_add(1) % 2 == 0; });
  const Handle file = Create("f", OpenId{1});
  OnThreads(4, [&](int) {
    for (int i = 0; i < 50; ++i) {
      EXPECT_OK(Call<verbs::Write>(As(kA), {.inode = file, .open = OpenId{1}, .append = true,
                                            .data = Bytes::FromString("0123456789")}));
      EXPECT_OK(Call<verbs::GetAttr>(As(kA), {.inode = file}));
    }
  });
  kv_->SetBlocked(nullptr);
  EXPECT_EQ(Call<verbs::GetAttr>(As(kA), {.inode = file})->attr.size, 4u * 50 * 10);
}

TEST_F(ConcurrencyTest, SyncedCallsOfManyThreadsAllReturn) {
  OnThreads(4, [&](int) {
    for (int i = 0; i < 25; ++i) EXPECT_OK(Call<verbs::Fsync>(As(kA), {.inode = root()}));
  });
  EXPECT_GT(kv_->syncs(), 0);
}

}  // namespace
}  // namespace tarn::ops
