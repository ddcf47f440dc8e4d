#include "common/posix/names.h"

#include "tests/unit/posix/rules_fixture.h"

namespace tarn::posix {
namespace {

TEST(NamesTest, CheckNameAnswersByTheKindOfFault) {
  const struct {
    std::string name;
    Errno expected;
  } cases[] = {
      {"a", Errno::kOk},
      {"...", Errno::kOk},
      {" ", Errno::kOk},
      {"\xff\n\t", Errno::kOk},
      {std::string(255, 'x'), Errno::kOk},
      {std::string(256, 'x'), Errno::kENAMETOOLONG},
      {"", Errno::kENOENT},
      {"a/b", Errno::kEINVAL},
      {std::string("a\0b", 3), Errno::kEINVAL},
      {".", Errno::kEINVAL},
      {"..", Errno::kEINVAL},
  };
  for (const auto& c : cases) EXPECT_EQ(CheckName(c.name).code(), c.expected) << c.name;
}

using DotsTest = RulesFixture;

TEST_F(DotsTest, EveryVerbAnswersToDotsAsLinuxDoes) {
  Must(Dir("/d"));
  Must(File("/f"));
  for (std::string dots : {".", ".."}) {
    EXPECT_EQ(Dir("/d/" + dots).code(), Errno::kEEXIST);
    EXPECT_EQ(Node("/d/" + dots, FileType::kFifo).code(), Errno::kEEXIST);
    EXPECT_EQ(Sym("/d/" + dots, "t").code(), Errno::kEEXIST);
    EXPECT_EQ(Hard("/f", "/d/" + dots).code(), Errno::kEEXIST);
    EXPECT_EQ(File("/d/" + dots).code(), Errno::kEISDIR);
    EXPECT_EQ(Remove("/d/" + dots).code(), Errno::kEISDIR);
    EXPECT_EQ(Move("/d/" + dots, "/x").code(), Errno::kEBUSY);
    EXPECT_EQ(Move("/f", "/d/" + dots).code(), Errno::kEBUSY);
    EXPECT_EQ(Move("/f", "/d/" + dots, RenameMode::kNoReplace).code(), Errno::kEEXIST);
  }
  EXPECT_EQ(RmDir("/d/.").code(), Errno::kEINVAL);
  EXPECT_EQ(RmDir("/d/..").code(), Errno::kENOTEMPTY);
}

TEST_F(DotsTest, EveryVerbRefusesNamesThatCannotBe) {
  Must(File("/f"));
  const std::string kLong(256, 'x');
  EXPECT_EQ(Dir("/" + kLong).code(), Errno::kENAMETOOLONG);
  EXPECT_EQ(File("/" + kLong).code(), Errno::kENAMETOOLONG);
  EXPECT_EQ(Node("/" + kLong, FileType::kFifo).code(), Errno::kENAMETOOLONG);
  EXPECT_EQ(Sym("/" + kLong, "t").code(), Errno::kENAMETOOLONG);
  EXPECT_EQ(Hard("/f", "/" + kLong).code(), Errno::kENAMETOOLONG);
  EXPECT_EQ(Remove("/" + kLong).code(), Errno::kENAMETOOLONG);
  EXPECT_EQ(RmDir("/" + kLong).code(), Errno::kENAMETOOLONG);
  EXPECT_EQ(Move("/" + kLong, "/x").code(), Errno::kENAMETOOLONG);
  EXPECT_EQ(Move("/f", "/" + kLong).code(), Errno::kENAMETOOLONG);
  EXPECT_EQ(Dir("/").code(), Errno::kENOENT);
}

}  // namespace
}  // namespace tarn::posix
