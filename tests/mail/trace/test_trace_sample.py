"""The commands of samples/trace and of the pre-commit hook, as they are written, and the output in docs/trace.md."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tlsproxy.mail.trace.cli import main

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "samples" / "trace"


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(SAMPLES, tmp_path / "trace")
    monkeypatch.chdir(tmp_path / "trace")
    return tmp_path / "trace"


@pytest.mark.parametrize("pipeline", ["github-workflow.yml", "gitlab-ci.yml"])
def test_sample_pipeline_passes_and_notices_an_open_relay(
    sample: Path, capsys: pytest.CaptureFixture[str], pipeline: str
) -> None:
    [line] = re.findall(r"- (?:run: )?tlsproxy-trace (.*)", (SAMPLES / pipeline).read_text())
    assert main(shlex.split(line)) == 0
    assert "8 of 8 expectations hold" in capsys.readouterr().out
    main_cf = sample / "postfix" / "main.cf"
    main_cf.write_text(main_cf.read_text() + "mynetworks = 0.0.0.0/0\n")
    assert main(shlex.split(line)) == 1
    assert "strangers can't relay: accepted at RCPT: 250 2.1.5 Ok" in capsys.readouterr().out
    assert 'failures="1"' in (sample / "expectations.xml").read_text()


def test_pre_commit_hook_checks_expectations(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hook = (ROOT / ".pre-commit-hooks.yaml").read_text().partition("- id: tlsproxy-trace\n")[2]
    assert "entry: tlsproxy-trace\n" in hook
    assert "pass_filenames: false" in hook
    assert main(["--expect", "mail.toml"]) == 0


def test_documentation_shows_the_printed_output(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs" / "trace.md").read_text()
    examples = re.findall(r"```\n\$ (tlsproxy-trace (?:[^\n]*\\\n)*[^\n]*)\n(.*?)```", text, re.DOTALL)
    assert len(examples) >= 4
    for line, expected in examples:
        arguments, _, count = line.replace("\\\n", "").partition(" | head -")
        main(shlex.split(arguments)[1:])
        printed = capsys.readouterr().out.splitlines(keepends=True)
        assert "".join(printed[: int(count)] if count else printed) == expected, line
