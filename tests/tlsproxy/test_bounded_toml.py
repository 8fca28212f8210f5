"""TOML from strangers: the same tables as tomllib's, and an error for text that would cost minutes or gigabytes."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tlsproxy import bounded_toml

PIECES = ["a", "=", ".", '"', "'", '"""', "'''", "\\", "\n", " ", "#", "[", "]", "{", "}", ",", "1", "é"]


@pytest.mark.parametrize(
    "text",
    [
        "a" + ".a" * 100_000 + " = 1",
        "[" + "a." * 100_000 + "a]",
        "x = {" + "'a' . " * 100_000 + "a = 1}",
        "x = " + "[" * 100_000,
        "x = " + "{a = " * 50_000,
        "x = " + "9" * 5_000,
        "#" * (bounded_toml.MAX_LENGTH + 1),
    ],
    ids=["key", "header", "inline", "arrays", "tables", "number", "length"],
)
def test_toml_above_a_limit_is_an_error(text: str) -> None:
    with pytest.raises(bounded_toml.TomlError):
        bounded_toml.loads(text)


def test_dots_in_strings_and_comments_are_no_keys() -> None:
    dots = "a." * 1_000
    text = f"x = \"{dots}\"\ny = '{dots}'\nz = '''\n{dots}\n{dots}'''''\nu = \"\"\"{dots}\\\"\"\"\"\" # {dots}\n"
    assert bounded_toml.loads(text) == tomllib.loads(text)


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
@example('a = """"""""\nb = 1')
@example("a = '''''''''")
def test_toml_within_the_limits_is_as_tomllib_reads_it(text: str) -> None:
    try:
        expected = tomllib.loads(text)
    except ValueError:
        with pytest.raises(bounded_toml.TomlError):
            bounded_toml.loads(text)
    else:
        assert bounded_toml.loads(text) == expected
