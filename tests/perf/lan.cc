// Runs a command that finds a network of hosts on this machine (tests/support/lan.h), for
// measurements by hand:
//
//   lan --hosts 3 --delay-us 1000 -- sh -c '
//     $HOST_0 tarnd --state /tmp/s --listen $ADDRESS_0:7433 --insecure &
//     $HOST_1 tarn mount $ADDRESS_0:/default /mnt1 …'
//
// HOST_n is what to put before a command so that it runs on host n, ADDRESS_n its address.
// Root. The network ends with the command.
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/support/lan.h"

int main(int argc, char** argv) {
  using tarn::testing::Lan;
  using tarn::testing::Link;
  CLI::App app("Runs a command that finds a network of hosts on this machine: see lan.cc.");
  size_t hosts = 2;
  int64_t delay_us = 0;
  std::vector<std::string> command;
  app.add_option("--hosts", hosts, "How many")->check(CLI::Range(size_t{1}, Lan::kHostsMax));
  app.add_option("--delay-us", delay_us, "How long a packet is under way")
      ->check(CLI::Range(int64_t{0}, int64_t{1'000'000}));
  app.add_option("command", command, "The command and its arguments")->required();
  CLI11_PARSE(app, argc, argv);

  Lan lan(hosts);
  for (size_t i = 0; i < hosts; ++i) {
    // Half at either end, so that it is the same between any two.
    lan.Set(i, Link::Both({.delay = std::chrono::microseconds(delay_us) / 2}));
    std::string words;
    for (const std::string& word : lan.Inside(i)) words += word + " ";
    setenv(("HOST_" + std::to_string(i)).c_str(), words.c_str(), 1);
    setenv(("ADDRESS_" + std::to_string(i)).c_str(), lan.address(i).c_str(), 1);
  }
  std::vector<char*> words;
  for (std::string& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    execvp(words[0], words.data());
    std::perror(words[0]);
    _exit(127);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return 127;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
