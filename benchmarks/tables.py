#!/usr/bin/env python3
"""Build and query tables with postmap(1) and tlsproxy-postmap, side by side: benchmarks/tables.py [ENTRIES [KEYS]].

Prints CPU seconds of each, as the kernel counts them (best of some rounds), and the ratio. Both run in turn, and read
each other's files. Modules are precompiled, as in an installed package.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from pathlib import Path

from measure import cpu

KINDS = ("hash", "btree", "lmdb", "cdb")
ROUNDS = 5
REAL = "postmap"
OURS = str(Path(sys.executable).parent / "tlsproxy-postmap")


def least(commands: list[list[str]], directory: Path, keys: bytes) -> list[tuple[float, bytes]]:
    """Return the least CPU time of some rounds, and the output, for each command.

    Other processes on the machine only add time. In each round the commands run in turn.
    """
    rounds = [[cpu(command, directory, keys) for command in commands] for _ in range(ROUNDS)]
    return [(min(seconds for seconds, _ in done), done[0][1]) for done in zip(*rounds, strict=True)]


def entry(number: int) -> str:
    """Return the key with this number."""
    return f"user{number}@example{number % 977}.com"


def prepare(directory: Path, entries: int) -> None:
    """Write a configuration and the source of a table."""
    (directory / "main.cf").write_text("compatibility_level = 3.6\nmaillog_file =\n")
    (directory / "master.cf").write_text("")
    os.utime(directory / "main.cf", (0, 1_000_000_000))
    os.environ["MAIL_CONFIG"] = str(directory)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with (directory / "t").open("w") as source:
        source.writelines(f"{entry(number)} value{number}\n" for number in range(entries))


def measure(kind: str, keys: bytes, directory: Path) -> str:
    """Return a line of figures."""
    table = f"{kind}:t"
    cells = ""
    for arguments, data, unit in ([table], b"", 1), (["-q", "-", table], keys, 1), (["-q", entry(1), table], b"", 1000):
        commands = [[program, *arguments] for program in (REAL, OURS)]
        (real, expected), (ours, answered) = least(commands, directory, data)
        assert answered == expected, "the answers differ"
        cells += f"{real * unit:9.2f}{ours * unit:8.2f}{ours / max(real, 1e-9):7.1f}"
    return f"{kind:6}{cells}"


def main() -> None:
    """Measure each type."""
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    generator = random.Random(1)
    keys = "".join(f"{entry(generator.randrange(entries * 10 // 9))}\n" for _ in range(count)).encode()
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name), entries)
        print(f"{entries} entries, {count} keys of which one in ten is absent; CPU seconds")
        print(f"{'':6}{'build':>24}{'-q - (all keys)':>24}{'-q KEY, milliseconds':>24}")
        print(f"{'':6}" + f"{'postmap':>9}{'ours':>8}{'ratio':>7}" * 3)
        for kind in KINDS:
            print(measure(kind, keys, Path(name)), flush=True)


if __name__ == "__main__":
    main()
