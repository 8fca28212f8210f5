"""Tables that others fill: findings in the order of the lines, and a finding, not memory or patience, for bad input."""

from __future__ import annotations

from pathlib import Path

import pytest
from check.examples import run

from tlsproxy.check.facts.mail import access
from tlsproxy.check.findings import Finding
from tlsproxy.check.rule import all_rules

RULES = all_rules()


def findings(directory: Path, setting: str, table: bytes, rule: str) -> list[Finding]:
    (directory / "t").write_bytes(table)
    text = f"{setting}\n--- master.cf\nsmtp inet n - y - - smtpd\nqmgr unix n - n 300 1 qmgr\n".replace(
        "@", str(directory / "t")
    )
    return [each for each in run(text, RULES, directory).findings if each.rule == rule]


def test_first_bad_values_of_a_table_are_reported(tmp_path: Path) -> None:
    table = b"".join(b"%d.example.com smtp:[%d\n" % (number, number) for number in range(2000))
    found = findings(tmp_path, "transport_maps = hash:@", table, "T008")
    assert [each.span.line for each in found if each.span.path.endswith("/t")] == list(range(1, 21))


def test_bad_value_that_is_repeated_counts_once_for_the_limit(tmp_path: Path) -> None:
    table = b"".join(b"%d.example.com smtp:[x%d\n" % (number, number % 100) for number in range(60_000))
    found = findings(tmp_path, "transport_maps = hash:@", table + b"last smtp:[y\n", "T008")
    assert any("59981 more values" in each.message for each in found)


def test_missing_transport_is_reported_at_its_first_line(tmp_path: Path) -> None:
    table = b"".join(b"%d.example.com smtpx:[%d.example.net]\n" % (number, number) for number in range(50))
    found = findings(tmp_path, "transport_maps = hash:@", table, "F001")
    assert [each.span.line for each in found if each.span.path.endswith("/t")] == [1]


def test_each_duplicate_key_of_a_source_is_reported(tmp_path: Path) -> None:
    found = findings(tmp_path, "transport_maps = hash:@", b"a smtp:\nA smtp:\na smtp:\nb\nb smtp:\na smtp:\n", "T014")
    assert [each.span.line for each in found] == [3, 4, 6]


@pytest.mark.parametrize("kind", ["texthash", "hash", "cidr", "regexp"])
def test_line_of_megabytes_is_one_short_finding(tmp_path: Path, kind: str) -> None:
    line = b"x" * (3 << 20)
    found = findings(tmp_path, f"transport_maps = {kind}:@", b"# " + line + b"\n\nkey " + line + b"\n", "T006")
    found += findings(tmp_path, f"transport_maps = {kind}:@", b"# " + line + b"\n\nkey " + line + b"\n", "T014")
    assert [(each.span.line, len(each.message) < 200) for each in found] == [(3, True)]


def test_message_with_a_long_value_is_cut(tmp_path: Path) -> None:
    [found] = findings(tmp_path, "transport_maps = hash:@", b"example.com smtp:[" + b"x" * 100_000 + b"\n", "T008")
    assert len(found.message) < 2000


@pytest.mark.parametrize("size", [100, 10])
def test_large_table_is_not_asked_about_relaying(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(access._LARGEST, "regexp", size)
    lists = "smtpd_recipient_restrictions = check_sender_access regexp:@, reject_unauth_destination\n"
    found = findings(tmp_path, f"{lists}smtpd_relay_restrictions =", b"/^joe@example\\.com$/ OK\n/(x/ OK\n", "R011")
    assert bool(found) == (size == 100)
    assert capfd.readouterr().err == ""
