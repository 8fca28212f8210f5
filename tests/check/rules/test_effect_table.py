"""The table of effects in docs/rule-effects.md has each rule, and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

from tlsproxy.check.rule import all_rules

ROOT = Path(__file__).parents[3]
ROWS = re.findall(r"\| \[(\w+)\]\(rules/\w+\.md\) \| (.*?) ?\| (.*) \|", (ROOT / "docs/rule-effects.md").read_text())


def test_table_of_effects_has_each_rule_once() -> None:
    assert [rule for rule, _, _ in ROWS] == [rule.id for rule in all_rules()]


def test_effects_have_a_test_that_exists_or_a_reason() -> None:
    for rule, effect, evidence in ROWS:
        if not evidence.startswith("`"):
            assert re.fullmatch(r"not shown: \w.{10,}", evidence), rule
            continue
        path, _, name = evidence.strip("`").partition("::")
        text = (ROOT / path).read_text()
        assert effect, rule
        assert f"def {name}(" in text, rule
        assert f'"{rule}"' in text or path.startswith("tests/postconf/") or "open_relay" in path, rule


def test_number_of_shown_effects_is_that_of_the_table() -> None:
    shown = sum(evidence.startswith("`") for _, _, evidence in ROWS)
    assert f"{shown} of\n{len(ROWS)} rules" in (ROOT / "docs/rule-effects.md").read_text()
