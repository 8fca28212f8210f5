"""The examples of docs/configuration.md are true, and the manual page names every option."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from postconf import catalogue
from postconf.command.extensions import FLAGS, WITH_VALUE
from postconf.command.options import OptionError
from postconf.command.usage import parse
from postconf.errors import ConfigError

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = DOCS / "configuration.md"


def test_examples_print_the_documented_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = DOCUMENT.read_text()
    files = text.split("```")[1].split("# master.cf\n")
    (tmp_path / "main.cf").write_text(files[0].split("# main.cf\n")[1])
    (tmp_path / "master.cf").write_text(files[1])
    test = doctest.DocTestParser().get_doctest(text, {"directory": tmp_path}, DOCUMENT.name, str(DOCUMENT), 0)
    failed, attempted = doctest.DocTestRunner().run(test)
    assert failed == 0, capsys.readouterr().out
    assert attempted > 10


def documented_options() -> set[str]:
    page = (DOCS / "man" / "tlsproxy-postconf.1").read_text()
    items = re.findall(r"^\.It (Fl .*)", page, re.MULTILINE)
    return {word for item in items for word in re.findall(r"(?:Fl|,) (\S+)", item)}


def is_option(letter: str) -> bool:
    try:
        parse([f"-{letter}", "all", "name=value"], catalogue.release("3.12"))
    except OptionError:
        return False
    except ConfigError:
        pass
    return True


def test_manual_page_names_every_option() -> None:
    letters = {chr(code) for code in range(33, 127)} - {"-"}
    assert documented_options() == {
        *(letter for letter in letters if is_option(letter)),
        *(f"-{name}" for name in (*FLAGS, *WITH_VALUE)),
    }
