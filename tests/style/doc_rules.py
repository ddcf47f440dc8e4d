"""The rules about documents: links lead somewhere, and each promise names a test that exists."""

import os
import re

PROMISE = re.compile(r"^- \*\*(\d+\.\d+)\*\*", re.M)
TEST_NAME = re.compile(r"`([A-Z]\w+)\.(\w+)`")
TEST_DEFINITION = re.compile(r"\b(?:TEST|TEST_F|TEST_P|TYPED_TEST)\(\s*(\w+)\s*,\s*(\w+)\s*\)")
PYTHON_CLASS = re.compile(r"^class (\w+)\(.*?(?=^\S|\Z)", re.M | re.S)
PYTHON_TEST = re.compile(r"^    def (test_\w+)\(self\)", re.M)


def dead_links(path, text, exists=os.path.exists):
    folder = os.path.dirname(path)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose):
        target = target.split("#")[0]
        if target and not re.match(r"[a-z]+:", target):
            if not exists(os.path.normpath(os.path.join(folder, target))):
                yield f"{path}: the link to {target} leads nowhere"


def defined_tests(sources):
    """Names Fixture.Test of all tests in the given texts."""
    names = set()
    for text in sources:
        names.update(f"{fixture}.{name}" for fixture, name in TEST_DEFINITION.findall(text))
        for found in PYTHON_CLASS.finditer(text):
            names.update(f"{found.group(1)}.{name}" for name in PYTHON_TEST.findall(found.group()))
    return names


def known_differences(source):
    """What each entry of known_differences.h is about."""
    table = source[source.index("kKnownDifferences[]"):]
    entries = re.findall(r'^    \{((?:"[^"]*"\s*)+),', table, re.M)
    return ["".join(re.findall(r'"([^"]*)"', entry)) for entry in entries]


def promises(text):
    """(number, text) of each numbered promise."""
    starts = [(match.start(), match.group(1)) for match in PROMISE.finditer(text)]
    for (start, number), (end, _) in zip(starts, starts[1:] + [(len(text), "")]):
        body = text[start:end]
        yield number, re.split(r"\n\n|\n#", body)[0]


def promise_complaints(text, tests):
    seen = set()
    for number, body in promises(text):
        if number in seen:
            yield f"promise {number} is there twice"
        seen.add(number)
        if not TEST_NAME.search(body):
            yield f"promise {number} names no test"
    for fixture, name in TEST_NAME.findall(text):
        if f"{fixture}.{name}" not in tests:
            yield f"the test {fixture}.{name} does not exist"
    if not seen:
        yield "no promise found: are they still written as '- **1.1** …'?"
