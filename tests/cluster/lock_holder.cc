// Holds a lock on a file until it is ended: lock_holder FILE range|flock. Says "held" when it has
// it. A program of its own because locks belong to processes.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const int fd = open(argv[1], O_RDWR | O_CREAT, 0644);
  if (fd < 0) {
    std::perror(argv[1]);
    return 1;
  }
  struct flock range = {};
  range.l_type = F_WRLCK;
  const bool is_range = std::string_view(argv[2]) == "range";
  if ((is_range ? fcntl(fd, F_SETLKW, &range) : flock(fd, LOCK_EX)) != 0) {
    std::perror("lock");
    return 1;
  }
  std::puts("held");
  std::fflush(stdout);
  pause();
  return 0;
}
