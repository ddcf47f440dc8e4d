#include "tests/support/starter.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

namespace tarn::testing {
namespace {

// One message: this, then the words, each with its NUL: the log, the arguments, the environment.
struct Header {
  size_t arguments = 0;
  size_t variables = 0;
};
constexpr size_t kMessageMax = 128 * 1024;
constexpr size_t kWordsMax = 4096;

struct Message {
  Header header;
  std::array<char, kMessageMax> words;
};

void Must(bool ok, const char* what) {
  if (ok) return;
  std::perror(what);
  std::abort();
}

pid_t Clone(unsigned flags) {
  return static_cast<pid_t>(syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, 0));
}

// The test may have had threads when the starter was forked: from here on only async-signal-safe
// calls.
[[noreturn]] void Become(Message& message, pid_t tester) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != tester) _exit(126);
  char* word = message.words.data();
  const auto next = [&word] { return std::exchange(word, word + std::strlen(word) + 1); };
  const char* const log = next();
  static std::array<char*, kWordsMax> argv;
  static std::array<char*, kWordsMax> environment;
  for (size_t i = 0; i < message.header.arguments; ++i) argv[i] = next();
  for (size_t i = 0; i < message.header.variables; ++i) environment[i] = next();
  const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(in, STDIN_FILENO);
  if (*log != '\0') {
    const int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
  }
  execvpe(argv[0], argv.data(), environment.data());
  _exit(127);
}

[[noreturn]] void Serve(int socket, pid_t tester) {
  constexpr int kSocket = 3;
  if (socket != kSocket) dup3(socket, kSocket, O_CLOEXEC);
  close_range(kSocket + 1, ~0U, 0);
  static Message message;
  while (true) {
    const ssize_t size = recv(kSocket, &message, sizeof message, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) _exit(0);
    const pid_t pid = Clone(CLONE_PARENT);
    if (pid == 0) Become(message, tester);
    send(kSocket, &pid, sizeof pid, MSG_NOSIGNAL);
  }
}

}  // namespace

Starter& Starter::Get() {
  static Starter starter;
  return starter;
}

Starter::Starter() {
  std::array<int, 2> ends;
  Must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0, "socketpair");
  const pid_t tester = getpid();
  const pid_t pid = Clone(0);
  Must(pid >= 0, "clone");
  if (pid == 0) Serve(ends[1], tester);
  close(ends[1]);
  socket_ = ends[0];
}

pid_t Starter::Start(const std::vector<std::string>& argv, const std::string& log) {
  const auto message = std::make_unique<Message>();
  size_t size = 0;
  const auto add = [&](const std::string& word) {
    Must(size + word.size() < kMessageMax, "too many words");
    std::memcpy(message->words.data() + size, word.c_str(), word.size() + 1);
    size += word.size() + 1;
  };
  add(log);
  for (const std::string& word : argv) add(word);
  message->header.arguments = argv.size();
  for (char** variable = environ; *variable != nullptr; ++variable) {
    add(*variable);
    ++message->header.variables;
  }
  Must(argv.size() < kWordsMax && message->header.variables < kWordsMax, "too many words");
  size += sizeof(Header);
  MutexLock lock(&mu_);
  pid_t pid = -1;
  Must(send(socket_, message.get(), size, MSG_NOSIGNAL) == static_cast<ssize_t>(size), "send");
  Must(recv(socket_, &pid, sizeof pid, 0) == sizeof pid && pid > 0, "no child");
  return pid;
}

}  // namespace tarn::testing
