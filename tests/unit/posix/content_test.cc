// PrepareRead, AccessIsDue, TouchAccess, PrepareWrite, Allocate, PrepareSeek, PrepareCopy.
#include "tests/unit/posix/rules_fixture.h"

namespace tarn::posix {
namespace {

constexpr int64_t kDay = 24 * 3600 * kSecondNanos;

class ContentTest : public RulesFixture {
 protected:
  void Sized(const std::string& path, uint64_t size) {
    Must(File(path));
    At(At(path)).attr.size = At(At(path)).attr.allocated = size;
  }
  Result<ReadPlan> Read(const std::string& path, uint64_t offset, uint32_t size) {
    return Run([&](MetaTxn& txn) { return PrepareRead(txn, kRoot, {At(path), {}, offset, size}); });
  }
  Result<WritePlan> Write(const std::string& path, uint64_t offset, size_t size,
                          const Caller& caller = kRoot, bool append = false, bool kill = false) {
    return Run([&](MetaTxn& txn) {
      return PrepareWrite(txn, caller,
                          {.inode = At(path),
                           .offset = offset,
                           .append = append,
                           .kill_privileges = kill,
                           .data = Bytes::Zeros(size)});
    });
  }
  Result<AttrReply> Alloc(const std::string& path, uint64_t offset, uint64_t length,
                          AllocateMode mode, const Caller& caller = kRoot) {
    return Run([&](MetaTxn& txn) {
      return Allocate(txn, caller, {At(path), {}, offset, length, mode});
    });
  }
  Result<CopyPlan> Copy(const std::string& from, uint64_t from_offset, const std::string& to,
                        uint64_t to_offset, uint64_t length, const Caller& caller = kRoot) {
    return Run([&](MetaTxn& txn) {
      return PrepareCopy(txn, caller,
                         {.source = At(from),
                          .source_offset = from_offset,
                          .target = At(to),
                          .target_offset = to_offset,
                          .length = length},
                         1000);
    });
  }
};

TEST_F(ContentTest, ReadIsCutAtTheEnd) {
  Sized("/f", 100);
  EXPECT_EQ(Read("/f", 0, 10)->size, 10u);
  EXPECT_EQ(Read("/f", 95, 10)->size, 5u);
  EXPECT_EQ(Read("/f", 100, 10)->size, 0u);
  EXPECT_EQ(Read("/f", UINT64_MAX, 10)->size, 0u);
  Must(Dir("/d"));
  Must(Node("/p", FileType::kFifo));
  EXPECT_EQ(Read("/d", 0, 1).code(), Errno::kEISDIR);
  EXPECT_EQ(Read("/p", 0, 1).code(), Errno::kEINVAL);
  EXPECT_EQ(Read("/none", 0, 1).code(), Errno::kESTALE);
}

TEST_F(ContentTest, AccessTimeIsRelative) {
  Inode inode;
  const Timestamp kNow{100 * kDay + 12 * 3600 * kSecondNanos};
  auto before = [&](int64_t ns) { return Timestamp{kNow.ns - ns}; };
  inode.access_day = 100;
  inode.attr.mtime = inode.attr.ctime = before(3600);
  inode.attr.atime = before(60);
  EXPECT_FALSE(AccessIsDue(inode, kNow));
  inode.attr.mtime = inode.attr.atime;
  EXPECT_TRUE(AccessIsDue(inode, kNow));
  inode.attr.mtime = before(3600);
  inode.attr.ctime = before(10);
  EXPECT_TRUE(AccessIsDue(inode, kNow));
  inode.attr.mtime = inode.attr.ctime = before(3 * kDay);
  inode.attr.atime = before(kDay);
  EXPECT_TRUE(AccessIsDue(inode, kNow));
  inode.attr.atime = before(60);
  inode.access_day = 99;
  EXPECT_TRUE(AccessIsDue(inode, kNow));
}

TEST_F(ContentTest, TouchAccessIsNoChange) {
  Must(File("/f"));
  Attr expected = AttrOf("/f");
  Must(Run([&](MetaTxn& txn) -> Status {
    ASSIGN_OR_RETURN(ReadPlan plan, PrepareRead(txn, kRoot, {At("/f"), {}, 0, 1}));
    TouchAccess(txn, plan.inode);
    return Ok();
  }));
  expected.atime = now;
  EXPECT_EQ(AttrOf("/f"), expected);
  EXPECT_EQ(At(At("/f")).access_day, now.ns / kDay);
  EXPECT_FALSE(AccessIsDue(At(At("/f")), now));
}

TEST_F(ContentTest, WriteMarksTheInodeAndLeavesTheSize) {
  Sized("/f", 100);
  Attr before = AttrOf("/f");
  WritePlan plan = *Write("/f", 7, 10);
  EXPECT_EQ(plan.offset, 7u);
  EXPECT_EQ(plan.inode.attr.mtime, now);
  EXPECT_EQ(plan.inode.attr.ctime, now);
  EXPECT_EQ(plan.inode.attr.version, before.version + 1);
  EXPECT_EQ(plan.inode.attr.size, 100u);
  EXPECT_EQ(Write("/f", 7, 10, kRoot, /*append=*/true)->offset, 100u);
  EXPECT_EQ(AttrOf("/f"), before);  // to be put by the driver
  EXPECT_EQ(Write("/f", 7, 0)->inode.attr, before);
}

TEST_F(ContentTest, WriteChecksTypeRightAndLimit) {
  Sized("/f", 0);
  Must(Dir("/d"));
  Must(Node("/p", FileType::kFifo));
  EXPECT_EQ(Write("/d", 0, 1).code(), Errno::kEISDIR);
  EXPECT_EQ(Write("/p", 0, 1).code(), Errno::kEINVAL);
  EXPECT_EQ(Write("/f", 0, 1, ReadOnly(kRoot)).code(), Errno::kEROFS);
  EXPECT_EQ(Write("/f", kFileMaxBytes, 1).code(), Errno::kEFBIG);
  EXPECT_EQ(Write("/f", UINT64_MAX, 1).code(), Errno::kEFBIG);
  EXPECT_TRUE(Write("/f", kFileMaxBytes - 1, 1).ok());
  EXPECT_EQ(Write("/f", kFileMaxBytes - 1, 2).code(), Errno::kEFBIG);
}

TEST_F(ContentTest, WriteTakesPrivileges) {
  const struct {
    uint32_t before;
    Caller caller;
    bool kill;
    uint32_t after;
  } cases[] = {
      {06777, kRoot, false, 06777},          {06777, kRoot, true, 0777},
      {06777, kAlice, false, 0777},          {02666, kAlice, false, 0666},
      {02666, User(5, {500}), false, 02666}, {01666, kAlice, true, 01666},
  };
  for (const auto& c : cases) {
    meta = testing::MemMeta();
    Must(File("/f"));
    Own("/f", 7, 500);
    Mode("/f", c.before);
    EXPECT_EQ(Write("/f", 0, 1, c.caller, false, c.kill)->inode.attr.mode, c.after);
    Must(SetX("/f", "security.capability", "caps"));
    Must(Write("/f", 0, 1, c.caller));
    EXPECT_EQ(GetX("/f", "security.capability").code(), Errno::kENODATA);
  }
}

// What a mapping stores is written back by whoever comes by, as root: Linux takes nothing then.
TEST_F(ContentTest, PagesOfAMappingTakeNoPrivileges) {
  Must(File("/f"));
  Mode("/f", 06777);
  Must(SetX("/f", "security.capability", "caps"));
  const WriteArgs args{
      .inode = At("/f"), .kill_privileges = true, .mapped = true, .data = Bytes::Zeros(1)};
  const auto write = [&](MetaTxn& txn) { return PrepareWrite(txn, kAlice, args); };
  EXPECT_EQ(Must(Run(write)).inode.attr.mode, 06777u);
  EXPECT_EQ(Must(GetX("/f", "security.capability")).value, "caps");
}

// A write once took S_ISGID without group execution from the file of a group that the writer is in,
// because writes come without groups.
TEST_F(ContentTest, WhatAWriteTakesIsNotDecidedWithoutGroupsThatMatter) {
  Must(File("/f"));
  At(At("/f")).attr.gid = 500;
  Caller unknown = User(1000);
  unknown.groups.reset();
  const auto allocate = [&](const Caller& caller) {
    return Run([&](MetaTxn& t) { return Allocate(t, caller, {.inode = At("/f"), .length = 1}); })
        .code();
  };
  At(At("/f")).attr.mode = 02666;
  EXPECT_EQ(allocate(unknown), Errno::kEPERM);
  EXPECT_EQ(allocate(User(1000, {500})), Errno::kOk);
  EXPECT_EQ(AttrOf("/f").mode, 02666u);
  EXPECT_EQ(allocate(kAlice), Errno::kOk);
  EXPECT_EQ(AttrOf("/f").mode, 0666u);
  At(At("/f")).attr.mode = 06676;
  EXPECT_EQ(allocate(unknown), Errno::kOk);  // gone for everybody
  EXPECT_EQ(AttrOf("/f").mode, 0676u);
}

TEST_F(ContentTest, AllocateDoesWhatItsModeSays) {
  const struct {
    AllocateMode mode;
    uint64_t offset, length, size, allocated;
  } cases[] = {
      {AllocateMode::kExtend, 0, 20000, 20000, 8192},
      {AllocateMode::kExtend, 0, 100, 8192, 8192},
      {AllocateMode::kKeepSize, 0, 20000, 8192, 8192},
      {AllocateMode::kPunchHole, 0, 4096, 8192, 4096},
      {AllocateMode::kPunchHole, 0, 20000, 8192, 0},
      {AllocateMode::kPunchHole, 10000, 100, 8192, 8192},
      {AllocateMode::kZeroRange, 4096, 20000, 24096, 4096},
      {AllocateMode::kZeroRangeKeepSize, 4096, 20000, 8192, 4096},
  };
  for (const auto& c : cases) {
    meta = testing::MemMeta();
    Sized("/f", 8192);
    uint64_t version = AttrOf("/f").version;
    AttrReply reply = Must(Alloc("/f", c.offset, c.length, c.mode));
    EXPECT_EQ(reply.attr, AttrOf("/f"));
    EXPECT_EQ(AttrOf("/f").size, c.size) << int{Raw(c.mode)};
    EXPECT_EQ(AttrOf("/f").allocated, c.allocated) << int{Raw(c.mode)};
    EXPECT_EQ(AttrOf("/f").mtime, now);
    EXPECT_EQ(AttrOf("/f").version, version + 1);
  }
}

TEST_F(ContentTest, AllocateChecksTypeRangeAndRight) {
  Sized("/f", 10);
  Must(Dir("/d"));
  Must(Node("/p", FileType::kFifo));
  EXPECT_EQ(Alloc("/f", 0, 0, AllocateMode::kExtend).code(), Errno::kEINVAL);
  EXPECT_EQ(Alloc("/f", 0, 1, AllocateMode{9}).code(), Errno::kEINVAL);
  EXPECT_EQ(Alloc("/d", 0, 1, AllocateMode::kExtend).code(), Errno::kEISDIR);
  EXPECT_EQ(Alloc("/p", 0, 1, AllocateMode::kExtend).code(), Errno::kENODEV);
  EXPECT_EQ(Alloc("/f", kFileMaxBytes, 1, AllocateMode::kExtend).code(), Errno::kEFBIG);
  EXPECT_EQ(Alloc("/f", 2, UINT64_MAX, AllocateMode::kPunchHole).code(), Errno::kEFBIG);
  EXPECT_EQ(Alloc("/f", 0, 1, AllocateMode::kExtend, ReadOnly(kRoot)).code(), Errno::kEROFS);
}

TEST_F(ContentTest, SeekIsWithinAFile) {
  Sized("/f", 10);
  Must(Dir("/d"));
  auto seek = [&](const std::string& path, uint64_t offset) {
    return Run([&](MetaTxn& txn) { return PrepareSeek(txn, kRoot, {At(path), {}, offset}); });
  };
  EXPECT_EQ(seek("/f", 9)->attr, AttrOf("/f"));
  EXPECT_EQ(seek("/f", 10).code(), Errno::kENXIO);
  EXPECT_EQ(seek("/d", 0).code(), Errno::kEINVAL);
}

TEST_F(ContentTest, CopyIsCutAndChecked) {
  Sized("/a", 500);
  Sized("/b", 0);
  Sized("/big", 5000);
  Must(Dir("/d"));
  Must(Node("/p", FileType::kFifo));
  EXPECT_EQ(Copy("/a", 0, "/b", 0, 100)->length, 100u);
  EXPECT_EQ(Copy("/a", 450, "/b", 0, 100)->length, 50u);
  EXPECT_EQ(Copy("/a", 500, "/b", 0, 100)->length, 0u);
  EXPECT_EQ(Copy("/big", 0, "/b", 0, 5000)->length, 1000u);  // at most what was asked for at once
  EXPECT_EQ(Copy("/a", 0, "/b", kFileMaxBytes - 7, 100)->length, 7u);
  EXPECT_EQ(Copy("/a", 0, "/b", kFileMaxBytes, 100).code(), Errno::kEFBIG);
  EXPECT_EQ(Copy("/a", UINT64_MAX, "/b", 0, 100).code(), Errno::kEOVERFLOW);
  EXPECT_EQ(Copy("/d", 0, "/b", 0, 1).code(), Errno::kEISDIR);
  EXPECT_EQ(Copy("/p", 0, "/d", 0, 1).code(), Errno::kEISDIR);
  EXPECT_EQ(Copy("/a", 0, "/p", 0, 1).code(), Errno::kEINVAL);
  EXPECT_EQ(Copy("/a", 0, "/b", 0, 1, ReadOnly(kRoot)).code(), Errno::kEROFS);
}

TEST_F(ContentTest, CopyWithinOneFileMustNotOverlap) {
  Sized("/a", 500);
  EXPECT_EQ(Copy("/a", 0, "/a", 0, 1).code(), Errno::kEINVAL);
  EXPECT_EQ(Copy("/a", 0, "/a", 99, 100).code(), Errno::kEINVAL);
  EXPECT_EQ(Copy("/a", 99, "/a", 0, 100).code(), Errno::kEINVAL);
  EXPECT_EQ(Copy("/a", 0, "/a", 100, 100)->length, 100u);
  // Only what there is to copy counts.
  EXPECT_EQ(Copy("/a", 400, "/a", 500, 1000)->length, 100u);
}

TEST_F(ContentTest, CopyMarksTheTargetIfThereIsAnythingToCopy) {
  Sized("/a", 500);
  Sized("/b", 0);
  Mode("/b", 06777);
  Attr before = AttrOf("/b");
  EXPECT_EQ(Copy("/a", 500, "/b", 0, 1, kAlice)->target.attr, before);
  CopyPlan plan = *Copy("/a", 0, "/b", 0, 1, kAlice);
  EXPECT_EQ(plan.target.attr.mode, 0777u);
  EXPECT_EQ(plan.target.attr.mtime, now);
  EXPECT_EQ(plan.source.attr, AttrOf("/a"));
}

}  // namespace
}  // namespace tarn::posix
