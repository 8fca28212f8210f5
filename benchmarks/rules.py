#!/usr/bin/env python3
"""Tables of rules with postmap(1) and tlsproxy-postmap, and a million lines with tlsproxy-check: benchmarks/rules.py.

Prints CPU seconds of whole commands, as the kernel counts them (best of some rounds), and the ratio.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tables import OURS, REAL, least

RULES = 1000
KEYS = 2000
LINES = 1_000_000
CHECK = str(Path(sys.executable).parent / "tlsproxy-check")


def _word(generator: random.Random) -> str:
    return "".join(generator.choices("abcdefghijklmnopqrstuvwxyz", k=generator.randint(3, 8)))


SHAPES = {
    "addresses": r"/^userNUMBER@exampleNUMBER\.com$/ REJECT NUMBER",
    "pools": r"/^(.*)\.(dsl|pool)\.WORD\.WORD\.net$/ REJECT $1 NUMBER",
    "numbers": r"/^[a-z]*[0-9]+-[0-9]+-[0-9]+-[0-9]+\.WORD\.(com|net)$/ REJECT NUMBER",
    "words": r"/WORD.*WORD/ REJECT NUMBER",
    "choices": r"/(WORD|WORD)\.(WORD|[0-9]+)x/ REJECT $1 NUMBER",
    "sets": r"/^[WORD]{1,3}[0-9]+[WORD]/ REJECT NUMBER",
    "conditions": r"/^userNUMBER@(.*)$/ REJECT $1 NUMBER",
    "headers": r"/^Subject: .*WORD/ REJECT NUMBER",
}
"""Typical rules of real lists."""


def table(shape: str, generator: random.Random) -> str:
    """Return rules of one shape, and one that the last key matches, because postmap(1) fails without a match."""
    lines = []
    for number in range(RULES - 1):
        rule = SHAPES[shape].replace("NUMBER", str(number))
        while "WORD" in rule:
            rule = rule.replace("WORD", _word(generator), 1)
        if shape == "conditions" and number % 10 == 0:
            lines += ["endif"] * (number > 0) + [f"if /^[{_word(generator)}]/"]
        lines.append(rule)
    return "\n".join([*lines, "endif" if shape == "conditions" else "", "/^last$/ OK", ""])


def keys(generator: random.Random) -> bytes:
    """Return addresses, hostnames and header lines."""
    lines = []
    for number in range(KEYS):
        words = [_word(generator) for _ in range(4)]
        octets = [str(generator.randrange(256)) for _ in range(4)]
        lines.append(
            (
                f"user{generator.randrange(RULES * 11 // 10)}@example{generator.randrange(97)}.com",
                f"{words[0]}-{octets[0]}.dsl.{words[1]}.{words[2]}.net",
                f"{words[0]}{'-'.join(octets)}.{words[1]}.{words[2]}.com",
                f"Subject: {' '.join(words)}",
                ".".join(octets),
            )[number % 5]
        )
    return "\n".join([*lines, "last", ""]).encode()


def prepare(directory: Path) -> None:
    """Write a configuration."""
    (directory / "main.cf").write_text("compatibility_level = 3.6\nmaillog_file =\n")
    (directory / "master.cf").write_text("smtp inet n - y - - smtpd\n")
    os.utime(directory / "main.cf", (0, 1_000_000_000))
    os.environ["MAIL_CONFIG"] = str(directory)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def many_rules(directory: Path) -> None:
    """Print a line of figures for each shape of rules."""
    print(f"{RULES} rules, {KEYS} keys: CPU seconds of -q -")
    print(f"{'':12}{'pcre: postmap':>14}{'ours':>8}{'ratio':>7}{'regexp: postmap':>18}{'ours':>8}{'ratio':>7}")
    for shape in SHAPES:
        generator = random.Random(shape)
        (directory / "rules").write_text(table(shape, generator))
        data = keys(generator)
        cells = ""
        for kind, width in (("pcre", 14), ("regexp", 18)):
            commands = [[program, "-q", "-", f"{kind}:rules"] for program in (REAL, OURS)]
            (real, expected), (ours, answered) = least(commands, directory, data)
            assert answered == expected, "the answers differ"
            cells += f"{real:{width}.2f}{ours:8.2f}{ours / real:7.1f}"
        print(f"{shape:12}{cells}", flush=True)


def million_lines(directory: Path) -> None:
    """Print CPU time and memory of tlsproxy-check for tables of a million lines."""
    print(f"\ntlsproxy-check, a table of {LINES} lines: CPU seconds and MB")
    texts: dict[str, Callable[[int], str]] = {
        "texthash": lambda number: f"user{number}@example{number % 977}.com value{number}\n",
        "cidr": lambda number: f"{number >> 16}.{number >> 8 & 255}.{number & 255}.0/24 REJECT {number}\n",
        "pcre": lambda number: f"/^user{number}@example\\.com$/ REJECT {number}\n",
        "regexp": lambda number: f"/^user{number}@example\\.com$/ REJECT {number}\n",
    }
    for kind, line in texts.items():
        with (directory / "lines").open("w") as file:
            file.writelines(line(number) for number in range(LINES))
        main = f"compatibility_level = 3.6\ntransport_maps = {kind}:{directory}/lines\n"
        (directory / "main.cf").write_text(main)
        process = subprocess.Popen([CHECK, "-c", str(directory)], stdout=subprocess.DEVNULL)
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
        print(f"{kind:12}{used.ru_utime + used.ru_stime:8.2f}{used.ru_maxrss / 1024:8.0f}", flush=True)


def main() -> None:
    """Measure all."""
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name))
        many_rules(Path(name))
        million_lines(Path(name))


if __name__ == "__main__":
    main()
