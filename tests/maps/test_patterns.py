"""Regular expressions, beyond the cases of the comparison with postmap(1)."""

from __future__ import annotations

import locale
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import maps
from maps import Access, Flags, Table
from maps.text.substitution import Substitution, SubstitutionError

KINDS = ["regexp", "pcre"]


@pytest.fixture
def heard() -> list[str]:
    return []


def open_rules(kind: str, directory: Path, rules: str, heard: list[str], flags: Flags = Flags.LOCK) -> Table:
    (directory / "rules").write_text(rules)
    return maps.open_table(f"{kind}:{directory}/rules", Access(flags=flags, warn=heard.append))


def parse(text: bytes) -> Substitution:
    def fail(*problem: str) -> None:
        raise AssertionError(problem)

    return Substitution(text, fail, fail)


@given(st.binary(max_size=20), st.lists(st.binary(max_size=5), min_size=9, max_size=9))
def test_only_dollars_mean_anything_in_a_replacement(text: bytes, groups: list[bytes]) -> None:
    replacement = parse(text.replace(b"$", b"$$"))
    assert replacement.expand(groups) == text
    assert replacement.highest == 0


@given(
    st.lists(st.one_of(st.binary(max_size=5), st.integers(1, 9)), max_size=8),
    st.lists(st.binary(), min_size=9, max_size=9),
)
def test_numbers_stand_for_groups(pieces: list[bytes | int], groups: list[bytes]) -> None:
    written = [b"${%d}" % piece if isinstance(piece, int) else piece.replace(b"$", b"$$") for piece in pieces]
    expected = [groups[piece - 1] if isinstance(piece, int) else piece for piece in pieces]
    replacement = parse(b"".join(written))
    assert replacement.expand(groups) == b"".join(expected)
    assert replacement.highest == max((piece for piece in pieces if isinstance(piece, int)), default=0)


@given(st.binary(max_size=30).map(lambda text: text.replace(b"a", b"$").replace(b"b", b"{").replace(b"c", b"}")))
def test_bad_replacement_is_always_explained(text: bytes) -> None:
    heard: list[object] = []
    try:
        Substitution(text, heard.append, lambda *problem: heard.append(problem))
    except SubstitutionError:
        assert heard
    else:
        assert not heard


@pytest.mark.parametrize("kind", KINDS)
def test_substitutions_can_be_forbidden(tmp_path: Path, heard: list[str], kind: str) -> None:
    rules = "/(a)/ $1\n/(b)/ $$1\n/(c)/ text\n"
    with open_rules(kind, tmp_path, rules, heard, Flags.NO_REGSUB) as table:
        assert [table.lookup(key) for key in (b"a", b"b", b"c")] == [None, b"$1", b"text"]
    place = f"{kind} map {tmp_path}/rules, line 1"
    assert heard == [f"{place}: regular expression substitution is not allowed: skipping this rule"]


@pytest.mark.parametrize("kind", KINDS)
def test_keys_are_folded_only_on_request(tmp_path: Path, heard: list[str], kind: str) -> None:
    for flags, expected in (
        (Flags.FOLD_FIX, b"Ab"),
        (Flags.FOLD_MUL, b"ab"),
        (Flags.FOLD_MUL | Flags.UTF8_REQUEST, b"ab"),
    ):
        with open_rules(kind, tmp_path, "/(.*)/ $1\n", heard, flags) as table:
            assert table.lookup(b"Ab") == expected


@pytest.mark.parametrize("kind", KINDS)
def test_locale_does_not_matter(tmp_path: Path, heard: list[str], kind: str) -> None:
    before = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, "C.UTF-8")
        with open_rules(kind, tmp_path, "/^(.)(.)$/ $2$1\n/^É$/ never\n/[[:alpha:]]/ ascii\n", heard) as table:
            assert table.lookup("é".encode()) == b"\xa9\xc3"
            assert table.lookup("éé".encode()) is None
            assert table.lookup("éaé".encode()) == b"ascii"
    finally:
        locale.setlocale(locale.LC_ALL, before)


@pytest.mark.parametrize("kind", KINDS)
def test_threads_may_share_a_table(tmp_path: Path, heard: list[str], kind: str) -> None:
    keys = [b"a%d-%d" % (number, number * 7) for number in range(2000)]
    with open_rules(kind, tmp_path, "/^a([0-9]+)-([0-9]+)$/ $2/$1\n", heard) as table, ThreadPoolExecutor(4) as pool:
        assert list(pool.map(table.lookup, keys)) == [b"%d/%d" % (number * 7, number) for number in range(2000)]


def test_pcre_gives_up_on_a_catastrophe(tmp_path: Path, heard: list[str]) -> None:
    rules = "!/^(a+)+$/ not\nif !/^(a+)+$/\n/./ in\nendif\n/!$/ rest\n"
    with open_rules("pcre", tmp_path, rules, heard) as table:
        assert table.lookup(b"a" * 30 + b"!") == b"rest"
    place = f"pcre map {tmp_path}/rules, line"
    assert heard == [f"{place} 1: match limit exceeded", f"{place} 2: match limit exceeded"]


@pytest.mark.parametrize("pattern", ["(" * 100000 + ")" * 100000, "a?" * 100000, "(a)*" * 100000, "()" * 100000])
def test_pattern_that_would_crash_the_c_library_is_refused(tmp_path: Path, heard: list[str], pattern: str) -> None:
    with open_rules("regexp", tmp_path, f"/{pattern}/ x\n/./ rest\n", heard) as table:
        assert table.lookup(b"a") == b"rest"
    assert heard == [f"regexp map {tmp_path}/rules, line 1: Memory exhausted"]


@pytest.mark.parametrize("kind", KINDS)
def test_long_lines_and_keys(tmp_path: Path, heard: list[str], kind: str) -> None:
    text = "v" * 1_000_000
    with open_rules(kind, tmp_path, f"/^a(b*)c$/ {text}$1\n", heard) as table:
        assert table.lookup(b"a" + b"b" * 1_000_000 + b"c") == text.encode() + b"b" * 1_000_000
    assert heard == []


@pytest.mark.parametrize("kind", KINDS)
def test_open_tables_dont_follow_their_file(tmp_path: Path, heard: list[str], kind: str) -> None:
    with open_rules(kind, tmp_path, "/a/ old\n", heard) as table:
        (tmp_path / "rules").write_text("/a/ new\n")
        assert table.lookup(b"a") == b"old"
        assert not table.changed()


@given(st.text("ab()*|.^", max_size=8), st.text("ab\n", max_size=6))
def test_simple_patterns_match_alike_in_pcre_and_python(pattern: str, key: str) -> None:
    try:
        expected = re.compile(pattern, re.DOTALL | re.IGNORECASE).search(key) is not None
    except (re.error, RecursionError):
        return
    heard: list[str] = []
    with maps.open_table(f"pcre:{{{{/{pattern}/ found}}}}", Access(warn=heard.append)) as table:
        assert (table.lookup(key.encode()) == b"found") is expected, heard
