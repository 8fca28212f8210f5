"""The pages in docs/rules are those that the rules make of themselves."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_pages_are_current() -> None:
    made = runpy.run_path(str(ROOT / "tools" / "make_rule_pages.py"))["pages"]()
    there = {path.name: path.read_text() for path in (ROOT / "docs" / "rules").iterdir()}
    assert there == made, "run tools/make_rule_pages.py"


def test_each_shown_report_format_is_in_the_manual_page() -> None:
    from tlsproxy.check.reports import FORMATS

    manual = (ROOT / "docs" / "man" / "tlsproxy-check.1").read_text()
    assert all(name in manual for name in FORMATS)
