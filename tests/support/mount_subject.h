// MountSubject: programs on a real mount (or on any directory), by real system calls.
//
// A process is a thread that has left its siblings as far as a file system can tell: raw system
// calls give it its own ids (glibc's would change the whole program's), unshare(2) its own
// descriptors (so that it is a lock owner of its own), directory and umask.
#pragma once

#include <memory>
#include <string>

#include "tests/support/subject.h"

namespace tarn::testing {

class MountSubject : public Subject {
 public:
  // Paths of the processes begin at `base`, which every user must be able to reach. REQUIRES: root.
  // `owner` (the mount) lives as long as the subject.
  explicit MountSubject(std::string base, std::shared_ptr<void> owner = nullptr);

  std::unique_ptr<Process> Start(const User& user) override;
  bool is_mount() const override { return true; }
  const std::string& base() const { return base_; }

 private:
  const std::string base_;
  const std::shared_ptr<void> owner_;
};

}  // namespace tarn::testing
