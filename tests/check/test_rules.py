"""Each rule reports its bad example, and nothing in those that are right."""

from __future__ import annotations

from pathlib import Path

import pytest
from check.examples import files_of, run

from tlsproxy.check.findings import Severity
from tlsproxy.check.rule import Rule, all_rules

RULES = {rule.id: rule for rule in all_rules()}
WITHOUT_EXAMPLES = ("T007", "K014", "D005")
"""Rules whose cases can't be written as text; they have tests of their own."""


@pytest.fixture
def directory(tmp_path: Path, certificate_files: dict[str, bytes]) -> Path:
    for name, data in certificate_files.items():
        file = tmp_path / name
        file.write_bytes(data)
        file.chmod(0o644 if name == "open.pem" else 0o600)
    return tmp_path


def with_files(rule: Rule, example: str, directory: Path) -> Path | None:
    for name, text in files_of(example).items():
        if name not in ("main.cf", "master.cf"):
            (directory / name).write_text(text)
    return directory if rule.needs_files else None


@pytest.mark.parametrize("name", RULES)
def test_the_bad_example_is_reported(name: str, directory: Path) -> None:
    rule = RULES[name]
    if name in WITHOUT_EXAMPLES:
        pytest.skip("no example")
    rules = [rule, *all_rules()] if name == "A001" else [rule]
    result = run(rule.bad, rules, with_files(rule, rule.bad, directory), rule.example_version)
    assert name in {finding.rule for finding in result.findings}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("kind", ["good", "lookalike"])
def test_right_examples_are_not_reported(name: str, kind: str, directory: Path) -> None:
    rule = RULES[name]
    example = getattr(rule, kind)
    if not example:
        pytest.skip("no such example")
    result = run(example, [rule], with_files(rule, example, directory), rule.example_version)
    assert [finding.message for finding in result.findings] == []


@pytest.mark.parametrize("name", RULES)
def test_findings_point_into_the_text_and_say_what_to_do(name: str, directory: Path) -> None:
    rule = RULES[name]
    result = run(rule.bad, [rule], with_files(rule, rule.bad, directory), rule.example_version)
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


def test_every_rule_has_a_documented_and_a_right_example() -> None:
    for rule in RULES.values():
        assert rule.title(), rule.id
        if rule.id not in WITHOUT_EXAMPLES:
            assert rule.bad, rule.id
            assert rule.good, rule.id


def test_rules_have_names_of_their_own() -> None:
    assert len({rule.name for rule in RULES.values()}) == len(RULES)
