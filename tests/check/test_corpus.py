"""Findings in real configurations, beside the errors of postconf(1)."""

from __future__ import annotations

import json
import lzma
import re
from collections import Counter
from pathlib import Path

import pytest

from postconf.catalogue import release
from postconf.files.regular import read_file
from tlsproxy.check.engine import Checked, check
from tlsproxy.check.facts.filesystem import FileSystem
from tlsproxy.check.findings import Severity
from tlsproxy.check.rule import all_rules
from tlsproxy.check.text.sources import MainFile, MasterFile

RULES = all_rules()
DOCUMENTED = Path(__file__).parents[2] / "docs/check.md"


def judge(path: Path) -> Checked:
    """Check a file of the corpus alone."""
    text = read_file(str(path))
    main = MainFile("main.cf", text) if path.parent.name == "main.cf" else None
    master = None if main else MasterFile("master.cf", text)
    return check(main, master, RULES, release("3.7"), FileSystem(enabled=False))


@pytest.mark.parametrize("group, mode", [("main", "n"), ("master", "M")])
def test_refusal_of_postconf_is_an_error(corpus: Path, group: str, mode: str) -> None:
    with lzma.open(corpus / "expected" / f"{group}.{mode}.json.xz", "rt") as file:
        recorded = json.load(file)
    refused = {case: text for case, (status, _, text) in recorded.items() if status and "host not found" not in text}
    assert refused
    for case, text in refused.items():
        found = judge(corpus / f"{group}.cf" / f"{case}.cf").findings
        assert any(each.severity is Severity.ERROR for each in found), (case, text)


@pytest.mark.parametrize("group", ["main.cf", "master.cf"])
def test_findings_point_into_the_text(corpus: Path, group: str) -> None:
    paths = sorted((corpus / group).glob("*.cf"))
    assert paths
    for path in paths:
        checked = judge(path)
        [source] = checked.sources
        for each in checked.findings:
            assert 0 <= each.span.line <= len(source.lines), (path.name, each)
            assert each.span.end_column <= len(source.line(each.span.line)) + 2, (path.name, each)


def test_template_has_one_finding_for_its_markup(corpus: Path) -> None:
    rows = [line.split("\t") for line in (corpus / "index.tsv").read_text().splitlines()[1:]]
    files = [corpus / row[0] / row[2] for row in rows if row[10] != "-" and row[0] in ("main.cf", "master.cf")]
    found = [[each.rule for each in judge(path).findings] for path in files]
    templates = [rules for rules in found if "S013" in rules]
    assert len(templates) > len(files) * 3 / 4  # others have markup in comments only
    for rules in templates:
        assert rules.count("S013") == 1
        assert not {"S001", "M001", "M005", "V001", "V006"}.intersection(rules)


def test_findings_of_each_rule_are_counted_as_documented(corpus: Path) -> None:
    pairs = [line.split("\t") for line in (corpus / "pairs.tsv").read_text().splitlines()[1:]]
    alone = {
        kind: {path.stem for path in (corpus / kind).glob("*.cf")} - {pair[column] for pair in pairs}
        for column, kind in enumerate(("main.cf", "master.cf"))
    }
    configurations = [*pairs, *((main, "") for main in alone["main.cf"]), *(("", each) for each in alone["master.cf"])]
    usual = [rule for rule in RULES if not rule.optional]
    found: Counter[tuple[str, str]] = Counter()
    for main, master in configurations:
        findings = check(
            MainFile("main.cf", read_file(str(corpus / "main.cf" / f"{main}.cf"))) if main else None,
            MasterFile("master.cf", read_file(str(corpus / "master.cf" / f"{master}.cf"))) if master else None,
            usual,
            release("3.7"),
            FileSystem(enabled=False),
        ).findings
        found.update((each.severity.word, each.rule) for each in findings)
    documented: dict[tuple[str, str], int] = {}
    text = DOCUMENTED.read_text()
    for total, words, counts in re.findall(r"(\d+) (errors|warnings|hints): ((?:[A-Z]\d{3} \d+[,.]\s)+)", text):
        numbers = {rule: int(number) for rule, number in re.findall(r"(\w+) (\d+)", counts)}
        assert sum(numbers.values()) == int(total)
        severity = {"errors": "error", "warnings": "warning", "hints": "info"}[words]
        documented |= {(severity, rule): number for rule, number in numbers.items()}
    assert f"{len(configurations)} configurations" in text
    assert found == documented
