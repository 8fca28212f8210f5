"""Coverage report: covered lines of each package, and the modules with the lowest coverage.

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
    """Lines of one or more modules."""

    covered: int
    missing: int

    @property
    def percent(self) -> float:
        """The share of covered lines."""
        return 100 * self.covered / max(self.covered + self.missing, 1)


def main(arguments: list[str]) -> int:
    """Print the report of a JSON file of SlipCover; return the exit status."""
    files = json.loads(Path(arguments[0]).read_text())["files"]
    modules = {_module(name): _counts(entry["summary"]) for name, entry in files.items()}
    packages = defaultdict(list)
    for module, counts in modules.items():
        packages[module.split("/")[0]].append(counts)
    for package in _PACKAGES:
        print(f"coverage of {package}: {_total(packages[package]).percent:.1f} % of lines")
    print(f"coverage: {_total(modules.values()).percent:.1f} % of lines")
    long = [module for module, counts in modules.items() if sum(counts) >= _SHORT]
    lowest = sorted(long, key=lambda module: (modules[module].percent, module))[:_LOWEST]
    print("lowest:", ", ".join(f"{module} {modules[module].percent:.0f} %" for module in lowest))
    return 0


def _module(name: str) -> str:
    """Return the path of a module below site-packages or the checkout."""
    parts = Path(name).parts
    return "/".join(parts[max(parts.index(package) for package in _PACKAGES if package in parts) :])


def _counts(summary: dict[str, int]) -> Counts:
    return Counts(summary["covered_lines"], summary["missing_lines"])


def _total(counts: Iterable[Counts]) -> Counts:
    return Counts(*map(sum, zip(*counts, strict=True)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
