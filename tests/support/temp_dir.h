// A directory of its own for one test, gone with everything in it when the test ends.
#pragma once

#include <string>

namespace tarn::testing {

class TempDir {
 public:
  // Below $TMPDIR, else /tmp; every user may search it, since tests act as several.
  TempDir();
  // Removes the tree, but crosses into no mount that was left in it.
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace tarn::testing
