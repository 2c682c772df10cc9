#!/usr/bin/env python3
"""Adds up CTest's JUnit files: the skips with their reasons, the failures, and one closing line.

Usage: summarize_tests.py RESULTS.xml...
Exit status: 0 if nothing failed and something passed, else 1.
"""
import collections
import re
import sys
import xml.etree.ElementTree as ElementTree


def skip_reason(output):
    """What GTEST_SKIP() printed, or the last line that begins with SKIP of any other test."""
    found = re.search(r": Skipped\n(.*?)\n", output, re.S)
    if found and found.group(1).strip():
        return found.group(1).strip()
    lines = [line for line in output.splitlines() if line.startswith("SKIP")]
    return lines[-1].removeprefix("SKIP").lstrip(": ") if lines else "no reason given"


def main(paths):
    passed, failed, skipped = 0, [], collections.defaultdict(list)
    for path in paths:
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            name = case.get("name")
            output = case.findtext("system-out") or ""
            if case.find("skipped") is not None and case.get("status") != "fail":
                skipped[skip_reason(output)].append(name)
            elif case.get("status") == "run":
                passed += 1
            else:
                failed.append(name)
    for reason, names in sorted(skipped.items()):
        print(f"skipped, {reason}:")
        for name in names:
            print(f"  {name}")
    for name in failed:
        print(f"FAILED: {name}")
    print(f"{passed} passed, {len(failed)} failed, {sum(map(len, skipped.values()))} skipped")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
