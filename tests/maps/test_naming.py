"""Names of tables, lists of names, and names in braces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maps import TableError, naming


def test_first_colon_counts() -> None:
    assert naming.split_name("proxy:hash:/x") == ("proxy", "hash:/x")


@pytest.mark.parametrize("text", ["hash:", ":x", "hash", ""])
def test_both_halves_are_needed(text: str) -> None:
    with pytest.raises(TableError, match=rf'^open dictionary: expecting "type:name" form instead of "{text}"$'):
        naming.split_name(text)


def test_braces_protect_separators() -> None:
    assert naming.split_list(" a, {b, c}d\t,,\r\ne} f") == ["a", "{b, c}d", "e}", "f"]
    assert naming.braced_list("{static:{a b}, static:c}") == ["static:{a b}", "static:c"]


@pytest.mark.parametrize("text", ["", "{}", "{ , }", "x", "{a}x", "{a", "{{a}"])
def test_empty_braces_are_an_empty_list(text: str) -> None:
    assert not naming.braced_list(text)


def test_rules_in_a_name_lose_their_braces_and_outer_blanks() -> None:
    assert naming.inline_rules("{ {  /a b/ {x} }, {\v/c/ y} }") == ["/a b/ {x}", "/c/ y"]
    assert naming.inline_rules("{}") == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{/z/}", "no '{' at start of text in \"/z/\""),
        ("{{a} {b}x}", "syntax error after '}' in \"{b}x\""),
        ("{a} ", "syntax error after '}' in \"{a} \""),
        ("{{a}", "missing '}' in \"{{a}\""),
    ],
)
def test_bad_braces_have_different_errors(text: str, problem: str) -> None:
    with pytest.raises(naming.BracesError) as caught:
        naming.inline_rules(text)
    assert str(caught.value) == problem


@given(st.lists(st.text("ab c,{}", max_size=5)))
def test_lists_of_braced_elements_come_back(elements: list[str]) -> None:
    balanced = [element for element in elements if naming.braced_list("{" + element + "x}") or not element]
    text = ", ".join("{" + element + "}" for element in balanced)
    assert naming.split_list(text) == ["{" + element + "}" for element in balanced]
