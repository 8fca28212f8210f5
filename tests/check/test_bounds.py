"""Bounds of the checker: configurations of strangers cost a finding, not minutes or memory."""

from __future__ import annotations

from itertools import repeat

import pytest

from postconf import spelling
from postconf.catalogue import release
from tlsproxy.check.engine import check
from tlsproxy.check.facts import suggestions
from tlsproxy.check.facts.filesystem import FileSystem
from tlsproxy.check.findings import Finding, Span
from tlsproxy.check.rule import all_rules
from tlsproxy.check.text import sources
from tlsproxy.check.text.sources import MOST_CHARACTERS, MainFile, MasterFile


def findings(text: str, master: str | None = None) -> list[Finding]:
    files = FileSystem(enabled=False)
    other = None if master is None else MasterFile("master.cf", master)
    return check(MainFile("main.cf", text), other, all_rules(), release("3.7"), files).findings


def places(found: list[Finding], rule: str) -> list[tuple[int, int]]:
    return [(each.span.line, each.span.column) for each in found if each.rule == rule]


def test_exponential_references_are_reported_once_with_place() -> None:
    text = "a0 = 0123456789\n" + "".join(f"a{n} = {' '.join([f'$a{n - 1}'] * 10)}\n" for n in range(1, 41))
    found = findings(text + "mydestination = $a40\nmyhostname = mail.example.com\nsmtpd_tls_security_level = my\n")
    assert places(found, "S014") == [(7, 6)]
    assert places(found, "V007") == []
    assert places(found, "V004") == [(44, 28)]


def test_circular_references_stay_circular_beside_deep_ones() -> None:
    chain = "a0 = x\n" + "".join(f"a{n} = $a{n - 1}\n" for n in range(1, 150))
    found = [each for each in findings(chain + "b = $c\nc = $b\n") if each.rule == "V007"]
    assert {each.message.split(" ")[-1] for each in found if each.span.line > 150} == {"others"}
    assert {each.message.split(" ")[-1] for each in found if each.span.line <= 150} == {"another"}


def test_file_of_too_many_lines_is_reported_and_nothing_else() -> None:
    found = findings("mydestination =\n" + " x\n" * sources.MOST_PHYSICAL_LINES)
    assert [(each.rule, each.span.path) for each in found] == [("S014", "main.cf")]


@pytest.mark.parametrize("file", ["main.cf", "master.cf"])
def test_file_too_long_is_reported_and_nothing_else(file: str) -> None:
    text = "mydestination = " + "x" * MOST_CHARACTERS + "\n"
    found = findings(text) if file == "main.cf" else findings("nonsense\n", "smtp inet n - y - - smtpd\n" + "#" + text)
    assert [(each.rule, each.span.path) for each in found] == [("S014", file)]


