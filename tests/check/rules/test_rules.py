"""Each rule reports its bad example, and nothing in those that are right."""

from __future__ import annotations

from pathlib import Path

import pytest
from check.examples import files_of, run

from tlsproxy.check.engine import UNUSED_IGNORE, Checked
from tlsproxy.check.findings import Severity
from tlsproxy.check.rule import Rule, all_rules

RULES = {rule.id: rule for rule in all_rules()}
WITHOUT_EXAMPLES = {
    "D005": "needs a name server: test_outside",
    "K014": "needs a daemon that runs: test_outside",
    "K018": "needs a file that one may not read: test_files",
    "T007": "needs a file of root's, and one of somebody else's: test_files",
}
"""Rules whose cases can't be written as text; they have tests of their own."""
EXAMPLES = sorted(RULES.keys() - WITHOUT_EXAMPLES)


@pytest.fixture
def directory(tmp_path: Path, certificate_files: dict[str, bytes]) -> Path:
    for name, data in certificate_files.items():
        file = tmp_path / name
        file.write_bytes(data)
        file.chmod(0o644 if name in ("open.pem", "cert.pem") else 0o600)
    return tmp_path


def with_files(rule: Rule, example: str, directory: Path) -> Path | None:
    others = {name: text for name, text in files_of(example).items() if name not in ("main.cf", "master.cf")}
    for name, text in others.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text)
    return directory if rule.needs_files or others else None


def found(name: str, example: str, directory: Path) -> Checked:
    """Return the findings of a rule in an example; unused comments can only be found when all rules have run."""
    rule = RULES[name]
    rules = all_rules() if name == UNUSED_IGNORE else [rule]
    return run(example, rules, with_files(rule, example, directory), rule.example_version)


@pytest.mark.parametrize("name", EXAMPLES)
def test_bad_example_is_reported(name: str, directory: Path) -> None:
    result = found(name, RULES[name].bad, directory)
    assert name in {finding.rule for finding in result.findings}


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("kind", ["good", "lookalike"])
def test_right_examples_are_not_reported(name: str, kind: str, directory: Path) -> None:
    result = found(name, getattr(RULES[name], kind), directory)
    assert [finding.message for finding in result.findings if finding.rule == name] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_findings_have_a_place_and_a_remedy(name: str, directory: Path) -> None:
    result = found(name, RULES[name].bad, directory)
    assert result.findings
    for finding in result.findings:
        source = next((each for each in result.sources if each.path == finding.span.path), None)
        assert finding.help or finding.severity is Severity.INFO
        if source is None:
            assert Path(finding.span.path).is_file()
            continue
        assert 0 <= finding.span.line <= len(source.lines)
        if finding.span.column:
            assert finding.span.end_column > finding.span.column
            assert finding.span.end_column <= len(source.line(finding.span.line)) + 2


def test_every_rule_is_documented_and_has_its_examples() -> None:
    for rule in RULES.values():
        assert rule.title(), rule.id
        examples = [rule.bad, rule.good, rule.lookalike]
        assert not any(examples) if rule.id in WITHOUT_EXAMPLES else all(examples), rule.id


def test_rules_have_names_of_their_own() -> None:
    assert len({rule.name for rule in RULES.values()}) == len(RULES)


_COPIED = ("S", "N", "V", "T", "R", "P")
"""Subjects whose errors show that an example can't be copied. Those of others show that it is a fragment."""


def test_right_examples_have_no_other_mistake() -> None:
    ordinary = [rule for rule in RULES.values() if not rule.optional]
    mistakes = [
        (rule.id, kind, str(finding.span), finding.rule, finding.message)
        for rule in RULES.values()
        for kind in ("good", "lookalike")
        for finding in run(getattr(rule, kind), ordinary, version=rule.example_version).findings
        if finding.severity is Severity.ERROR and finding.suppressed is None
        if finding.rule[0] in _COPIED and finding.rule != "R010"
    ]
    assert mistakes == []
