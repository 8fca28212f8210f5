"""Generator of the tables in postconf/data from a collection of facts about Postfix's parameters.

    python tools/make_catalogue.py FACTS.json postconf/data

FACTS.json describes every built-in parameter of a number of Postfix releases: kind, limits, default per range of
releases, and the programs that read it. The tables are plain text, one record per line, so that grep
shows differences between releases, and diff shows changes of the facts. `postconf/catalogue.py` reads them.
"""

from __future__ import annotations

import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

from postconf.syntax.mastercf import closing_brace
from postconf.syntax.references import read

Json = dict[str, Any]
Row = tuple[str, ...]

ADVICE = {
    # Advice that differs from Postfix's usual `specify "NAME"`.
    "lmtp_enforce_tls": "lmtp_tls_security_level",
    "smtpd_tls_dh1024_param_file": "do not specify (leave at default)",
    "smtpd_tls_eecdh_grade": "do not specify (leave at default)",
    "deleted-test-only": "do not specify",
}
UNLISTED_DEPRECATED = [{"name": "deleted-test-only", "warned_since": "3.9.0", "instead": []}]

EARLIER_MINIMUM = {
    # The facts have the limits of the newest release. Up to the named release, these values had to be non-empty.
    "tls_low_cipherlist": "3.7.22",
    "tls_export_cipherlist": "3.7.22",
    "tls_eecdh_auto_curves": "3.7.11",
    "tls_eecdh_strong_curve": "3.7.11",
    "tls_eecdh_ultra_curve": "3.7.11",
}

BEFORE_FIRST = "3.5.0"
BEFORE = [
    # mail_params.h of 3.4.13 and 3.5.0, for upgrades from the branch before the catalogue.
    ("info_log_address_format", "", "{external}"),
    ("maillog_file_rotate_suffix", "{%Y%m%d-%H%M%S}", "{%Y%M%d-%H%M%S}"),
    ("milter_connect_macros", "{j {daemon_name} {daemon_addr} v}", "{j {daemon_name} {daemon_addr} v _}"),
]
"""Changes in the first release of the catalogue's oldest branch."""

ENVIRONMENT_KINDS = ("computed", "adhoc")
"""Kinds whose recorded defaults depend on the recording machine."""


def branch(release: str) -> str:
    """Return the branch of a release: 3.7 for 3.7.11, 3.12 for 3.12-20260821."""
    return ".".join(release.partition("-")[0].split(".")[:2])


