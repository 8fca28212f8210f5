"""The examples of docs/configuration.md are true."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_examples_print_what_they_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = DOCUMENT.read_text()
    files = text.split("```")[1].split("# master.cf\n")
    (tmp_path / "main.cf").write_text(files[0].split("# main.cf\n")[1])
    (tmp_path / "master.cf").write_text(files[1])
    test = doctest.DocTestParser().get_doctest(text, {"directory": tmp_path}, DOCUMENT.name, str(DOCUMENT), 0)
    failed, attempted = doctest.DocTestRunner().run(test)
    assert failed == 0, capsys.readouterr().out
    assert attempted > 10
