// Random operations of several users, step by step on Tarn and on the reference: every answer is
// compared, and every so often the whole tree.
//
// TARN_TEST_SEED=n runs one seed again; TARN_TEST_LONG=1 runs twenty times as many steps.
#include <cstdlib>
#include <deque>
#include <iostream>

#include "tests/conformance/fixture.h"
#include "tests/support/random_ops.h"
#include "tests/support/reference_fs.h"

namespace tarn::testing {
namespace {

constexpr int kStepsBetweenTrees = 250;
constexpr int kStepsBetweenRestarts = 1000;
constexpr size_t kShownSteps = 400;

class RandomTest : public ::testing::TestWithParam<SubjectKind> {
 protected:
  static int Steps(const Subject& subject) {
    const int steps = subject.is_mount() ? 1500 : 6000;
    return std::getenv("TARN_TEST_LONG") != nullptr ? steps * 20 : steps;
  }

  // One run; false when the two parted (then everything needed to run it again was printed).
  void Run(unsigned seed);

 private:
  void Begin() {
    tarn_ = std::make_unique<Players>(*subject_);
    model_ = std::make_unique<Players>(reference_);
  }
  void Restart();
  ::testing::AssertionResult Step(const RandomOp& op);
  std::string History() const {
    std::string text;
    for (const std::string& step : history_) text += "  " + step + "\n";
    return text;
  }

  ReferenceFs reference_;
  std::unique_ptr<Subject> subject_;  // outlives its players, also when a run ends early
  std::unique_ptr<Players> tarn_, model_;
  std::deque<std::string> history_;
};
INSTANTIATE_TEST_SUITE_P(Conformance, RandomTest, ::testing::ValuesIn(SubjectKinds()),
                         [](const auto& info) { return info.param.name; });

::testing::AssertionResult RandomTest::Step(const RandomOp& op) {
  const std::string actual = tarn_->Run(op);
  const std::string expected = model_->Run(op);
  history_.push_back(op.ToString() + " -> " + expected);
  if (history_.size() > kShownSteps) history_.pop_front();
  if (actual == expected) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "expected " << expected << ", got " << actual;
}

// Closes everything, starts the store again, and goes on with the same tree.
void RandomTest::Restart() {
  tarn_.reset();
  model_.reset();
  subject_->Restart();
  Begin();
}

void RandomTest::Run(unsigned seed) {
  subject_ = GetParam().make();
  if (subject_ == nullptr) GTEST_SKIP() << "needs root and /dev/fuse";
  Begin();
  RandomOps ops(seed, {.special_modes = !subject_->is_mount()});
  for (Players* players : {tarn_.get(), model_.get()}) {
    ASSERT_OK(players->root().Chmod("/", 0777));
  }
  const int steps = Steps(*subject_);
  for (int step = 1; step <= steps; ++step) {
    ASSERT_TRUE(Step(ops.Next())) << "seed " << seed << ", step " << step << "\n" << History();
    if (step % kStepsBetweenRestarts == 0 && !subject_->is_mount()) Restart();
    if (step % kStepsBetweenTrees == 0 || step == steps) {
      ASSERT_EQ(FirstDifference(DescribeTree(tarn_->root()), DescribeTree(model_->root())), "")
          << "seed " << seed << ", step " << step << "\n"
          << History();
    }
  }
}

TEST_P(RandomTest, OperationsAnswerAsTheReferenceDoes) {
  if (const char* seed = std::getenv("TARN_TEST_SEED"); seed != nullptr) {
    Run(static_cast<unsigned>(std::strtoul(seed, nullptr, 10)));
    return;
  }
  Run(1);
}

TEST_P(RandomTest, OtherOperationsAnswerAsTheReferenceDoes) {
  const unsigned seed = std::random_device()();
  std::cout << "seed " << seed << std::endl;
  Run(seed);
}

}  // namespace
}  // namespace tarn::testing