def in_ranges(ranges: list[Json], releases: list[str], field: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for entry in ranges:
        first, last = releases.index(entry["from"]), releases.index(entry["to"])
        for release in releases[first : last + 1]:
            values[release] = entry[field]
    return values


def parameter_rows(parameter: Json, releases: list[str]) -> list[Row]:
    """Return one row for each run of releases in which kind, minimum and default are the same."""
    defaults = in_ranges(parameter["default"], releases, "value")
    kinds = in_ranges(parameter.get("kind_history", []), releases, "kind")
    role = parameter.get("tlsproxy_role", "")
    last_limited = EARLIER_MINIMUM.get(parameter["name"])
    limited = releases[: releases.index(last_limited) + 1] if last_limited else []

    def state(release: str) -> tuple[str, str, str] | None:
        if release not in defaults:
            return None
        kind = str(kinds.get(release, parameter["kind"]))
        minimum = "1" if release in limited else str(parameter.get("min") or "")
        return kind, minimum, "" if kind in ENVIRONMENT_KINDS else defaults[release]

    rows: list[Row] = []
    for value, run in groupby(releases, key=state):
        if value is None:
            continue
        members = list(run)
        kind, minimum, default = value
        rows.append(
            (
                parameter["name"],
                kind,
                "" if members[0] == releases[0] else members[0],
                "" if members[-1] == releases[-1] else members[-1],
                minimum,
                str(parameter.get("max") or ""),
                parameter.get("unit", ""),
                role if isinstance(role, str) else " ".join(role),
                " ".join(parameter.get("programs", [])),
                default,
            )
        )
    return rows


def suffix_rows(facts: Json, releases: list[str]) -> list[Row]:
    rows: list[Row] = []
    for dbms, ranges in sorted(facts["dbms_suffixes"].items()):
        for entry in ranges:
            # LDAP was missing from the builds that were recorded, not from the releases.
            if not entry["suffixes"]:
                continue
            first = "" if dbms == "ldap" or entry["from"] == releases[0] else entry["from"]
            last = "" if entry["to"] == releases[-1] else entry["to"]
            rows.append((dbms, first, last, " ".join(entry["suffixes"])))
    return rows


def deprecated_rows(facts: Json) -> list[Row]:
    rows: list[Row] = []
    for entry in sorted([*facts["deprecated_names"], *UNLISTED_DEPRECATED], key=lambda entry: str(entry["name"])):
        name, instead = entry["name"], entry["instead"]
        advice = f'specify "{instead[0]}"' if instead else "do not specify"
        rows.append((name, branch(entry["warned_since"]), ADVICE.get(name, advice)))
    return rows


def release_rows(facts: Json) -> list[Row]:
    """Return upstream's releases, oldest first, then other builds of them, which differ in some defaults."""
    upstream: list[Row] = [(entry["version"], "") for entry in facts["versions"]]
    return upstream + [(build["version"], build["compared_with"]) for build in facts["debian"]]


def build_rows(facts: Json) -> list[Row]:
    return [
        (build["version"], parameter, change["debian"])
        for build in facts["debian"]
        for parameter, change in sorted(build["differences"].items())
    ]


def patch_rows(facts: Json) -> list[Row]:
    """Return the changes of patch releases within a branch, before and after; an empty cell means no parameter."""
    rows = [
        (change["release"], parameter["name"], cell(change["before"]), cell(change["after"]))
        for parameter in facts["parameters"]
        if parameter["kind"] not in ENVIRONMENT_KINDS
        for change in parameter.get("patch_changes", [])
    ]
    rows += [(BEFORE_FIRST, *row) for row in BEFORE]
    return sorted(rows, key=lambda row: ([int(number) for number in row[0].split(".")], row[1]))


def reference_rows(texts: list[str]) -> list[Row]:
    """Return the references ${…} in texts, nested ones included, parsed (`postconf.syntax.references`)."""
    rows: dict[str, Row] = {}
    todo = list(texts)
    while todo:
        _, start, text = todo.pop().partition("${")
        if not start:
            continue
        content = text[: closing_brace(f"{{{text}", 0) - 1]
        todo.append(text[len(content) :])
        if content.isidentifier():
            continue
        reference = read(content, calls=True)
        left, operator, suffix, right = reference.comparison or (None, "", "", None)
        argument, then, otherwise = reference.argument, reference.then, reference.otherwise
        todo += [each for each in (left, right, argument, then, otherwise) if each]
        rows[content] = (
            *(content, reference.name, cell(argument), cell(left), operator, suffix, cell(right)),
            *(cell(then), cell(otherwise)),
        )
    return [rows[content] for content in sorted(rows)]


def cell(text: str | None) -> str:
    """Return the text of a cell; an empty text differs from None."""
    return "" if text is None else f"{{{text}}}"


def main(facts_file: str, output: str) -> None:
    facts: Json = json.loads(Path(facts_file).read_bytes())
    releases = [entry["version"] for entry in facts["versions"]]
    parameters = [
        row
        for parameter in sorted(facts["parameters"], key=lambda entry: str(entry["name"]))
        for row in parameter_rows(parameter, releases)
    ]
    service: list[Row] = [
        (entry["suffix"], entry["default"], " ".join(entry["programs"])) for entry in facts["service_parameters"]
    ]
    legacy: list[Row] = [(entry["name"], entry["since"]) for entry in facts["legacy_names"]]
    defaults = [row[-1] for row in [*parameters, *build_rows(facts)]]
    tables: dict[str, tuple[str, list[Row]]] = {
        "releases": ("name made_from", release_rows(facts)),
        "builds": ("release name default", build_rows(facts)),
        "patches": ("release name before after", patch_rows(facts)),
        "parameters": ("name kind first last min max unit role programs default", parameters),
        "service": ("suffix default programs", service),
        "suffixes": ("type first last suffixes", suffix_rows(facts, releases)),
        "legacy": ("name since", legacy),
        "references": ("content name argument left operator suffix right then otherwise", reference_rows(defaults)),
        "deprecated": ("name since advice", deprecated_rows(facts)),
    }
    for name, (header, rows) in tables.items():
        lines = ["#" + "\t".join(header.split()), *("\t".join(row) for row in rows)]
        Path(output, f"{name}.tsv").write_text("".join(line + "\n" for line in lines), encoding="ascii")


if __name__ == "__main__":
    main(*sys.argv[1:])
