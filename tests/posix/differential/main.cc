// differential: the same random system calls on two directories, compared after every step.
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "tests/posix/differential/flags.h"
#include "tests/posix/differential/generator.h"
#include "tests/posix/differential/inject.h"
#include "tests/posix/differential/known_differences.h"
#include "tests/posix/differential/shrinker.h"
#include "tests/posix/differential/trial.h"

namespace tarn::differential {
namespace {

constexpr char kUsage[] =
    R"(Usage: differential --a DIR --b DIR [--steps N] [--seed S] [--replay FILE]

Performs the same random system calls below both directories, as several users and processes, and
compares results, errnos and the touched objects after every step and the whole tree every 500.
Needs root. --a is the tested directory, --b the reference: a local file system, ext4 say.

  --steps N            how many (100000)
  --seed S             of the random choices (a new one, printed)
  --replay FILE        executes the steps of a script instead
  --save FILE          where the shortened script of a failure goes (it is printed too)
  --shrink-seconds N   how long a failure may be shortened (120; 0: not at all)
  --tree-every N       steps between comparisons of the whole tree (500)
  --pass-over TEXT     goes on after mismatches with this in label or message, to see what else
                       there is
  --coverage           prints how often each verb gave which errno
  --inject KIND        falsifies what the tested side says, to prove that this is noticed
  --list-injections    prints the KINDs
  --list-known         prints the known differences, which are let pass, with their reasons

Exit status: 0 no difference, 1 a difference, 2 wrong usage.
)";

struct Options {
  TrialSettings settings;
  size_t steps = 100'000;
  uint64_t seed = 0;
  std::string replay, save;
  double shrink_seconds = 120;
  size_t tree_every = 500;
  bool coverage = false;
};

// Exits for the options that only print.
void List(bool injections) {
  if (injections) {
    for (const std::string_view kind : InjectionKinds()) std::cout << kind << "\n";
  } else {
    for (const KnownDifference& known : kKnownDifferences) {
      std::cout << known.what << "\n  why: " << known.reason << "\n  here: " << known.treatment
                << "\n";
    }
  }
  exit(0);
}

bool ParseOptions(int argc, char** argv, Options* options) {
  static const option kOptions[] = {{"a", required_argument, nullptr, 'a'},
                                    {"b", required_argument, nullptr, 'b'},
                                    {"steps", required_argument, nullptr, 'n'},
                                    {"seed", required_argument, nullptr, 's'},
                                    {"replay", required_argument, nullptr, 'r'},
                                    {"save", required_argument, nullptr, 'o'},
                                    {"shrink-seconds", required_argument, nullptr, 'z'},
                                    {"tree-every", required_argument, nullptr, 't'},
                                    {"pass-over", required_argument, nullptr, 'l'},
                                    {"coverage", no_argument, nullptr, 'c'},
                                    {"inject", required_argument, nullptr, 'i'},
                                    {"list-injections", no_argument, nullptr, 'I'},
                                    {"list-known", no_argument, nullptr, 'K'},
                                    {nullptr, 0, nullptr, 0}};
  for (int c; (c = getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    switch (c) {
      case 'a':
        options->settings.tested = optarg;
        break;
      case 'b':
        options->settings.reference = optarg;
        break;
      case 'n':
        options->steps = strtoull(optarg, nullptr, 10);
        break;
      case 's':
        options->seed = strtoull(optarg, nullptr, 10);
        break;
      case 'r':
        options->replay = optarg;
        break;
      case 'o':
        options->save = optarg;
        break;
      case 'z':
        options->shrink_seconds = strtod(optarg, nullptr);
        break;
      case 't':
        options->tree_every = strtoull(optarg, nullptr, 10);
        break;
      case 'l':
        options->settings.passed_over.push_back(optarg);
        break;
      case 'c':
        options->coverage = true;
        break;
      case 'i':
        options->settings.injection = optarg;
        break;
      case 'I':
        List(true);
        break;
      case 'K':
        List(false);
        break;
      default:
        return false;
    }
  }
  if (!options->settings.injection.empty() && !IsInjection(options->settings.injection))
    return false;
  const bool directories =
      !options->settings.tested.empty() && !options->settings.reference.empty();
  return optind == argc && directories;
}

bool ReadScript(const std::string& path, std::vector<Op>* ops) {
  std::ifstream in(path);
  if (!in) {
    std::cerr << "differential: cannot read " << path << "\n";
    return false;
  }
  size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    const std::optional<Op> op = ParseOp(line);
    if (!op) {
      std::cerr << "differential: " << path << ":" << number << ": not a step: " << line << "\n";
      return false;
    }
    ops->push_back(*op);
  }
  return true;
}

void Report(const Options& options, const Failure& failure, const std::vector<Op>& ops) {
  std::string script = "# " + failure.mismatch.message + "\n";
  for (const Op& op : ops) script += FormatOp(op) + "\n";
  std::cout << "--- script (differential --replay FILE) ---\n" << script << "---" << std::endl;
  if (!options.save.empty()) std::ofstream(options.save) << script;
}

// How often each verb gave which errno (0: success) on the reference side.
using Coverage = std::map<Verb, std::map<int, size_t>>;

void PrintCoverage(const Coverage& coverage) {
  for (const auto& [verb, errors] : coverage) {
    std::cout << Info(verb).name << ":";
    for (const auto& [error, count] : errors) std::cout << " " << ErrorName(error) << " " << count;
    std::cout << "\n";
  }
}

int Run(const Options& options) {
  std::vector<Op> ops;
  Steps steps;
  Generator generator(options.seed);
  if (!options.replay.empty()) {
    if (!ReadScript(options.replay, &ops)) return 2;
    steps = [&ops](size_t index) {
      return index < ops.size() ? std::optional<Op>(ops[index]) : std::nullopt;
    };
  } else {
    steps = [&](size_t index) -> std::optional<Op> {
      if (index >= options.steps) return std::nullopt;
      ops.push_back(generator.Next());
      return ops.back();
    };
  }
  const auto start = std::chrono::steady_clock::now();
  Coverage coverage;
  const auto learn = [&](const Op& op, const Answer& answer) {
    ++coverage[op.verb][answer.error];
    generator.Learn(op, answer.error);
  };
  const std::optional<Failure> failure =
      RunTrial(options.settings, steps, learn, options.tree_every);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (options.coverage) PrintCoverage(coverage);
  if (!failure) {
    printf("%zu steps agree, %.0f a second\n", ops.size(),
           static_cast<double>(ops.size()) / seconds);
    return 0;
  }
  ops.resize(std::min(ops.size(), failure->steps));
  std::cout << "FAIL after step " << failure->steps
            << (failure->in_tree ? ", in the whole tree" : "") << ": " << failure->mismatch.message
            << "\nlabel: " << failure->mismatch.label << std::endl;
  if (!ops.empty() && !failure->in_tree) std::cout << "step: " << FormatOp(ops.back()) << std::endl;
  if (options.replay.empty() && options.shrink_seconds > 0 && failure->steps > 0) {
    ops = Shrink(options.settings, std::move(ops), *failure, options.shrink_seconds);
  }
  Report(options, *failure, ops);
  return 1;
}

}  // namespace
}  // namespace tarn::differential

int main(int argc, char** argv) {
  using namespace tarn::differential;
  Options options;
  options.seed =
      static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) %
      1'000'000;
  if (!ParseOptions(argc, argv, &options)) {
    fputs(kUsage, stderr);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  if (geteuid() != 0) {
    fputs("differential: needs root: it acts as several users\n", stderr);
    return 2;
  }
  if (options.replay.empty()) std::cout << "seed " << options.seed << std::endl;
  return Run(options);
}
