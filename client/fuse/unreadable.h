// A byte that nobody can read.
#pragma once

#include <sys/mman.h>

namespace tarn::fuse {

// For a system call that is to fail with EFAULT when it comes to the bytes.
class Unreadable {
 public:
  Unreadable() : at_(mmap(nullptr, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  ~Unreadable() {
    if (at_ != MAP_FAILED) munmap(at_, 1);
  }
  Unreadable(const Unreadable&) = delete;
  Unreadable& operator=(const Unreadable&) = delete;

  void* get() const { return at_; }  // MAP_FAILED, without memory, is not readable either

 private:
  void* const at_;
};

}  // namespace tarn::fuse
