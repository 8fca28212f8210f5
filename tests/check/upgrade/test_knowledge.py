"""The knowledge is complete: each difference of the catalogue, and each release note, is encoded or has a reason."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from postconf.catalogue import ADHOC, COMPUTED, release, upstream_releases
from tlsproxy.check.upgrade import conditions
from tlsproxy.check.upgrade.knowledge import knowledge
from tlsproxy.check.upgrade.systems import System, UnknownSystemError, distributions, parse_system

NOTES = Path(__file__).parents[3] / "docs/upgrade-notes.md"
GENERIC = {
    "parameter-removed",
    "parameter-deprecated",
    "parameter-known",
    "table-type-missing",
    "table-type-default",
    "table-type-package",
    "level-*",
}


def rows() -> list[list[str]]:
    lines = [line for line in NOTES.read_text().splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def encoded(row: list[str]) -> list[str]:
    return re.findall("`([^`]+)`", row[3])


def test_each_note_is_encoded_or_left_out_with_a_reason() -> None:
    for row in rows():
        assert len(row) == 5, row
        assert bool(encoded(row)) != bool(row[4]), row


def test_page_counts_its_notes() -> None:
    counts = [len(rows()), sum(bool(encoded(row)) for row in rows()), sum(bool(row[4]) for row in rows())]
    text = NOTES.read_text()
    found = re.search(r"(\d+) notes,\s+(\d+) encoded, (\d+) left out", text)
    assert found is not None
    assert [int(each) for each in found.groups()] == counts


def test_notes_and_the_data_have_the_same_ids() -> None:
    known = knowledge()
    defaults = {f"default-{name.replace('_', '-')}" for name in known.defaults}
    ids = {note.id for note in known.notes}
    named = {each for row in rows() for each in encoded(row)}
    assert named <= ids | defaults | GENERIC
    assert ids <= named
    assert len(ids) == len(known.notes)


def explained(name: str) -> bool:
    return name in knowledge().defaults or name in knowledge().ignored


@pytest.mark.parametrize(("first", "second"), list(pairwise(upstream_releases())))
def test_each_changed_default_is_explained(first: str, second: str) -> None:
    old, new = release(first), release(second)
    for name, default in new.defaults.items():
        if new.kinds[name] in (COMPUTED, ADHOC) or old.defaults.get(name) == default:
            continue
        renamed = name.replace("_client_security_level", "_client_level")
        assert explained(name) or renamed in old.defaults, name


def test_knowledge_names_only_existing_parameters() -> None:
    every = {name for each in upstream_releases() for name in release(each).defaults}
    every |= {name for each in upstream_releases() for name in release(each).legacy()}
    known = knowledge()
    for name in [*known.defaults, *known.ignored, *(name for note in known.notes for name in note.parameter)]:
        assert name in every, name
    for pattern, _ in known.families:
        assert any(pattern.search(name) for name in every), pattern


def test_conditions_are_of_known_kinds() -> None:
    known = knowledge()
    tables = [note.when for note in known.notes] + [each.when for each in known.defaults.values()]
    seen: set[str] = set()
    while tables:
        table = tables.pop()
        seen.update(table)
        tables += table.get("any", [])
        tables += [table["not"]] if "not" in table else []
    seen.update(kind for _, when in known.families for kind in when)
    assert seen == conditions.KINDS.keys()


@pytest.mark.parametrize("system", distributions(), ids=lambda system: system.name)
def test_distribution_has_a_catalogued_release(system: System) -> None:
    assert system.release.defaults["mail_version"].startswith("3.")
    assert not system.packages & system.missing
    assert parse_system(system.name.upper()) is system


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("3.7", "3.7.11"),
        ("3.8.4", "3.8.4"),
        ("debian13", "3.10.13-debian13"),
        ("Debian 13", "3.10.13-debian13"),
        ("trixie", "3.10.13-debian13"),
        ("ubuntu-24.04", "3.8.6"),
        ("ubuntu20.04", "3.4.13"),
        ("rocky9", "3.5.25"),
        ("alpine3.22", "3.10.8"),
    ],
)
def test_system_name_means_its_release(name: str, version: str) -> None:
    assert parse_system(name).release.name == version


@pytest.mark.parametrize("name", ["", "debian", "debian99", "windows11", "4.0", "3", "2.11", "3.4"])
def test_unknown_system_is_refused(name: str) -> None:
    with pytest.raises(UnknownSystemError):
        parse_system(name)


def test_release_before_the_catalogue_is_made_of_its_first() -> None:
    focal = parse_system("ubuntu20.04").release
    assert "info_log_address_format" not in focal.defaults
    assert "dnssec_probe" not in focal.defaults
    assert focal.defaults["maillog_file_rotate_suffix"] == "%Y%m%d-%H%M%S"