def test_deeply_nested_braces_are_reported_without_a_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    visited: list[str] = []

    def names_in(_config: object, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        visited.append(text)
        return (), ()

    monkeypatch.setattr("postconf.Config.names_in", names_in)
    found = findings("a = " + "${a?{" * 100_000 + "x" + "}}" * 100_000 + "\n")
    assert places(found, "S014") == [(1, 5)]
    assert max(map(len, visited), default=0) < 10_000


def test_braces_nested_too_deeply_are_reported() -> None:
    values = ("${a?{" * depth + "x" + "}}" * depth for depth in (40, 60))
    assert places(findings("".join(f"a{n} = {value}\n" for n, value in enumerate(values))), "S014") == [(2, 6)]


def test_condition_on_an_undefined_name_is_no_mistake() -> None:
    found = findings("mydestination = ${one?x} $(two:y) ${{$three} == {z} ? {u}} $four\n")
    assert sorted(each.message.split()[0].strip("$") for each in found if each.rule == "N002") == ["four", "three"]


def test_suggestions_stop_after_a_bounded_number_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def nearest(word: str, known: object) -> str:
        asked.append(word)
        return spelling.nearest(word, known)  # type: ignore[arg-type]

    monkeypatch.setattr(suggestions, "nearest", nearest)
    found = findings("smtpd_tls_security_leve = may\n" + "".join(f"unknown_name_{n} = x\n" for n in range(2000)))
    assert places(found, "N001") == [(1, 1)]
    assert len(places(found, "N004")) == 101  # the last one counts the rest
    assert len(asked) == 500


@pytest.mark.parametrize("text", ["mynetworks = " + "10.0.0.1/8 " * 200_000, "relayhost = " + "[" * 500_000])
def test_value_too_long_to_be_read_is_reported_only(text: str) -> None:
    found = findings(f"{text}\n")
    assert places(found, "S014") == [(1, text.index("= ") + 3)]
    assert not [each for each in found if each.rule.startswith("V")]


def test_long_value_has_a_bounded_number_of_findings() -> None:
    assert len(places(findings("mynetworks = " + "10.0.0.1/8 " * 5_000 + "\n"), "V013")) == 25


def test_classes_in_a_circle_are_found_beside_a_long_chain() -> None:
    names = [f"c{n}" for n in range(2000)]
    text = f"smtpd_restriction_classes = {' '.join(names)} a b\na = b\nb = permit, a\nc0 = permit\n"
    text += "".join(f"c{n} = c{n - 1} a\n" for n in range(1, 2000))
    found = findings(text + "smtpd_recipient_restrictions = c1999, reject\n")
    assert places(found, "R003") == [(2, 5), (3, 5)]


def test_lines_beyond_the_limit_are_left_out_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_LINES", 100)
    found = findings("smtpd_tls_loglevel = many\n" + "x = y\n" * 100 + "smtpd_tls_loglevel = much\nnonsense\n")
    assert places(found, "S014") == [(101, 1)]
    assert places(found, "V005") == [(1, 22)]
    assert places(found, "S001") == []


@pytest.mark.parametrize(
    ("services", "reason"),
    [
        ("".join(f"s{n} unix - - n - - smtp -o smtp_x{n}=y\n" for n in range(110)), "settings or services"),
        ("a unix - - n - - smtp" + " -o smtp_x=y" * 90 + "\nb unix - - n - - smtp\n", ""),
        (
            ("a unix - - n - - smtp" + " -o smtp_x=y" * 60 + "\n") * 3 + "b unix - - n - - smtp\n",
            "settings or services",
        ),
        ("a unix - - n - - smtp" + " -o smtp_x=y" * 200 + "\n", ""),
        ("a unix - - n - - smtp" + " -o smtp_x=y" * 9_000 + "\nb unix - - n - - smtp\n", "characters in an entry"),
    ],
    ids=["services", "one entry", "settings", "last settings", "long entry"],
)
def test_services_and_settings_beyond_a_limit_are_reported(
    services: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MOST_LINES", 100)
    found = [each for each in findings("", services) if each.rule == "S014"]
    assert [each.message for each in found if reason not in each.message] == []
    assert len(found) == bool(reason)


def test_lists_of_many_services_are_read_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tlsproxy.check.facts.mail.access._MOST_IN_ALL", 30_000)
    text = f"smtpd_recipient_restrictions = {'reject_unauth_destination ' * 30}\n"
    services = "".join(f"{n} inet n - n - - smtpd -o syslog_name=s{n}\n" for n in range(1000, 1100))
    assert [each.span.line for each in findings(text, services) if each.rule == "S014"] == [1]
    assert not [each for each in findings(text, services[: len(services) // 4]) if each.rule == "S014"]


def test_rule_without_an_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = next(each for each in all_rules() if each.id == "N004")
    finding = rule.finding(Span("main.cf"), "x")
    monkeypatch.setattr(type(rule), "check", lambda _self, _context: repeat(finding))
    checked = check(MainFile("main.cf", ""), None, [rule], release("3.7"), FileSystem(enabled=False))
    assert checked.findings == [finding]


def test_repeated_settings_have_a_bounded_number_of_findings() -> None:
    found = [each for each in findings("relayhost =\n" * 1000) if each.rule == "S011"]
    assert len(found) == 101
    assert sum(len(each.fix.edits) for each in found if each.fix) == 999


def test_number_with_thousands_of_digits_is_read() -> None:
    assert (1, 22) in places(findings("smtpd_tls_loglevel = " + "1" * 5000 + "\n"), "V005")
