// What a descriptor shows that was opened while its file was at rest, and so reads through the
// kernel's page cache, when the file is changed by another mount later.
//
// TARN_TEST_LONG=1: minutes.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <mutex>
#include <random>

#include "tests/cluster/cluster.h"

namespace tarn::testing {
namespace {

constexpr size_t kPageBytes = 4096;

// The content of every file here is told by its size.
std::string Content(size_t size) {
  std::string content(size, '\0');
  for (size_t at = 0; at < size; ++at) content[at] = static_cast<char>('a' + at % 23);
  return content;
}

std::string ReadAll(int fd) {
  std::string content(4 * kPageBytes, '\0');
  const ssize_t size = pread(fd, content.data(), content.size(), 0);
  if (size < 0) return std::string("!") + strerrorname_np(errno);
  content.resize(static_cast<size_t>(size));
  return content;
}

std::string ReadMapped(int fd) {
  struct stat s = {};
  if (fstat(fd, &s) != 0) return "!fstat";
  const auto size = static_cast<size_t>(s.st_size);
  if (size == 0) return "";
  void* const at = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) return "!mmap";
  const std::string content(static_cast<const char*>(at), size);
  munmap(at, size);
  return content;
}

class HeldDescriptorTest : public ClusterTest {
 protected:
  static constexpr size_t kFirst = 100;

  void TearDown() override {
    for (const int fd : opened_) close(fd);
    ClusterTest::TearDown();
  }
  // Makes the files "f0"... and returns when they have not changed for as long as it takes.
  void MakeAndRest(int files) {
    for (int i = 0; i < files; ++i) {
      ASSERT_EQ(Write(a() / ("f" + std::to_string(i)), Content(kFirst)), 0);
    }
    const auto made = std::chrono::steady_clock::now();
    const auto rest = std::chrono::milliseconds(2200);  // kSettledNanos of client/fuse/bridge.cc
    ASSERT_TRUE(Eventually([&] { return std::chrono::steady_clock::now() - made > rest; }));
  }
  int Open(RealMount& mount, const std::string& name, int flags = O_RDONLY) {
    opened_.push_back(open((mount / name).c_str(), flags));
    EXPECT_GE(opened_.back(), 0);
    return opened_.back();
  }

 private:
  std::vector<int> opened_;
};

TEST_F(HeldDescriptorTest, ShowsWhatGrowsAndShrinksElsewhereAtOnce) {
  constexpr int kFiles = 20;
  MakeAndRest(kFiles);
  std::vector<int> held, writable;
  for (int i = 0; i < kFiles; ++i) {
    held.push_back(Open(b(), "f" + std::to_string(i)));
    writable.push_back(Open(b(), "f" + std::to_string(i), O_RDWR));
    ASSERT_EQ(ReadAll(held.back()), Content(kFirst));
  }
  // Between them: to and from 0, the edges of pages, twice the same way.
  for (const size_t size : {size_t{150}, size_t{151}, kPageBytes, kPageBytes + 1, 3 * kPageBytes,
                            kPageBytes + 7, size_t{30}, size_t{0}, size_t{200}, size_t{0},
                            2 * kPageBytes, size_t{10}, size_t{11}}) {
    for (size_t i = 0; i < held.size(); ++i) {
      const std::string path = a() / ("f" + std::to_string(i));
      const auto before = static_cast<size_t>(SizeOf(path));
      if (size > before) {
        ASSERT_EQ(Append(path, Content(size).substr(before)), 0);
      } else {
        ASSERT_EQ(truncate(path.c_str(), static_cast<off_t>(size)), 0);
      }
      const auto end = static_cast<off_t>(size);
      switch (i % 4) {
        case 0:
          ASSERT_EQ(ReadAll(held[i]), Content(size));
          break;
        case 1:
          ASSERT_EQ(lseek(held[i], 0, SEEK_END), end);
          break;
        case 2:
          ASSERT_EQ(ReadMapped(held[i]), Content(size));
          break;
        default:
          ASSERT_EQ(lseek(writable[i], 0, SEEK_END), end);
          break;
      }
      ASSERT_EQ(ReadAll(held[i]), Content(size));
    }
  }
}

TEST_F(HeldDescriptorTest, ShowsWhatIsOverwrittenElsewhereAtOnce) {
  MakeAndRest(1);
  constexpr int kReaders = 3;
  std::atomic<int64_t> begun{0}, done{0};
  const int writer = Open(a(), "f0", O_WRONLY);
  std::vector<int> held;
  for (int i = 0; i < kReaders; ++i) held.push_back(Open(b(), "f0"));
  const auto step = [&](int lane, int) -> std::string {
    std::array<int64_t, kFirst / sizeof(int64_t)> values;
    if (lane == 0) {
      values.fill(++begun);
      if (pwrite(writer, values.data(), sizeof values, 0) != sizeof values) return "no write";
      ++done;
      return "";
    }
    const int64_t from = done;
    if (pread(held[static_cast<size_t>(lane - 1)], values.data(), sizeof values, 0) !=
        sizeof values) {
      return "no read";
    }
    if (from == 0) return "";
    const int64_t to = begun;
    for (const int64_t value : values) {
      if (value != values[0]) return "a torn read";
    }
    if (values[0] >= from && values[0] <= to) return "";
    return std::to_string(values[0]) + " is read between " + std::to_string(from) + " and " +
           std::to_string(to);
  };
  Load load(1 + kReaders, step);
  const int enough = IsTestLong() ? 200'000 : 1'000;
  while (load.completed(0) < enough && load.Progresses(100)) continue;
  EXPECT_EQ(load.Stop(), "");
  std::printf("%d changes, %d reads\n", load.completed(0), load.done() - load.completed(0));
  EXPECT_GE(load.completed(0), enough);
}

// One mount changes a file all the time, others read it through descriptors that they hold.
class BusyFileTest : public HeldDescriptorTest {
 protected:
  static constexpr size_t kSizeMax = kPageBytes - 1;  // a read of more may see two states

