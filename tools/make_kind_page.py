"""Generator of docs/parameter-kinds.md from the table of kinds. A test fails when the page is outdated."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from postconf.catalogue import Release, release, upstream_releases
from postconf.kinds import Kind, kind_of
from postconf.kinds.kind import READ_ONLY, TEXT

PAGE = Path(__file__).parent.parent / "docs" / "parameter-kinds.md"

_INTRODUCTION = """\
# What values are made of

Each parameter of Postfix has a kind: the language of its value. `tlsproxy-check` reads every value by its kind, and
reports what Postfix would not accept, where it is written. From Python, it is `postconf.kinds.kind_of(name, release)`.

This page is made by `tools/make_kind_page.py` from `postconf/data/kinds.tsv`. *Outcome* is what becomes of a bad value:

| outcome | what Postfix does |
|---|---|
| `dies` | the program ends when it starts; master(8) starts it again and again |
| `dies-later` | the program ends when it needs the value first |
| `defers` | mail is deferred, or refused with a 4xx reply |
| `no-tls` | TLS is turned off, or handshakes fail |
| `warns` | a warning is logged, and the value has no effect |
| `ignores` | nothing is logged, and the word has no effect |

`tests/postconf/test_kinds_effects.py` has the cases that were tried with Postfix 3.7.11; the others were read in
Postfix's sources. Parameters that services of master.cf add, such as `slow_destination_rate_delay`, have the kind of
the default's parameter; names in smtpd_restriction_classes are restriction lists.
"""


def kinds(catalogue: Release) -> dict[str, Kind]:
    """Return the kind of each parameter, in the order of the catalogue."""
    return {name: kind for name in catalogue.kinds if (kind := kind_of(name, catalogue))}


def page() -> str:
    """Return the text of the page."""
    every: dict[str, Kind] = {}
    counts = {}
    for name in upstream_releases():
        found = kinds(release(name))
        counts[name] = Counter(kind.name for kind in found.values())
        every.update(found)
    return "\n".join([_INTRODUCTION, *_counts(counts), *_parameters(every), *_free(every)])


def _counts(counts: dict[str, Counter[str]]) -> list[str]:
    newest = list(counts)[-1]
    names = sorted({kind for each in counts.values() for kind in each})
    names.sort(key=lambda kind: -counts[newest][kind])
    lines = [
        "## How many parameters of each kind",
        "",
        f"| kind | {' | '.join(counts)} |",
        "|---" * (len(counts) + 1) + "|",
    ]
    lines += [f"| {kind} | {' | '.join(str(each[kind]) for each in counts.values())} |" for kind in names]
    lines.append(f"| **all** | {' | '.join(str(each.total()) for each in counts.values())} |")
    return [*lines, ""]


def _parameters(every: dict[str, Kind]) -> list[str]:
    lines = ["## The parameters", "", "| parameter | kind | outcome | words |", "|---|---|---|---|"]
    for name, kind in sorted(every.items()):
        outcomes = " ".join(f"{program}: {each}" if program else each for program, each in kind.outcomes.items())
        words = "" if kind.name == READ_ONLY else " ".join(each.removeprefix("=") for each in kind.words)
        lines.append(f"| {name} | {kind.name} | {outcomes} | {words} |")
    return [*lines, ""]


def _free(every: dict[str, Kind]) -> list[str]:
    lines = ["## Free text, and why", "", "| parameter | reason |", "|---|---|"]
    lines += [f"| {name} | {kind.reason} |" for name, kind in sorted(every.items()) if kind.name == TEXT]
    return [*lines, ""]


if __name__ == "__main__":
    PAGE.write_text(page())
