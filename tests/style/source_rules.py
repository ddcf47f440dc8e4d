"""The house rules about source files, each a function from a file's text to complaints.

A complaint is (line number, sentence). What is checked, and why it is worth a machine's time:
sizes (what does not fit one screen is not read), include direction (the architecture), head
comments (a header is a contract), sleeps (a test that sleeps is slow, flaky or both).
"""

import re

FILE_LINES_MAX = 600
FILE_LINES_WARN = 400
HEADER_LINES_MAX = 200
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100


def is_header(path):
    return path.endswith((".h", ".inc"))


def is_cxx(path):
    return path.endswith((".h", ".cc", ".inc"))


def file_size(path, text):
    count = text.count("\n")
    limit = HEADER_LINES_MAX if path.endswith(".h") and not path.startswith("tests/") \
        else FILE_LINES_MAX
    # The spine is one list of verbs and their arguments; cutting it would hide the whole.
    if path == "common/filesystem.h":
        limit = FILE_LINES_MAX
    if count > limit:
        yield count, f"{count} lines, at most {limit} are allowed"


def columns(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > COLUMNS_MAX and "http" not in line:
            yield number, f"{len(line)} columns, at most {COLUMNS_MAX} are allowed"


def blank_out(text):
    """The text with comments, strings and characters made blank, lines kept."""

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))

    pattern = (r'R"(?P<tag>[^\s()\\]{0,16})\(.*?\)(?P=tag)"|//[^\n]*|/\*.*?\*/'
               r'|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'')
    return re.sub(pattern, blank, text, flags=re.S)


CONTAINER = re.compile(r"\b(namespace|class|struct|union|enum)\b|\bextern\s*$")
FUNCTION = re.compile(r"\)\s*(const|noexcept|override|final|mutable|&&?|->[^;{}]*|try|"
                      r"ABSL_\w+(\([^()]*\))?|:[^;]*|\s)*$")
# `Class(int x) : member_` before the braces of the member's own initializer.
MEMBER_INITIALIZER = re.compile(r"\)\s*:(?!:)[^;]*[\w>]\s*$")
ACCESS = re.compile(r"\s*((public|private|protected)\s*:\s*)*")


def function_spans(text):
    """(first line, last line) of every function body with its signature."""
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group(0)),
                  blank_out(text), flags=re.M)
    spans, stack, start, depth_in_function = [], [], 0, 0
    for at, char in enumerate(code):
        if depth_in_function:
            depth_in_function += {"{": 1, "}": -1}.get(char, 0)
            if depth_in_function == 0:
                first = code.count("\n", 0, begin) + 1
                spans.append((first, code.count("\n", 0, at) + 1))
                start = at + 1
        elif char == ";" and "other" not in stack:
            start = at + 1
        elif char == "{":
            head = code[start:at]
            if CONTAINER.search(head) and not re.search(r"\)\s*(const|noexcept|override)?\s*$",
                                                        head):
                stack.append("container")
                start = at + 1
            elif ("other" not in stack and FUNCTION.search(head)
                  and not MEMBER_INITIALIZER.search(head)):
                begin = start + ACCESS.match(head).end()
                depth_in_function = 1
            else:
                stack.append("other")
        elif char == "}" and stack:
            if stack.pop() == "container":
                start = at + 1
    return spans


def function_length(path, text):
    for first, last in function_spans(text):
        if last - first + 1 > FUNCTION_LINES_MAX:
            yield first, (f"a function of {last - first + 1} lines, at most "
                          f"{FUNCTION_LINES_MAX} are allowed")


def header_form(path, text):
    lines = text.splitlines()
    if not lines or not lines[0].startswith("// "):
        yield 1, "a header begins with a comment that says what it is for"
    if path.endswith(".h") and "#pragma once" not in lines:
        yield 1, "#pragma once is missing"


SLEEP = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep|SleepFor|AbslInternalSleepFor)\b"
                   r"|(?<![\w.>])::sleep\s*\(|(?<![\w.:>])sleep\s*\(")


