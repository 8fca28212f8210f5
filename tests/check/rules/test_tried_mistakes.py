"""Mistakes that were tried in a sane configuration are reported at their places, and unusual settings are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from check.examples import files_of, run
from check.rules.test_reviewed_mistakes import BASE, MASTER, RULES
from check.rules.tried import MISTAKES, RIGHT


def in_files(main_cf: str, entries: str, tables: str, directory: Path) -> str:
    """Write the tables, and return the configuration with the entries in place of those of the same name."""
    own = {tuple(line.split()[:2]) for line in entries.splitlines() if line[:1].strip()}
    others = [line for line in MASTER.splitlines(keepends=True) if tuple(line.split()[:2]) not in own]
    for name, text in files_of(tables).items():
        file = directory / name
        file.write_text(text)
        file.chmod(0o600)
    return BASE + main_cf + "".join(others) + entries


@pytest.mark.parametrize(
    "main_cf, entries, tables, rule, severity, place",
    [each[1:] for each in MISTAKES],
    ids=[each[0] for each in MISTAKES],
)
def test_tried_mistake_is_reported_at_its_place(
    main_cf: str, entries: str, tables: str, rule: str, severity: str, place: str, tmp_path: Path
) -> None:
    checked = run(in_files(main_cf, entries, tables, tmp_path), RULES, tmp_path)
    found = {(each.rule, each.severity.word, str(each.span).replace(f"{tmp_path}/", "")) for each in checked.findings}
    assert (rule, severity, place) in found


@pytest.mark.parametrize("main_cf, entries, tables", RIGHT)
def test_unusual_setting_that_is_right_is_not_reported(main_cf: str, entries: str, tables: str, tmp_path: Path) -> None:
    checked = run(in_files(main_cf, entries, tables, tmp_path), RULES, tmp_path)
    severe = [each for each in checked.findings if each.severity.word != "info"]
    assert [f"{each.span} {each.rule} {each.message}" for each in severe if each.rule != "T002"] == []
