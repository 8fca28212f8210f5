"""Names and values of strangers in reports: every format stays well-formed, and no escape reaches a terminal."""

from __future__ import annotations

import json
import os
import re
import xml.etree.ElementTree
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tlsproxy import json_text
from tlsproxy.check.command.cli import main
from tlsproxy.check.reports import FORMATS

HOSTILE = "x\x1b[31m\n%0A::error::y,z:\"'<b>&]]>--><!--\x07\x7f\x9b\u2028\u202e\udcff\\é\U0001f600"
REPORTS = [
    *([each] for each in FORMATS),
    *(["--upgrade", "3.10", each] for each in ("text", "json")),
    *(["--tls-report", each] for each in ("text", "json", "html")),
]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / HOSTILE
    directory.mkdir()
    value = HOSTILE.replace("\n", "\r")
    text = f"smtpd_tls_security_level = may\nmydestination = {value}, {value}\nsmtpd_tls_loglevel = {value}\nx{value}\n"
    (directory / "main.cf").write_text(text, errors="surrogateescape", newline="")
    word = re.sub(r"\s", "", HOSTILE)
    services = f"{word} inet n - n - - smtpd -o smtpd_tls_loglevel={word}\n{word} unix - - n - - {word}\n"
    (directory / "master.cf").write_text(services, errors="surrogateescape")
    return directory


class Page(HTMLParser):
    """The elements of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)


@pytest.mark.parametrize("report", REPORTS, ids=" ".join)
def test_report_with_hostile_names_is_well_formed(
    directory: Path, report: list[str], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    *options, kind = report
    main(["-c", str(directory), "--no-fs", "--postfix-version", "3.7", *options, "--format", kind])
    data, errors = capfdbinary.readouterr()
    text = data.decode()
    assert errors == b""
    assert not re.search(r"[^\n\x20-\x7e\xa1-\u2027\u2030-\uffff\U0001f600]", text)
    assert "::error::y" not in text.replace("%0A::error::y", "")
    if kind in ("json", "sarif", "gitlab"):
        json.dumps(json.loads(text), ensure_ascii=False).encode()
    elif kind == "jsonl":
        assert all(json.loads(line)["file"].startswith(str(directory)[:-40]) for line in text.splitlines())
    elif kind in ("junit", "checkstyle"):
        xml.etree.ElementTree.fromstring(text)
    elif kind == "html":
        assert "b" not in Page(text).found
    elif kind == "github":
        assert all(re.match(r"::(error|warning|notice) file=", line) for line in text.splitlines())
    elif kind == "concise":
        assert all(re.search(r"main.cf|master.cf", line) for line in text.splitlines())


def test_error_message_has_no_control_characters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("main.cf").write_text("")
    assert main(["main.cf", "--format", f"json:/nonexistent\x1b{os.sep}file"]) == 3
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("text", ["\udcff", "\ud83d\ude00", "\\udcff", "\\\udcff", '"\udcffé\U0001f600\\\\"', "\ud83d"])
def test_json_has_no_lone_surrogates(text: str) -> None:
    assert json.loads(json_text.dumps([text])) == [re.sub("[\ud800-\udfff]", "\ufffd", json.loads(json.dumps(text)))]
