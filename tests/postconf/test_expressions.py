"""`$name` and `${…}` in values: their values, and texts of any kind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postconf import catalogue
from postconf.errors import ConfigError
from postconf.syntax import expressions
from postconf.syntax.expressions import Budget, ExpressionError, expand, visit_names
from postconf.syntax.references import Reference, parse_reference, read

VALUES = {"a": "1", "empty": "", "two": "$a$a", "loop": "x$loop", "level": "3.6"}


def expanded(text: str, values: dict[str, str] = VALUES) -> str:
    return expand(text, values.get, lambda _: None, calls=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$a ${a} $(a) ${ two\t}", "1 1 1 11"),
        ("$$a $nosuch.", "$a ."),
        ("${a?b:c}", "b:c"),
        ("${a?{ b } : {c}}${empty ? {b} : c}", " b  c"),
        ("${empty?b}${empty:b}${nosuch: b}", "b b"),
        ("${{$a} == {1}}", "true"),
        ("${{10} > {9}?{by number}}${{10a} > {9a}?{by text}}", "by number"),
        ("${{$level} >=level {3.10}?{new}:{old}}", "old"),
        ("$({$a} != {}?{x})", "x"),
        ("${domain_to_utf8 {xn--bcher-kva.example} }", "bücher.example"),
    ],
)
def test_value_is_expanded_by_its_references(text: str, value: str) -> None:
    assert expanded(text) == value


def fields(reference: Reference) -> dict[str, object]:
    return {name: getattr(reference, name) for name in Reference.__slots__}


@pytest.mark.parametrize("version", catalogue.releases())
def test_references_in_defaults_are_as_the_grammar_parses_them(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    release = catalogue.release(version)
    met: list[str] = []

    def meet(content: str, *, calls: bool) -> Reference:
        met.append(content)
        reference = parse_reference(content, calls=calls)
        assert fields(reference) == fields(read(content, calls=calls))
        return reference

    monkeypatch.setattr(expressions, "parse_reference", meet)
    for name, default in release.defaults.items():
        if release.kinds[name] != catalogue.RAW:
            visit_names(default, lambda _: None, pytest.fail, calls=release.since("3.11"))
    assert len(met) > 10
    assert {*met} <= {row[0] for row in catalogue.parsed_references()}


pieces = [
    *("$", "${", "$(", "}", ")", "{", "?", ":", "==", ">=level", " ", "\t", "a", "b", "1", "$$", "é", "\udcff"),
    *("$a", "$b$c", "${a?{", "${{$b} == {", "} : {", "}}", "domain_to_ascii{"),
]
texts = st.lists(st.sampled_from(pieces), max_size=12).map("".join)


@given(st.dictionaries(st.sampled_from("abc"), texts), texts)
def test_every_expansion_ends_with_a_value_or_our_own_error(values: dict[str, str], text: str) -> None:
    warnings: list[str] = []
    try:
        expand(text, values.get, warnings.append, calls=True)
    except ExpressionError:
        assert warnings
    except ConfigError as error:
        assert error.message.startswith("mac_exp_eval: bad conversion")
    visit_names(text, warnings.append, warnings.append, calls=True)


@pytest.mark.parametrize(
    "text",
    [
        "${{" * 1000 + "x" + "} == {}?x}" * 1000,
        "${x?{" * 1000 + "x" + "}}" * 1000,
        "$(" * 1000 + ")" * 1000,
        "${domain_to_ascii{" * 1000 + "x" + "}}" * 1000,
    ],
    ids=["operands", "branches", "names", "calls"],
)
def test_texts_of_any_depth_are_walked_over(text: str) -> None:
    names: list[str] = []
    visit_names(text, names.append, lambda _: None, calls=True)
    with pytest.raises(ExpressionError):
        expanded(f"{text}${{")


def test_operands_nested_in_long_chains_are_an_error() -> None:
    chains = {f"{chain}{step}": f"${chain}{step + 1}" for chain in "abcdef" for step in range(95)}
    ends = {f"{chain}95": f"${{{{${after}0}} == {{}}?x}}" for chain, after in zip("abcdef", "bcdefg", strict=True)}
    with pytest.raises(ExpressionError):
        expanded("$a0", chains | ends)


@pytest.mark.parametrize("text", ["x", "long " * 100_000])
def test_value_that_doubles_at_each_level_ends_in_an_error(text: str) -> None:
    doubling = {f"a{step}": f"$a{step + 1} $a{step + 1}" for step in range(80)}
    with pytest.raises(ExpressionError):
        expanded("$a0", doubling | {"a80": text})


def test_long_value_is_no_reason_to_give_up() -> None:
    assert len(expanded("$a " * 100_000)) == 200_000


def doubling(levels: int, reference: str) -> dict[str, str]:
    return {"a0": "x123456789"} | {
        f"a{level}": reference.replace("@", f"$a{level - 1}") for level in range(1, levels + 1)
    }


@pytest.mark.parametrize("reference", ["@ @ @ @ @ @ @ @ @ @", "${{@} == {@}?{@@}:{@}}", "${a0?{@ @}:{@}}"])
def test_expansion_of_names_used_often_looks_each_up_once(reference: str) -> None:
    values, asked = doubling(6, reference), list[str]()

    def lookup(name: str) -> str | None:
        asked.append(name)
        return values.get(name)

    assert expand("$a6", lookup, lambda _: None).startswith("x123456789")
    assert len(asked) <= 3 * len(values)


@pytest.mark.parametrize("reference", ["@ @ @ @ @ @ @ @ @ @", "${{@} == {@}?{@@}:{@}}"])
def test_expansion_without_end_fails_after_bounded_work(reference: str) -> None:
    warnings: list[str] = []
    with pytest.raises(ExpressionError):
        expand("$a60", doubling(60, reference).get, warnings.append)
    assert 1 <= len(warnings) <= 1001
    assert "unreasonable macro call nesting" in warnings[-1]


def test_budget_is_shared_by_expansions_until_it_is_used_up() -> None:
    budget, values = Budget(2000), doubling(1, "@@@")
    assert expand("$a1", values.get, lambda _: None, budget=budget) == "x123456789" * 3
    with pytest.raises(ExpressionError):
        for _ in range(10):
            expand("$a1 $a1", values.get, lambda _: None, budget=budget)
    with pytest.raises(ExpressionError):
        expand("$a0.", values.get, lambda _: None, budget=budget)


@given(st.text("${}()a01?:= ", max_size=60), st.text("${}a0?: ", max_size=20))
def test_values_that_are_known_expand_as_if_they_were_not(text: str, inner: str) -> None:
    values = {"a": inner, "a0": "$a$a", "a1": "x${a0}"}
    known: dict[str, tuple[str, int, int]] = {}

    def run(known: dict[str, tuple[str, int, int]] | None) -> tuple[str, list[str]]:
        warnings: list[str] = []
        try:
            return expand(text, values.get, warnings.append, known=known), warnings
        except (ExpressionError, ConfigError):
            return "failed", warnings

    assert run(known) == run(known) == run(None)
