// The fixture of the conformance suite: each rule of POSIX is written once, as a test over Subject,
// and run on every stage of Tarn.
//
//   TARN_CONFORMANCE(RenameTest);
//   TEST_P(RenameTest, MissingSourceFailsENOENT) { … root().Rename("/a", "/b") … }
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/support/expect.h"
#include "tests/support/subject.h"

namespace tarn::testing {

// A way to make a fresh, empty file system.
struct SubjectKind {
  std::string name;
  std::unique_ptr<Subject> (*make)();
};
inline void PrintTo(const SubjectKind& kind, std::ostream* out) {
  *out << kind.name;
}

// All of them that this build has: subjects.cc.
std::vector<SubjectKind> SubjectKinds();

class ConformanceTest : public ::testing::TestWithParam<SubjectKind> {
 protected:
  // The root directory is everybody's to write in, and empty.
  void SetUp() override {
    subject_ = GetParam().make();
    if (subject_ == nullptr) GTEST_SKIP() << "needs root and /dev/fuse";
    ASSERT_OK(root().Chmod("/", 0777));
  }
  void TearDown() override {
    for (auto* process : {&root_, &alice_, &bob_, &carol_}) process->reset();
    subject_.reset();
  }

  Subject& subject() { return *subject_; }
  // One process of each user, for all of a test.
  Process& root() { return Lazily(root_, kRoot); }
  Process& alice() { return Lazily(alice_, kAlice); }  // shares kSharedGroup with Bob
  Process& bob() { return Lazily(bob_, kBob); }
  Process& carol() { return Lazily(carol_, kCarol); }  // shares nothing with anybody

  // Attributes that must be there.
  Attr StatOf(const std::string& path) {
    auto attr = root().LStat(path);
    EXPECT_OK(attr) << path;
    return attr.ok() ? *attr : Attr{};
  }
  void Put(const std::string& path, std::string_view content = "", uint32_t mode = 0644) {
    EXPECT_OK(PutFile(root(), path, content, mode)) << path;
  }
  std::string Get(const std::string& path) {
    auto content = GetFile(root(), path);
    EXPECT_OK(content) << path;
    return content.ok() ? *content : "";
  }
  std::vector<std::string> Names(const std::string& path) {
    auto names = NamesIn(root(), path);
    EXPECT_OK(names) << path;
    return names.ok() ? *names : std::vector<std::string>{};
  }

 private:
  Process& Lazily(std::unique_ptr<Process>& process, const User& user) {
    if (process == nullptr) process = subject_->Start(user);
    return *process;
  }

  std::unique_ptr<Subject> subject_;
  std::unique_ptr<Process> root_, alice_, bob_, carol_;
};

}  // namespace tarn::testing

// Declares a fixture of the suite and runs it on every subject.
#define TARN_CONFORMANCE(Fixture)                                                     \
  class Fixture : public ConformanceTest {};                                          \
  INSTANTIATE_TEST_SUITE_P(Conformance, Fixture, ::testing::ValuesIn(SubjectKinds()), \
                           [](const auto& info) { return info.param.name; })
