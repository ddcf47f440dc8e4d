// Contents of files: reading, writing, sizes, holes, and what holes cost.
#include "common/limits.h"
#include "tests/conformance/fixture.h"

namespace tarn::testing {
namespace {

TARN_CONFORMANCE(ContentTest);
TARN_CONFORMANCE(SizeTest);
TARN_CONFORMANCE(SparseTest);
TARN_CONFORMANCE(CopyRangeTest);

constexpr uint64_t kBlock = kBlockBytes;
constexpr uint64_t kMiB = 1024 * 1024;

std::string Pattern(size_t size, unsigned seed = 1) {
  std::string data(size, '\0');
  for (char& byte : data) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<char>(seed >> 24);
  }
  return data;
}

Fd OpenNew(Process& process, const std::string& path, int flags = O_RDWR) {
  auto fd = process.Open(path, flags | O_CREAT, 0644);
  EXPECT_OK(fd);
  return fd.ok() ? *fd : Fd{-1};
}

TEST_P(ContentTest, WrittenBytesAreReadBackAtAnyAlignment) {
  const Fd fd = OpenNew(root(), "/f");
  std::string expected;
  unsigned seed = 7;
  for (const uint64_t offset : {uint64_t{0}, kBlock - 1, kBlock, kBlock + 1, 3 * kBlock - 2,
                                uint64_t{5}, kMiB - 1, kMiB + 3}) {
    for (const size_t size : {size_t{1}, size_t{2}, size_t{4096}, size_t{kBlock},
                              size_t{kBlock + 1}, size_t{3 * kBlock + 7}}) {
      const std::string data = Pattern(size, ++seed);
      ASSERT_EQ(root().Write(fd, data, offset).value(), size);
      if (expected.size() < offset + size) expected.resize(offset + size);
      expected.replace(offset, size, data);
    }
  }
  EXPECT_TRUE(Get("/f") == expected);
  EXPECT_EQ(StatOf("/f").size, expected.size());
  for (const uint64_t offset : {kBlock - 3, 2 * kBlock, kMiB - 5}) {
    EXPECT_TRUE(root().Read(fd, 3 * kBlock, offset).value() == expected.substr(offset, 3 * kBlock));
  }
}

TEST_P(ContentTest, AMegabyteInOneCallIsOneWrite) {
  const Fd fd = OpenNew(root(), "/f");
  const std::string data = Pattern(kMiB);
  EXPECT_EQ(root().Write(fd, data, 10).value(), kMiB);
  EXPECT_TRUE(root().Read(fd, kMiB, 10).value() == data);
}

TEST_P(ContentTest, ReadAtTheEndIsShortAndBeyondItEmpty) {
  Put("/f", "hello");
  ASSERT_OK_AND_ASSIGN(const Fd fd, root().Open("/f", O_RDONLY));
  EXPECT_EQ(root().Read(fd, 100, 3).value(), "lo");
  EXPECT_EQ(root().Read(fd, 100, 5).value(), "");
  EXPECT_EQ(root().Read(fd, 100, 1 << 30).value(), "");
}

TEST_P(ContentTest, DescriptorsAllowOnlyWhatTheyWereOpenedFor) {
  Put("/f", "hello");
  ASSERT_OK_AND_ASSIGN(const Fd reader, root().Open("/f", O_RDONLY));
  ASSERT_OK_AND_ASSIGN(const Fd writer, root().Open("/f", O_WRONLY));
  EXPECT_ERROR(kEBADF, root().Write(reader, "x", 0));
  EXPECT_ERROR(kEBADF, root().Read(writer, 1, 0));
  EXPECT_ERROR(kEINVAL, root().FTruncate(reader, 0));
  EXPECT_ERROR(kEBADF, root().Allocate(reader, AllocateMode::kExtend, 0, 10));
  EXPECT_EQ(Get("/f"), "hello");
}

TEST_P(ContentTest, AppendsOfTwoDescriptorsNeverOverwriteEachOther) {
  const Fd one = OpenNew(root(), "/f", O_WRONLY | O_APPEND);
  const Fd two = OpenNew(bob(), "/f2", O_WRONLY);
  ASSERT_OK(root().Chmod("/f", 0666));
  ASSERT_OK_AND_ASSIGN(const Fd other, bob().Open("/f", O_WRONLY | O_APPEND));
  for (const char* text : {"a", "bb", "ccc"}) {
    ASSERT_OK(root().Append(one, text));
    ASSERT_OK(bob().Append(other, text));
  }
  EXPECT_EQ(Get("/f"), "aabbbbcccccc");
  ASSERT_OK(root().Truncate("/f", 1));
  ASSERT_OK(bob().Append(other, "z"));
  EXPECT_EQ(Get("/f"), "az");
  EXPECT_OK(bob().Close(two));
}

TEST_P(ContentTest, FsyncOfFilesAndDirectoriesSucceeds) {
  const Fd fd = OpenNew(root(), "/f");
  ASSERT_OK(root().Write(fd, "x", 0));
  EXPECT_OK(root().Fsync(fd));
  ASSERT_OK_AND_ASSIGN(const Fd dir, root().Open("/", O_RDONLY | O_DIRECTORY));
  EXPECT_OK(root().Fsync(dir));
}

TEST_P(SizeTest, TruncationCutsAndExtensionReadsAsZeros) {
  const std::string data = Pattern(3 * kBlock);
  for (const uint64_t cut :
       {uint64_t{0}, uint64_t{1}, kBlock - 1, kBlock, kBlock + 1, 3 * kBlock - 1}) {
    SCOPED_TRACE(cut);
    Put("/f", data);
    ASSERT_OK(root().Truncate("/f", static_cast<int64_t>(cut)));
    EXPECT_TRUE(Get("/f") == data.substr(0, cut));
    ASSERT_OK(root().Truncate("/f", static_cast<int64_t>(4 * kBlock)));
    EXPECT_TRUE(Get("/f") == data.substr(0, cut) + std::string(4 * kBlock - cut, '\0'));
  }
}

TEST_P(SizeTest, WriteBeyondTheEndLeavesZerosBetween) {
  const Fd fd = OpenNew(root(), "/f");
  ASSERT_OK(root().Write(fd, "a", 0));
  ASSERT_OK(root().Write(fd, "z", 2 * kBlock + 5));
  EXPECT_TRUE(Get("/f") == "a" + std::string(2 * kBlock + 4, '\0') + "z");
}

TEST_P(SizeTest, OldBytesDoNotComeBackAfterShrinkAndGrow) {
  Put("/f", std::string(2 * kBlock, 'x'));
  const Fd fd = OpenNew(root(), "/f");
  ASSERT_OK(root().FTruncate(fd, 10));
  ASSERT_OK(root().Write(fd, "y", 20));
  EXPECT_TRUE(Get("/f") == std::string(10, 'x') + std::string(10, '\0') + "y");
}

TEST_P(SizeTest, OfWhatHasNoneFails) {
  ASSERT_OK(root().MakeDir("/d", 0755));
  ASSERT_OK(root().MakeNode("/p", FileType::kFifo, 0644, 0));
  EXPECT_ERROR(kEISDIR, root().Truncate("/d", 0));
  EXPECT_ERROR(kEINVAL, root().Truncate("/p", 0));
  Put("/f");
  EXPECT_ERROR(kEINVAL, root().Truncate("/f", -1));
}

TEST_P(SizeTest, AboveTheLargestFailsEFBIG) {
  const Fd fd = OpenNew(root(), "/f");
  constexpr auto kMax = static_cast<int64_t>(kFileMaxBytes);
  EXPECT_OK(root().FTruncate(fd, kMax));
  EXPECT_EQ(StatOf("/f").size, kFileMaxBytes);
  EXPECT_ERROR(kEFBIG, root().FTruncate(fd, kMax + 1));
  EXPECT_ERROR(kEFBIG, root().Truncate("/f", kMax + 1));
  EXPECT_OK(root().Write(fd, "x", kFileMaxBytes - 1));
  EXPECT_ERROR(kEFBIG, root().Write(fd, "x", kFileMaxBytes));
  EXPECT_ERROR(kEFBIG, root().Allocate(fd, AllocateMode::kExtend, kFileMaxBytes, 1));
  EXPECT_EQ(root().Read(fd, 10, kFileMaxBytes - 2).value(), std::string("\0x", 2));
}

TEST_P(SparseTest, HolesCostNothing) {
  const Fd fd = OpenNew(root(), "/f");
  ASSERT_OK(root().FTruncate(fd, 1 << 30));
  EXPECT_EQ(StatOf("/f").allocated, 0u);
  ASSERT_OK(root().Write(fd, "x", 1 << 29));
  const uint64_t allocated = StatOf("/f").allocated;
  EXPECT_GT(allocated, 0u);
  EXPECT_LE(allocated, kBlock);
  EXPECT_EQ(allocated % 512, 0u);
}

TEST_P(SparseTest, AllocatedFollowsWhatIsWritten) {
  const Fd fd = OpenNew(root(), "/f");
  ASSERT_OK(root().Write(fd, Pattern(10 * kBlock), 0));
  EXPECT_EQ(StatOf("/f").allocated, 10 * kBlock);
  ASSERT_OK(root().Write(fd, Pattern(10 * kBlock, 9), 0));
  EXPECT_EQ(StatOf("/f").allocated, 10 * kBlock);
  ASSERT_OK(root().FTruncate(fd, 4 * kBlock));
  EXPECT_EQ(StatOf("/f").allocated, 4 * kBlock);
  ASSERT_OK(root().Allocate(fd, AllocateMode::kPunchHole, kBlock, 2 * kBlock));
  EXPECT_EQ(StatOf("/f").allocated, 2 * kBlock);
  EXPECT_EQ(StatOf("/f").size, 4 * kBlock);
  ASSERT_OK(root().FTruncate(fd, 0));
  EXPECT_EQ(StatOf("/f").allocated, 0u);
}

TEST_P(SparseTest, PunchedRangesReadAsZeros) {
  const std::string data = Pattern(4 * kBlock);
  for (const uint64_t first : {uint64_t{0}, uint64_t{100}, kBlock, kBlock + 7}) {
    for (const uint64_t length : {uint64_t{1}, kBlock - 7, kBlock, 2 * kBlock + 1}) {
      SCOPED_TRACE(std::to_string(first) + "+" + std::to_string(length));
      Put("/f", data);
      ASSERT_OK_AND_ASSIGN(const Fd fd, root().Open("/f", O_RDWR));
      ASSERT_OK(root().Allocate(fd, AllocateMode::kPunchHole, first, length));
      std::string expected = data;
      expected.replace(first, length, length, '\0');
      EXPECT_TRUE(Get("/f") == expected);
      ASSERT_OK(root().Close(fd));
    }
  }
}

TEST_P(SparseTest, AllocateModesChangeSizeAndContentAsDocumented) {
  const Fd fd = OpenNew(root(), "/f");
  ASSERT_OK(root().Write(fd, std::string(100, 'x'), 0));
  ASSERT_OK(root().Allocate(fd, AllocateMode::kKeepSize, 0, 1000));
  EXPECT_EQ(StatOf("/f").size, 100u);
  ASSERT_OK(root().Allocate(fd, AllocateMode::kExtend, 50, 150));
  EXPECT_EQ(Get("/f"), std::string(100, 'x') + std::string(100, '\0'));
  ASSERT_OK(root().Allocate(fd, AllocateMode::kZeroRangeKeepSize, 90, 1000));
  EXPECT_EQ(Get("/f"), std::string(90, 'x') + std::string(110, '\0'));
  ASSERT_OK(root().Allocate(fd, AllocateMode::kZeroRange, 10, 300));
  EXPECT_EQ(Get("/f"), std::string(10, 'x') + std::string(300, '\0'));
  EXPECT_ERROR(kEINVAL, root().Allocate(fd, AllocateMode::kExtend, 0, 0));
}

TEST_P(SparseTest, SeekFindsDataAndHoles) {
  const Fd fd = OpenNew(root(), "/f");
  ASSERT_OK(root().Write(fd, Pattern(2 * kBlock), 4 * kBlock));
  ASSERT_OK(root().FTruncate(fd, static_cast<int64_t>(10 * kBlock)));
  EXPECT_EQ(root().Seek(fd, SeekWhence::kData, 0).value(), 4 * kBlock);
  EXPECT_EQ(root().Seek(fd, SeekWhence::kData, 5 * kBlock + 1).value(), 5 * kBlock + 1);
  EXPECT_EQ(root().Seek(fd, SeekWhence::kHole, 0).value(), 0u);
  EXPECT_EQ(root().Seek(fd, SeekWhence::kHole, 4 * kBlock).value(), 6 * kBlock);
  EXPECT_ERROR(kENXIO, root().Seek(fd, SeekWhence::kData, 6 * kBlock));
  EXPECT_ERROR(kENXIO, root().Seek(fd, SeekWhence::kHole, 10 * kBlock));
}

TEST_P(SparseTest, TheEndOfAFileWithoutHolesIsItsHole) {
  Put("/f", Pattern(kBlock + 100));
  ASSERT_OK_AND_ASSIGN(const Fd fd, root().Open("/f", O_RDONLY));
  EXPECT_EQ(root().Seek(fd, SeekWhence::kHole, 0).value(), kBlock + 100);
  EXPECT_EQ(root().Seek(fd, SeekWhence::kData, kBlock + 99).value(), kBlock + 99);
}

TEST_P(CopyRangeTest, CopiesBytesBetweenFilesAndWithinOne) {
  const std::string data = Pattern(5 * kBlock);
  Put("/a", data);
  ASSERT_OK_AND_ASSIGN(const Fd from, root().Open("/a", O_RDWR));
  const Fd to = OpenNew(root(), "/b");
  EXPECT_EQ(root().CopyRange(from, 3, to, 7, 3 * kBlock).value(), 3 * kBlock);
  EXPECT_TRUE(Get("/b") == std::string(7, '\0') + data.substr(3, 3 * kBlock));
  EXPECT_EQ(root().CopyRange(from, 0, from, 5 * kBlock, 10).value(), 10u);
  EXPECT_TRUE(Get("/a") == data + data.substr(0, 10));
}

TEST_P(CopyRangeTest, StopsAtTheEndOfTheSource) {
  Put("/a", "hello");
  ASSERT_OK_AND_ASSIGN(const Fd from, root().Open("/a", O_RDONLY));
  const Fd to = OpenNew(root(), "/b");
  EXPECT_EQ(root().CopyRange(from, 2, to, 0, 100).value(), 3u);
  EXPECT_EQ(root().CopyRange(from, 5, to, 0, 100).value(), 0u);
  EXPECT_EQ(Get("/b"), "llo");
}

TEST_P(CopyRangeTest, OverlapWithinOneFileFailsEINVAL) {
  Put("/a", "hello world");
  ASSERT_OK_AND_ASSIGN(const Fd fd, root().Open("/a", O_RDWR));
  EXPECT_ERROR(kEINVAL, root().CopyRange(fd, 0, fd, 3, 5));
  ASSERT_OK_AND_ASSIGN(const Fd reader, root().Open("/a", O_RDONLY));
  EXPECT_ERROR(kEBADF, root().CopyRange(fd, 0, reader, 0, 5));
}

}  // namespace
}  // namespace tarn::testing
