// A small tree made by the rules, as clients would have it: what fsck, scrub and upgrades are tried
// on.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "common/posix/rules.h"
#include "server/store/store.h"
#include "tests/support/expect.h"

namespace tarn::store {

class Tree {
 public:
  explicit Tree(Store& store) : store_(store) {}

  static constexpr Handle kRoot{kRootIno, 0};

  Handle MakeDir(Handle dir, const std::string& name) {
    return Make([&](Txn& txn) {
      return posix::MakeDir(txn, {}, {.dir = dir, .name = name, .mode = 0755});
    });
  }
  Handle MakeFile(Handle dir, const std::string& name, const std::string& content) {
    const Handle file = Make([&](Txn& txn) {
      return posix::MakeNode(txn, {}, {.dir = dir, .name = name, .mode = 0644});
    });
    Write(file.ino, 0, content);
    return file;
  }
  Handle MakeSymLink(Handle dir, const std::string& name, const std::string& target) {
    return Make([&](Txn& txn) {
      return posix::SymLink(txn, {}, {.dir = dir, .name = name, .target = target});
    });
  }
  void Write(Ino ino, uint64_t offset, const std::string& content) {
    if (content.empty()) return;
    auto txn = Begin();
    Inode inode = txn->GetInode(ino).value().value();
    ASSERT_OK(txn->WriteData(inode, offset, Bytes::Copy(content)));
    txn->PutInode(inode);
    ASSERT_OK(txn->Commit());
  }
  void Link(Handle file, Handle dir, const std::string& name) {
    auto txn = Begin();
    ASSERT_OK(posix::Link(*txn, {}, {.inode = file, .new_dir = dir, .new_name = name}));
    ASSERT_OK(txn->Commit());
  }
  void SetXattr(Handle inode, const std::string& name, const std::string& value) {
    auto txn = Begin();
    ASSERT_OK(posix::SetXattr(*txn, {}, {.inode = inode, .name = name, .value = value}));
    ASSERT_OK(txn->Commit());
  }
  void Unlink(Handle dir, const std::string& name) {
    auto txn = Begin();
    ASSERT_OK(posix::Unlink(*txn, {}, {.dir = dir, .name = name}));
    ASSERT_OK(txn->Commit());
  }
  Inode Get(Ino ino) { return Begin()->GetInode(ino).value().value(); }
  // The content, or the errno's name.
  std::string Read(Ino ino) {
    auto txn = Begin();
    const auto inode = txn->GetInode(ino);
    if (!inode.ok()) return std::string(ErrnoName(inode.code()));
    if (!inode->has_value()) return "ENOENT";
    const auto data = txn->ReadData(**inode, 0, (*inode)->attr.size);
    return data.ok() ? data->ToString() : std::string(ErrnoName(data.code()));
  }

 private:
  std::unique_ptr<Txn> Begin() { return store_.Begin(Tier::kMayBlock, nullptr); }
  template <class F>
  Handle Make(F rule) {
    auto txn = Begin();
    const auto made = rule(*txn);
    EXPECT_OK(made);
    EXPECT_OK(txn->Commit());
    return made.ok() ? made->handle : Handle{};
  }

  Store& store_;
};

}  // namespace tarn::store
