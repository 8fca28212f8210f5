"""Screens in tables of many rules: answers and warnings are those of rules that are asked one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers.cases.pattern_texts import KEYS, patterns
from peers.real.both_postmaps import Both

import maps
from maps import Access, Table
from maps.text import patterns as pattern_tables
from maps.text import screening
from maps.text.pcre2 import Screen
from maps.text.rule_tables import TableRule

KINDS = ["regexp", "pcre"]


def rules(kind: str) -> st.SearchStrategy[str]:
    """One line of a table: mostly rules, some of them negated, with conditions and mistakes between them."""
    pattern = patterns(kind).map(lambda text: text.decode().replace("/", r"\/").replace("\n", "x"))
    flags = st.sampled_from(["", "", "", "i", "m", "x", "im"])
    value = st.sampled_from(["OK", "$1", "${1}-$2", "x$$", ""])
    written = st.tuples(st.sampled_from(["", "", "", "", "!"]), pattern, flags, value)
    rule = written.map(lambda parts: "{}/{}/{} {}".format(*parts))
    condition = written.map(lambda parts: "if {}/{}/{}".format(*parts[:3]))
    return st.one_of(rule, rule, rule, rule, condition, st.just("endif"), st.just("endif"))


def opened(kind: str, text: str, directory: Path, heard: list[str]) -> Table:
    path = directory / "rules"
    path.write_text(text)
    return maps.open_table(f"{kind}:{path}", Access(warn=heard.append))


def answers(table: Table, keys: list[bytes]) -> list[bytes | None]:
    return [table.lookup(key) for key in keys]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("screens")


@pytest.fixture
def screens(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Screen]]:
    """All screens that are made."""
    made: list[Screen] = []
    initialize = Screen.__init__

    def remember(screen: Screen, *arguments: object) -> None:
        made.append(screen)
        initialize(screen, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Screen, "__init__", remember)
    yield made


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_screened_table_answers_as_one_without(kind: str, data: st.DataObject, directory: Path) -> None:
    text = "\n".join(data.draw(st.lists(rules(kind), min_size=20, max_size=60)))
    keys = data.draw(st.lists(KEYS, min_size=12, max_size=20))
    results = []
    with pytest.MonkeyPatch.context() as patch:
        for warm in (1, 1 << 30):
            patch.setattr(pattern_tables, "WARM", warm)
            heard: list[str] = []
            with opened(kind, text, directory, heard) as table:
                results.append((answers(table, keys), heard))
    assert results[0] == results[1]


def long_table(count: int = 300) -> str:
    """Rules of several kinds, some of which can't be screened, and conditions around others."""
    lines = []
    for number in range(count):
        lines += [
            f"/^user{number}@example\\.com$/ exact {number}",
            f"/^([a-z]+)-{number}\\.(dsl|pool)\\.example\\.net$/ $2 of $1",
        ]
        if number % 10 == 0:
            lines.append(f"/(x)\\1{number}!/ back {number}")
        if number % 25 == 0:
            lines += [f"if /^in{number}/", f"/a{number}$/ ends", f"!/b|{number}/ no b", "endif"]
        if number % 50 == 0:
            lines += ["if !/^out|^in|user|-/", f"/^z{number}/ z", "endif", f"!/^.{{0,{300 - number}}}$/ long"]
    return "\n".join(lines) + "\n"


LONG_KEYS = [
    *(f"user{number}@example.com" for number in (0, 7, 299, 300)),
    *(f"host-{number}.pool.example.net" for number in (0, 150, 299, 301)),
    *("in25a25", "in25", "in50b", "z100", "z7", "xx10!", "XX290!", "", "é", "a" * 260, "USER12@EXAMPLE.COM", "nothing"),
]


@pytest.mark.postfix
@pytest.mark.parametrize("kind", KINDS)
def test_screened_table_answers_as_postmap(kind: str, both: Both) -> None:
    both.write("rules", long_table().encode())
    status, output, _ = both.agree("-q", "-", f"{kind}:rules", keys=("\n".join(LONG_KEYS * 2) + "\n").encode())
    assert status == 0
    assert len(output.splitlines()) > 15


