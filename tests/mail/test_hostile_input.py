"""Configurations, sessions and files of strangers: an answer or an error, never a wait or an exception."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from mail.fixtures import MakeConfig, MakeView

from postconf import ConfigError
from tlsproxy.mail.access.restrictions.lists import Classes, ListWord, RestrictionList
from tlsproxy.mail.access.startup import has_relay_control
from tlsproxy.mail.tables import TableLookupError
from tlsproxy.mail.trace.cli import main
from tlsproxy.mail.trace.requests import MAX_LENGTH, RequestError, read_session

MASTER = "smtp inet n - n - - smtpd\nlocal unix - n n - - local\n"
SESSION = {"client": "203.0.113.7", "sender": "a@b.example", "recipients": ["c@d.example"]}
HALF = "\ud800"


@pytest.fixture
def fifo(tmp_path: Path) -> str:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return str(path)


@pytest.mark.parametrize("more", [{"helo": HALF}, {"sasl_user": HALF}, {"sender": HALF}, {"client_name": HALF}])
def test_session_with_half_a_character_is_an_error(more: dict[str, str]) -> None:
    with pytest.raises(RequestError, match="surrogate"):
        read_session(json.dumps(SESSION | more))


@pytest.mark.parametrize("line", ["[" * 100_000, '{"tls": ' * 100_000, " " * (MAX_LENGTH + 1)])
def test_session_above_a_limit_is_an_error(line: str) -> None:
    with pytest.raises(RequestError):
        read_session(line)


def test_deep_json_on_standard_input_names_its_line(
    make_config: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_config(MASTER)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\n" + b"[" * 100_000 + b"\n")))
    assert main(["-c", str(tmp_path), "--batch"]) == 2
    assert "standard input, line 2: no JSON of a session" in capsys.readouterr().err


def test_classes_deeper_than_calls_are_walked_to_the_end(make_config: MakeConfig) -> None:
    depth = 5_000
    values = {f"c{number}": f"c{number + 1}" for number in range(depth)}
    values[f"c{depth}"] = "reject"
    config = make_config(smtpd_restriction_classes=" ".join(values), **values)
    classes = Classes(config)
    assert has_relay_control(RestrictionList("x", (ListWord("c0"),)), classes)
    assert not has_relay_control(RestrictionList("x", (ListWord("permit"), ListWord("c0"))), classes)


def test_myorigin_at_a_fifo_or_device_is_an_error(make_view: MakeView, fifo: str) -> None:
    for path in (fifo, "/dev/zero"):
        with pytest.raises(ConfigError, match="Not a regular file"):
            make_view(myorigin=path).text("myorigin")


def test_match_list_at_a_fifo_or_device_fails_its_lookups(make_view: MakeView, fifo: str) -> None:
    for path in (fifo, "/dev/zero"):
        with pytest.raises(TableLookupError, match="Not a regular file"):
            make_view(relay_domains=path).domains("relay_domains").match("x.example")


def test_file_of_expectations_without_an_end_is_an_error(
    make_config: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_config(MASTER)
    assert main(["-c", str(tmp_path), "--expect", "/dev/zero"]) == 2
    assert "more than" in capsys.readouterr().err


def test_errors_have_no_control_characters(
    make_config: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_config(MASTER, smtpd_relay_restrictions="reject", unknown_address_tempfail_action="\x1b]0;x\x07")
    assert main(["-c", str(tmp_path), "--client", "192.0.2.1", "--sender", "", "--recipient", "a@b"]) == 2
    error = capsys.readouterr().err
    assert error.rstrip("\n").isprintable()
    assert r"\x1b" in error


@pytest.mark.parametrize("nested", ["unionmap:{{{}}}", "pipemap:{{static:x, {}}}"])
def test_tables_nested_too_deeply_fail_their_lookups(make_view: MakeView, nested: str) -> None:
    name = "static:x"
    for _ in range(2_000):
        name = nested.format(name)
    with pytest.raises(TableLookupError, match="levels deep"):
        make_view(virtual_alias_maps=name).maps("virtual_alias_maps").find("x")


def test_alias_with_many_recipients_is_shown_in_bounds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many = ",".join(f"u{number}@example.net" for number in range(5000))
    tables = f"virtual_alias_domains = example.com\nvirtual_alias_maps = inline:{{{{x@example.com={many}}}}}\n"
    (tmp_path / "main.cf").write_text(f"compatibility_level = 3.6\nmyhostname = mail.example.org\n{tables}")
    (tmp_path / "master.cf").write_text("smtp inet n - n - - smtpd\nsmtp unix - - n - - smtp\n")
    who = ["--client", "192.0.2.1", "--sender", "a@example.org", "--recipient", "x@example.com"]
    assert main(["-c", str(tmp_path), *who]) == 0
    shown = capsys.readouterr().out
    assert "451 4.6.0 Alias expansion error" in shown
    assert len(shown) < 500_000
