"""The checker of prose: clauses without a noun are reported, questions and quotations are not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from check_prose import bad_python  # noqa: E402


@pytest.mark.parametrize(
    "prose",
    [
        "Return what is found.",
        "Yield the findings, whatever the level.",
        "Return where the page ends.",
        "Return whether there is a role.",
    ],
)
@pytest.mark.parametrize("code", ['"""{}"""', "value = 1  # {}"])
def test_clause_without_a_noun_is_reported(prose: str, code: str) -> None:
    assert [number for number, _ in bad_python("import os\n" + code.format(prose))] == [2]


@pytest.mark.parametrize(
    "prose",
    [
        "Return the findings that are new.",
        "Name what kind of table this is.",
        'Write the text "what Postfix does" in the heading.',
        "Read `what` from the command line.",
        "A user asks: what changes with the next release?",
        "Return the place where a value is set.",
    ],
)
def test_noun_question_and_quotation_are_fine(prose: str) -> None:
    assert not list(bad_python(f"value = 1  # {prose}"))