def no_sleep(path, text):
    for number, line in enumerate(blank_out(text).splitlines(), 1):
        if SLEEP.search(line):
            yield number, "sleeps: wait for the event itself, with a deadline"


# Steps of the wall clock must not make a wait longer: whatever waits with a limit does so there.
WALL_CLOCK = re.compile(r"\b(Await(With)(Timeout|Deadline)|Wait(With)(Timeout|Deadline)"
                        r"|WaitForNotificationWith\w+|absl::Now|GetCurrentTimeNanos|system_clock"
                        r"|high_resolution_clock|wait_(for|until)|pthread_cond_timedwait)\b")
MAY_WAIT = ("common/timed_wait.h", "common/timed_wait.cc", "common/sync_tsan.h")


def no_wall_clock(path, text):
    if path in MAY_WAIT or not path.startswith(("common/", "client/", "server/")):
        return
    for number, line in enumerate(blank_out(text).splitlines(), 1):
        if WALL_CLOCK.search(line):
            yield number, "goes by the time of day: wait with AwaitFor of common/timed_wait.h"


# ---- include direction -----------------------------------------------------------------------

# Folder (longest prefix wins) -> what of the project it may include: folders, or single headers.
MAY_INCLUDE = {
    "common": ["common"],
    "common/posix": ["common"],
    "common/wire": ["common", "proto"],
    "server/store": ["common", "server/store"],
    "server/state": ["common", "server/state"],
    "server/ops": ["common", "server/ops", "server/state", "server/store"],
    "server/rpc": ["common", "server/rpc", "server/ops", "server/state", "server/store", "proto"],
    "server": ["common", "server"],
    "client/cache": ["common", "client/cache", "client/transport"],
    # Of the cache only the seam between the two, and the threads that both need.
    "client/fuse": ["common", "client/fuse", "client/cache/kernel.h", "client/cache/workers.h"],
    "client/transport": ["common", "client/transport", "proto"],
    "client/cli": ["common", "client"],  # puts the others together
    "client": ["common", "client"],
    "tests": ["common", "server", "client", "tests", "proto"],
}
COMMON_FOLDERS_BELOW_COMMON = ("common/posix/", "common/wire/")

# Third party -> the only folders that may see it (tests are free).
ONLY_IN = {
    r"rocksdb/": ["server/store"],
    r"(grpc|grpcpp)/": ["common/wire", "server/rpc", "client/transport"],
    r"(fuse3/|fuse\.h|fuse_|linux/fuse)": ["client/fuse"],
    r"google/protobuf/|.*\.pb\.h$": ["common/wire", "server/rpc", "client/transport",
                                     "server/store"],
}


def folder_rule(path):
    fitting = [folder for folder in MAY_INCLUDE if path.startswith(folder + "/")]
    return max(fitting, key=len) if fitting else None


def include_direction(path, text):
    folder = folder_rule(path)
    if folder is None:
        return
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+["<]([^">]+)[">]', line)
        if not match:
            continue
        target = match.group(1)
        inside = re.match(r"(common|server|client|tests|proto)/", target)
        allowed = MAY_INCLUDE[folder]
        if inside and not any(target == to or target.startswith(to + "/") for to in allowed):
            yield number, f"{folder}/ may not include {target}"
        if folder == "common" and target.startswith(COMMON_FOLDERS_BELOW_COMMON):
            yield number, f"common/ may not include {target}, which builds on it"
        for third_party, folders in ONLY_IN.items():
            if re.match(third_party, target) and folder != "tests" and folder not in folders:
                yield number, f"{target} may be included only in {', '.join(folders)}"


def rules_for(path):
    """The checks that apply to a file of this name."""
    if is_cxx(path):
        found = [file_size, columns, function_length, no_sleep, no_wall_clock,
                 include_direction]
        return found + [header_form] if is_header(path) else found
    if path.endswith(".py") or path.endswith("CMakeLists.txt"):
        return [file_size, columns]
    return []


def complaints(path, text):
    for rule in rules_for(path):
        for number, sentence in rule(path, text):
            yield f"{path}:{number}: {sentence}"
