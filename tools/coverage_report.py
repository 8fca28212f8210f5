"""Coverage report: lines and branches of each package, and the modules with the lowest coverage.

    tools/coverage_report.py build/coverage.json

`make unit` measures with SlipCover, in the processes of the tests and their forks. Commands and daemons that tests
start are programs of their own and are not measured, so modules that only they run have low figures here.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_PACKAGES = ("postconf", "maps", "tlsproxy")
_LOWEST = 15
"""Number of modules that are listed by name."""
_SHORT = 20
"""Modules of fewer lines are not listed."""


class Counts(NamedTuple):
    """Lines and branches of one or more modules, covered and in all."""

    lines: int
    all_lines: int
    branches: int
    all_branches: int

    def __str__(self) -> str:
        return (
            f"{_percent(self.lines, self.all_lines)} of lines, {_percent(self.branches, self.all_branches)} of branches"
        )


def main(arguments: list[str]) -> int:
    """Print the report of a JSON file of SlipCover; return the exit status."""
    files = json.loads(Path(arguments[0]).read_text())["files"]
    modules = {_module(name): _counts(entry["summary"]) for name, entry in files.items()}
    packages = defaultdict(list)
    for module, counts in modules.items():
        packages[module.split("/")[0]].append(counts)
    for package in _PACKAGES:
        print(f"coverage of {package + ':':10} {_total(packages[package])}")
    print(f"coverage:              {_total(modules.values())}")
    long = [module for module, counts in modules.items() if counts.all_lines >= _SHORT]
    lowest = sorted(long, key=lambda module: (modules[module].lines / modules[module].all_lines, module))
    print("lowest:", ", ".join(f"{module} {_percent(*modules[module][:2])}" for module in lowest[:_LOWEST]))
    return 0


def _module(name: str) -> str:
    """Return the path of a module below site-packages or the checkout."""
    parts = Path(name).parts
    return "/".join(parts[max(parts.index(package) for package in _PACKAGES if package in parts) :])


def _counts(summary: dict[str, int]) -> Counts:
    lines, branches = summary["covered_lines"], summary["covered_branches"]
    return Counts(lines, lines + summary["missing_lines"], branches, branches + summary["missing_branches"])


def _total(counts: Iterable[Counts]) -> Counts:
    return Counts(*map(sum, zip(*counts, strict=True)))


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "100 %"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
