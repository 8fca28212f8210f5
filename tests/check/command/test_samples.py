"""The commands in samples/check and in the pre-commit hook, run unchanged."""

from __future__ import annotations

import json
import re
import shlex
import xml.etree.ElementTree
from pathlib import Path

import pytest

from tlsproxy.check.command.cli import main

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "samples" / "check"
GOOD = "compatibility_level = 3.6\nmyhostname = mail.example.com\n"
BAD = GOOD + "smtpd_tls_security_leve = may\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "postfix").mkdir()
    (tmp_path / "postfix" / "main.cf").write_text(BAD)
    (tmp_path / "postfix" / "master.cf").write_text("smtp inet n - y - - smtpd\n")
    (tmp_path / "tlsproxy-check.toml").write_text('postfix-version = "3.7"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command_of(path: Path, start: str) -> list[str]:
    """The arguments of the one command in a file that begins so."""
    [line] = re.findall(rf"{re.escape(start)}tlsproxy-check (.*)", path.read_text())
    return shlex.split(line)


def test_workflow_for_github_annotates_and_writes_sarif(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = command_of(SAMPLES / "github-workflow.yml", "- run: ")
    assert main(arguments) == 1
    assert capsys.readouterr().out.startswith("::error file=postfix/main.cf,line=3,")
    assert json.loads((project / "postfix.sarif").read_text())["version"] == "2.1.0"
    (project / "postfix" / "main.cf").write_text(GOOD)
    assert main(arguments) == 0


def test_snippet_for_gitlab_writes_both_reports(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command_of(SAMPLES / "gitlab-ci.yml", "- ")) == 1
    assert "did you mean" in capsys.readouterr().out
    [issue] = json.loads((project / "postfix.json").read_text())
    assert issue["location"]["path"] == "postfix/main.cf"
    assert xml.etree.ElementTree.parse(project / "postfix.xml").getroot().tag == "testsuites"


def test_ansible_validates_a_file_that_is_not_in_its_place_yet(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    candidate = project / "source"
    arguments = [str(candidate) if each == "%s" else each for each in command_of(SAMPLES / "README.md", "validate: ")]
    candidate.write_text(
        GOOD + "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = $config_directory/no-such.pem\nmine = 1\n"
    )
    assert main(arguments) == 1
    assert "/etc/postfix/no-such.pem: No such file" in capsys.readouterr().out
    candidate.write_text(GOOD + "mine = 1\n")
    assert main(arguments) == 0


def test_hook_for_pre_commit_takes_the_files_that_it_names(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hook = (ROOT / ".pre-commit-hooks.yaml").read_text()
    pattern = re.findall(r"files: '(.*)'", hook)[0]
    files = ["postfix/main.cf", "postfix/master.cf", "postfix/main.cf.j2", "docs/domain.cf"]
    chosen = [file for file in files if re.search(pattern, file)]
    assert chosen == files[:2]
    arguments = shlex.split(re.findall(r"entry: tlsproxy-check (.*)", hook)[0])
    assert main([*arguments, *chosen]) == 1
    assert capsys.readouterr().out.count("N001") == 1
