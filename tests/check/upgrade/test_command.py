"""tlsproxy-check --upgrade: input, reports, exit status, and changes."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tlsproxy.check.command.cli import main

MAIN = "compatibility_level = 3.6\nsmtpd_use_tls = yes\nsmtpd_helo_restrictions = permit_naked_ip_address\n"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "main.cf").write_text(MAIN)
    yield tmp_path


def upgrade(*arguments: str, source: str = "3.7", target: str = "3.10") -> int:
    return main(["--upgrade", target, "--from", source, "-c", ".", *arguments])


def test_json_has_exactly_the_documented_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert upgrade("--format", "json") == 1
    report = json.loads(capsys.readouterr().out)
    assert list(report) == ["from", "to", "changes"]
    assert (report["from"], report["to"]) == ("3.7", "3.10")
    keys = ["id", "severity", "since", "kind", "parameter", "old", "new", "file", "line", "message", "help", "fix"]
    assert {tuple(each) for each in report["changes"]} == {tuple(keys)}
    assert {each["severity"] for each in report["changes"]} == {"error", "warning", "info"}
    [fixed] = [each["fix"] for each in report["changes"] if each["parameter"] == "smtpd_use_tls"]
    assert fixed == {"title": "write smtpd_tls_security_level = may", "safe": True}


def test_worst_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    upgrade("--format", "json")
    order = [each["severity"] for each in json.loads(capsys.readouterr().out)["changes"]]
    assert order == sorted(order, key=["error", "warning", "info"].index)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [((), 1), (("--fail-on", "never"), 0), (("--fail-on", "info"), 1), (("--no-fs",), 1)],
)
def test_exit_status_is_that_of_other_runs(arguments: tuple[str, ...], status: int) -> None:
    assert upgrade(*arguments) == status


def test_no_change_is_said_so(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert upgrade(source="3.10", target="3.10") == 0
    assert capsys.readouterr().out == "Postfix 3.10.13 to 3.10.13: nothing changes for this configuration\n"


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"smtp_use_tls = yes\n")))
    assert main(["--upgrade", "3.10", "--from", "3.7", "-"]) == 0
    assert "<stdin>:1:1: warning parameter-deprecated [3.9] smtp_use_tls" in capsys.readouterr().out


def test_default_source_is_the_selected_release(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--upgrade", "3.10", "--postfix-version", "3.9", "-c", "."])
    assert capsys.readouterr().out.startswith("Postfix 3.9.14 to 3.10.13\n")


def test_report_goes_to_a_file(directory: Path) -> None:
    assert upgrade("--format", "json:report.json") == 1
    assert json.loads((directory / "report.json").read_text())["to"] == "3.10"


def test_safe_fixes_are_written_and_not_reported_again(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert upgrade("--fix") == 1
    assert "smtpd_use_tls" not in capsys.readouterr().out
    assert (directory / "main.cf").read_text() == MAIN.replace("smtpd_use_tls = yes", "smtpd_tls_security_level = may")


def test_diff_changes_nothing(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert upgrade("--diff") == 1
    assert "-smtpd_use_tls = yes\n+smtpd_tls_security_level = may\n" in capsys.readouterr().out
    assert (directory / "main.cf").read_text() == MAIN


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--upgrade", "3.7", "--from", "3.10"], "3.7.11 is older than 3.10.13"),
        (["--upgrade", "plan9"], "plan9 is neither a Postfix release nor a distribution; known are debian11, "),
        (["--upgrade", "4.2"], "Postfix 4.2 is not in the catalogue"),
        (["--from", "3.7"], "--from needs --upgrade"),
        (["--upgrade", "3.10", "--format", "sarif"], "unknown format sarif; formats of this report are text, json"),
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "-c", "."]) == 2
    assert message in capsys.readouterr().err


def test_missing_file_is_status_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--upgrade", "3.10", "nowhere/main.cf"]) == 3
    assert "nowhere/main.cf" in capsys.readouterr().err


def test_completion_offers_releases_and_distributions(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--completion", "bash"])
    shown = capsys.readouterr().out
    for option in ("--upgrade", "--from"):
        [line] = [line for line in shown.splitlines() if line.lstrip().startswith(f"{option})")]
        assert "3.10 3.11" in line
        assert "debian12 debian13" in line
