// Extended attributes: the user and trusted namespaces, limits, permissions.
#include "common/limits.h"
#include "tests/conformance/fixture.h"

namespace tarn::testing {
namespace {

TARN_CONFORMANCE(XattrTest);

TEST_P(XattrTest, ValuesAreKeptListedAndRemoved) {
  Put("/f");
  ASSERT_OK(root().MakeDir("/d", 0755));
  for (const char* path : {"/f", "/d"}) {
    SCOPED_TRACE(path);
    const std::string binary("a\0b\xff", 4);
    ASSERT_OK(root().SetXattr(path, "user.one", binary));
    ASSERT_OK(root().SetXattr(path, "user.two", ""));
    EXPECT_EQ(root().GetXattr(path, "user.one").value(), binary);
    EXPECT_EQ(root().GetXattr(path, "user.two").value(), "");
    EXPECT_EQ(root().ListXattr(path).value(), (std::vector<std::string>{"user.one", "user.two"}));
    ASSERT_OK(root().SetXattr(path, "user.one", "new"));
    EXPECT_EQ(root().GetXattr(path, "user.one").value(), "new");
    ASSERT_OK(root().RemoveXattr(path, "user.one"));
    EXPECT_ERROR(kENODATA, root().GetXattr(path, "user.one"));
    EXPECT_ERROR(kENODATA, root().RemoveXattr(path, "user.one"));
    EXPECT_EQ(root().ListXattr(path)->size(), 1u);
  }
}

TEST_P(XattrTest, CreateAndReplaceInsistOnWhatIsThere) {
  Put("/f");
  EXPECT_ERROR(kENODATA, root().SetXattr("/f", "user.a", "1", XattrMode::kReplace));
  EXPECT_OK(root().SetXattr("/f", "user.a", "1", XattrMode::kCreate));
  EXPECT_ERROR(kEEXIST, root().SetXattr("/f", "user.a", "2", XattrMode::kCreate));
  EXPECT_OK(root().SetXattr("/f", "user.a", "3", XattrMode::kReplace));
  EXPECT_EQ(root().GetXattr("/f", "user.a").value(), "3");
}

TEST_P(XattrTest, LimitsAnswerWithTheirOwnErrors) {
  Put("/f");
  const std::string longest = "user." + std::string(kXattrNameMaxBytes - 5, 'n');
  EXPECT_OK(root().SetXattr("/f", longest, "x"));
  EXPECT_ERROR(kERANGE, root().SetXattr("/f", longest + "n", "x"));
  const std::string largest(kXattrValueMaxBytes, 'v');
  EXPECT_OK(root().SetXattr("/f", "user.large", largest));
  EXPECT_TRUE(root().GetXattr("/f", "user.large").value() == largest);
  EXPECT_ERROR(kE2BIG, root().SetXattr("/f", "user.larger", largest + "v"));
  EXPECT_ERROR(kEOPNOTSUPP, root().SetXattr("/f", "nonsense.a", "x"));
  EXPECT_ERROR(kEOPNOTSUPP, root().SetXattr("/f", "plain", "x"));
}

TEST_P(XattrTest, MoreThanAMegabyteOnOneInodeFailsENOSPC) {
  Put("/f");
  const std::string value(kXattrValueMaxBytes, 'v');
  Status last = Ok();
  int set = 0;
  for (; set < 20 && last.ok(); ++set) {
    last = root().SetXattr("/f", "user." + std::to_string(set), value);
  }
  EXPECT_ERROR(kENOSPC, last);
  EXPECT_EQ(set, 16);  // 15 fit, with their names
  EXPECT_OK(root().RemoveXattr("/f", "user.0"));
  EXPECT_OK(root().SetXattr("/f", "user.again", value));
}

TEST_P(XattrTest, UserAttributesFollowTheModeOfFiles) {
  ASSERT_OK(PutFile(alice(), "/f", "", 0604));
  ASSERT_OK(alice().SetXattr("/f", "user.a", "1"));
  EXPECT_EQ(carol().GetXattr("/f", "user.a").value(), "1");
  EXPECT_ERROR(kEACCES, carol().SetXattr("/f", "user.a", "2"));
  EXPECT_ERROR(kEACCES, carol().RemoveXattr("/f", "user.a"));
  ASSERT_OK(alice().Chmod("/f", 0600));
  EXPECT_ERROR(kEACCES, carol().GetXattr("/f", "user.a"));
}

TEST_P(XattrTest, UserAttributesAreForFilesAndDirectoriesOnly) {
  ASSERT_OK(root().SymLink("t", "/l"));
  ASSERT_OK(root().MakeNode("/p", FileType::kFifo, 0644, 0));
  EXPECT_ERROR(kEPERM, root().SetXattr("/l", "user.a", "1"));
  EXPECT_ERROR(kEPERM, root().SetXattr("/p", "user.a", "1"));
  EXPECT_OK(root().SetXattr("/p", "trusted.a", "1"));
}

TEST_P(XattrTest, TrustedAttributesAreRootsOwn) {
  ASSERT_OK(PutFile(alice(), "/f", "", 0666));
  ASSERT_OK(root().SetXattr("/f", "trusted.a", "1"));
  EXPECT_EQ(root().GetXattr("/f", "trusted.a").value(), "1");
  EXPECT_ERROR(kENODATA, alice().GetXattr("/f", "trusted.a"));
  EXPECT_ERROR(kEPERM, alice().SetXattr("/f", "trusted.b", "1"));
  EXPECT_TRUE(alice().ListXattr("/f")->empty());
}

TEST_P(XattrTest, StayWithTheInodeAcrossRenameAndLink) {
  Put("/a");
  ASSERT_OK(root().SetXattr("/a", "user.x", "1"));
  ASSERT_OK(root().Link("/a", "/b"));
  ASSERT_OK(root().Rename("/a", "/c"));
  ASSERT_OK(root().Unlink("/b"));
  EXPECT_EQ(root().GetXattr("/c", "user.x").value(), "1");
}

}  // namespace
}  // namespace tarn::testing