  // `next_size(size)`: what one change makes of the size. `calm`: only after two more looks.
  template <class NextSize>
  void ReadWhileItChanges(int readers, bool calm, NextSize next_size) {
    MakeAndRest(1);
    const int writer = Open(a(), "f0", O_WRONLY | O_APPEND);
    std::vector<int> held;
    for (int i = 0; i < readers; ++i) held.push_back(Open(b(), "f0"));
    sizes_ = {kFirst};
    const auto step = [&](int lane, int number) -> std::string {
      if (lane > 0) return LookAt(held[static_cast<size_t>(lane - 1)], number);
      return calm && looks() < 2 ? "" : ChangeTo(writer, next_size(sizes_.back()));
    };
    Load load(1 + readers, step);
    const size_t enough = IsTestLong() ? 200'000 : 1'000;
    while (changes() < enough && load.Progresses(100)) continue;
    EXPECT_EQ(load.Stop(), "");
    std::printf("%zu changes\n", changes());
    EXPECT_GE(changes(), enough);
  }

 private:
  size_t changes() {
    const std::lock_guard lock(mu_);
    return done_;
  }
  int looks() {
    const std::lock_guard lock(mu_);
    return looks_;
  }
  std::string ChangeTo(int fd, size_t size) {
    const size_t before = sizes_.back();
    {
      const std::lock_guard lock(mu_);
      sizes_.push_back(size);
      looks_ = 0;
    }
    const std::string more = size > before ? Content(size).substr(before) : "";
    const bool done = size > before
                          ? write(fd, more.data(), more.size()) == static_cast<ssize_t>(more.size())
                          : ftruncate(fd, static_cast<off_t>(size)) == 0;
    const std::lock_guard lock(mu_);
    done_ = sizes_.size() - 1;
    return done ? "" : "the file cannot be changed";
  }
  // What is seen is what the file was at some moment between the beginning and the end.
  std::string LookAt(int fd, int number) {
    size_t first = 0;
    {
      const std::lock_guard lock(mu_);
      first = done_;
    }
    const bool seeks = number % 4 == 0;
    const std::string seen = seeks ? "" : ReadAll(fd);
    const size_t size = seeks ? static_cast<size_t>(lseek(fd, 0, SEEK_END)) : seen.size();
    const bool right = seeks || seen == Content(size);
    const std::lock_guard lock(mu_);
    const auto from = sizes_.begin() + static_cast<ptrdiff_t>(first);
    // While a file is cut short a read may find zeros where there just was more, as on ext4.
    const bool is_cut = std::adjacent_find(from, sizes_.end(), std::greater<>()) != sizes_.end();
    if (is_cut) return "";
    ++looks_;
    if (right && std::find(from, sizes_.end(), size) != sizes_.end()) return "";
    std::string sizes;
    for (auto at = from; at != sizes_.end(); ++at) sizes += " " + std::to_string(*at);
    return std::to_string(size) + " bytes are " + (seeks ? "found" : right ? "read" : "misread") +
           " when the sizes were" + sizes;
  }

  std::mutex mu_;
  std::vector<size_t> sizes_;  // after each change; written under mu_ by one thread
  size_t done_ = 0;            // the last change that has returned
  int looks_ = 0;              // since the last one that has begun
};

TEST_F(BusyFileTest, IsReadToItsEndWhileItGrows) {
  ReadWhileItChanges(3, false, [](size_t size) { return size < kSizeMax ? size + 1 : 0; });
}

// By one reader, when nothing else happens. The kernel throws away the answer to where the end is
// if the file changes once more meanwhile, or somebody else has asked, too: it can be made to grow
// (so that the test above holds), but not to shrink.
TEST_F(BusyFileTest, IsReadToItsEndAfterItWasCutShort) {
  std::mt19937_64 random(1);
  ReadWhileItChanges(1, true, [&random](size_t size) {
    const size_t other = random() % 2 == 0 ? random() % kSizeMax : size + random() % 100;
    return std::min(other, kSizeMax);
  });
}

}  // namespace
}  // namespace tarn::testing
