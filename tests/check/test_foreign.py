"""Files that are no configuration of Postfix, and files with hundreds of mistakes: few findings, in each format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tlsproxy.check import reports
from tlsproxy.check.command.cli import main

MASTER = "smtp inet n - y - - smtpd\npickup unix n - y 60 1 pickup\n  -o content_filter=\n"
SETTINGS = "myhostname = mail.example.com\nmydestination =\n"


def rules_in(directory: Path, *arguments: str) -> list[tuple[str, str]]:
    report = directory / "report.json"
    main([*arguments, "--no-fs", "--postfix-version", "3.7", "--format", f"json:{report}"])
    return [(each["rule"], Path(each["file"]).name) for each in json.loads(report.read_text())["findings"]]


@pytest.mark.parametrize(
    "content",
    [
        b"\x7fELF\2\1\1\0\0\0\0\0\0\0\0\0\3\0>\0\1\0\0\0" * 500,
        b"<!DOCTYPE html>\n<html><body>\n<p>404 Not Found</p>\n</body></html>\n",
        b"#!/bin/sh\nset -e\nfor x in a b; do\n  echo $x\ndone\nexit 0\nfi\necho y\necho {{x}}\n",
        b'{\n"a": 1,\n"b": 2,\n"c": 3,\n"d": 4,\n"e": 5\n}\n',
        b"[section]\na\nb\nc\nd\ne\n",
        b"".join(b"user%d:x:%d:100::/home:/bin/sh\n" % (n, n) for n in range(2000)),
        MASTER.encode(),
    ],
    ids=["binary", "html", "script", "json", "sections", "passwd", "master.cf"],
)
def test_main_cf_of_something_else_is_one_finding(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "main.cf").write_bytes(content)
    assert rules_in(tmp_path, "-c", str(tmp_path)) == [("S015", "main.cf")]


@pytest.mark.parametrize("content", [SETTINGS, "<html></html>\n", "a\nb\nc\nd\ne\n" * 1000])
def test_master_cf_of_something_else_is_one_finding(content: str, tmp_path: Path) -> None:
    (tmp_path / "main.cf").write_text(SETTINGS)
    (tmp_path / "master.cf").write_text(content)
    assert rules_in(tmp_path, "-c", str(tmp_path)) == [("S015", "master.cf")]


@pytest.mark.parametrize(
    "content",
    [
        "#!/usr/sbin/postconf\nmyhostname = mail.example.com\nmydestination\n",
        "mua_client_restrictions =\n",
        "{% for each in settings %}\n{{ each }}\n{% endfor %}\na\nb\nc\nd\n",
        "my_hostname\n",
    ],
)
def test_main_cf_with_mistakes_is_still_a_main_cf(content: str, tmp_path: Path) -> None:
    (tmp_path / "main.cf").write_text(content)
    assert "S015" not in dict(rules_in(tmp_path, "-c", str(tmp_path)))


@pytest.mark.parametrize("format", sorted(reports.FORMATS))
def test_thousands_of_mistakes_are_summed_up_in_each_format(format: str, tmp_path: Path) -> None:
    (tmp_path / "main.cf").write_text(SETTINGS + "x\n" * 5000)
    report = tmp_path / "report"
    main(["-c", str(tmp_path), "--no-fs", "--postfix-version", "3.7", "--format", f"{format}:{report}"])
    text = report.read_text()
    assert "4900 more findings of S001" in text
    assert text.count("missing &#x27;=&#x27;") + text.count("missing '='") + text.count("missing &apos;=") < 1000


def test_mistakes_with_fixes_are_all_fixed(tmp_path: Path) -> None:
    file = tmp_path / "master.cf"
    file.write_text("".join(f"x{n} unix - - y - 5 tlsproxy\n" for n in range(200)))
    main(["-c", str(tmp_path), "--no-fs", "--postfix-version", "3.7", "--select", "X001", "--fix", "--format", "json"])
    assert file.read_text().count(" 0 tlsproxy") == 200