CATASTROPHES = """\
/^(a+)+$/ one
!/^(a|aa)+$/ two
if /(a*)*b/
/./ three
endif
if !/^(aa?)+$/
/x/ four
endif
"""


@pytest.mark.postfix
def test_screened_table_gives_up_as_postmap(both: Both) -> None:
    both.write("rules", (long_table(20) + CATASTROPHES + long_table(20)).encode())
    keys = b"".join(b"key%d\n" % number for number in range(20)) + b"a" * 40 + b"!\n" + b"a" * 40 + b"!x\n"
    _, _, said = both.agree("-q", "-", "pcre:rules", keys=keys)
    assert sum(b"match limit exceeded" in line for line in said) >= 4


def recorded(asked: list[bytes], ask: Callable[[bytes], bytes | None], key: bytes) -> bytes | None:
    asked.append(key)
    return ask(key)


@pytest.mark.parametrize("kind", KINDS)
def test_screens_leave_rules_unasked(kind: str, directory: Path, screens: list[Screen]) -> None:
    asked: list[bytes] = []
    with opened(kind, "".join(f"/^user{n}@/ {n}\n" for n in range(500)), directory, []) as table:
        for _ in range(pattern_tables.WARM):
            table.lookup(b"nobody")
        rules = [step for step in table._table._rules.steps if isinstance(step, TableRule)]  # type: ignore[attr-defined]
        for rule in rules:
            rule.value = partial(recorded, asked, rule.value)
        assert table.lookup(b"nobody") is None
        assert table.lookup(b"user321@") == b"321"
    assert len(rules) == 500
    assert len(screens) > 60
    assert len(asked) < 20


@pytest.mark.parametrize("kind", KINDS)
def test_few_rules_or_lookups_make_no_screens(kind: str, directory: Path, screens: list[Screen]) -> None:
    with opened(kind, "/a/ 1\n/b/ 2\n", directory, []) as table:
        answers(table, [b"a", b"b", b"c"] * 10)
    with opened(kind, long_table(), directory, []) as table:
        answers(table, [b"a"] * (pattern_tables.WARM - 1))
    assert not screens


@pytest.mark.parametrize("kind", KINDS)
def test_table_answers_where_machine_code_is_forbidden(
    kind: str, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Screen, "_compile", lambda screen: None)
    with opened(kind, long_table(), directory, []) as table:
        assert [*answers(table, [b"x"] * 20), table.lookup(b"user7@example.com")] == [None] * 20 + [b"exact 7"]


def test_screen_is_given_up_when_searches_are_long() -> None:
    screen = Screen(b"(?:a+)+[!?]", 1000, 1)
    assert not screen.passes(b"nothing")
    for _ in range(40):
        assert screen.passes(b"a" * 100)
    assert screen.passes(b"nothing")


@pytest.mark.parametrize("kind", KINDS)
def test_conditions_deep_in_conditions_are_no_problem(kind: str, directory: Path) -> None:
    text = "".join(f"if /a{n % 10}/\n/^b{n}$/ {n}\n" for n in range(2000)) + "/a/ inner\n" + "endif\n" * 2000
    key = b"a0a1a2a3a4a5a6a7a8a9"
    with opened(kind, f"{text}/./ rest\n", directory, []) as table:
        assert answers(table, [key] * 12) == [b"inner"] * 12
        assert table.lookup(key[:-1]) == b"rest"


def test_outlines_of_a_table_are_bounded(
    directory: Path, monkeypatch: pytest.MonkeyPatch, screens: list[Screen]
) -> None:
    monkeypatch.setattr(screening, "_TEXT", 10_000)
    with opened("pcre", "".join(f"/^user{n}@/ {n}\n" for n in range(2000)), directory, []) as table:
        assert answers(table, [b"user1@", b"user1999@"] * 8) == [b"1", b"1999"] * 8
    assert 0 < len(screens) < 100
