"""Opening tables by name: errors of commands and daemons, and the layers between a table and its users."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers.real.postmap import Postmap

import maps
from maps import Access, ConfigurationLookupError, Flags, OpenError, TableError, TemporaryLookupError
from maps.registry import TYPES


@pytest.fixture
def heard() -> list[str]:
    return []


def access(heard: list[str], flags: Flags = Flags.LOCK | Flags.FOLD_FIX) -> Access:
    return Access(flags=flags, warn=heard.append)


def test_each_driver_is_registered() -> None:
    drivers = Path(str(importlib.import_module("maps.drivers").__file__)).parent
    found = {path.stem: path.parent.name for path in drivers.glob("*/[!_]*.py")}
    assert found == {name: each.package for name, each in TYPES.items()}


def test_each_type_is_documented() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "tables.md").read_text()
    types = documented[: documented.index("Requirements of some types")]
    assert {name for name in TYPES if f"`{name}`" in types} == set(TYPES)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nosuch:x", "unsupported dictionary type: nosuch"),
        ("HASH:x", "unsupported dictionary type: HASH"),
        ("../static:x", "unsupported dictionary type: ../static"),
        ("hash:/nowhere/x", "open database /nowhere/x.db: No such file or directory"),
        ("texthash:/nowhere/x", "open database /nowhere/x: No such file or directory"),
        ("regexp:/nowhere/x", "open /nowhere/x: No such file or directory"),
    ],
)
def test_unopenable_table_ends_commands_but_not_daemons(name: str, problem: str) -> None:
    with pytest.raises(OpenError) as caught:
        maps.open_table(name, Access())
    assert str(caught.value) == problem
    errors: list[str] = []
    warnings: list[str] = []
    with maps.open_table(name, Access(warn=warnings.append, error=errors.append)) as table:
        assert (errors, warnings) == ([problem], [])
        for _ in range(2):
            with pytest.raises(TemporaryLookupError):
                table.lookup(b"key")
        with pytest.raises(TemporaryLookupError):
            next(table.entries())
    assert warnings == [f"{name} is unavailable. {problem}"] * 3
    assert table.flags & Flags.PATTERN


def test_malformed_table_name_ends_daemons_too() -> None:
    with pytest.raises(TableError, match=r'^open dictionary: expecting "type:name" form instead of "hash:"$'):
        maps.open_table("hash:", Access(error=print))


@pytest.mark.parametrize(
    ("kind", "library", "remedy"),
    [
        ("ldap", "ldap3", "tlsproxy[ldap] (ldap3)"),
        ("memcache", "pymemcache", "tlsproxy[memcache] (pymemcache)"),
        ("mysql", "pymysql", "tlsproxy[mysql] (PyMySQL)"),
        ("pgsql", "psycopg", "tlsproxy[pgsql] (psycopg)"),
        ("sqlite", "sqlite3", "Python's sqlite3"),
    ],
)
def test_missing_library_is_named(
    monkeypatch: pytest.MonkeyPatch, heard: list[str], kind: str, library: str, remedy: str
) -> None:
    for module in {library, *(name for name in sys.modules if name.startswith(f"{library}."))}:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, f"maps.drivers.{TYPES[kind].package}.{kind}", raising=False)
    with pytest.raises(OpenError, match=f"^unsupported dictionary type: {kind}$"):
        maps.open_table(f"{kind}:/etc/postfix/x", access(heard))
    assert heard == [f"unsupported dictionary type: {kind}. Is {remedy} installed?"]


def test_missing_library_of_the_system_is_named(monkeypatch: pytest.MonkeyPatch, heard: list[str]) -> None:
    def missing(_name: str, _package: str) -> None:
        raise ImportError("libpcre2-8.so.0: cannot open shared object file")

    monkeypatch.setattr("maps.registry.import_module", missing)
    with pytest.raises(OpenError, match=r"^unsupported dictionary type: pcre$"):
        maps.open_table("pcre:/etc/postfix/x", access(heard))
    (warning,) = heard
    assert warning.startswith("unsupported dictionary type: pcre. Is ")
    assert "libpcre2-8" in warning


def test_keys_that_are_not_utf8_are_absent(heard: list[str]) -> None:
    with maps.open_table("static:x", access(heard, Flags.UTF8_REQUEST)) as table:
        assert table.lookup(b"a\xff") is None
        assert table.lookup_many([b"\xc3", b"b"]) == [None, b"x"]
    assert heard == [
        f'static:x: non-UTF-8 key "{key}": malformed UTF-8 or invalid codepoint' for key in ("a\udcff", "\udcc3")
    ]


def test_values_that_are_not_utf8_are_failures(heard: list[str]) -> None:
    with (
        maps.open_table("static:\udcff", access(heard, Flags.UTF8_REQUEST)) as table,
        pytest.raises(ConfigurationLookupError),
    ):
        table.lookup(b"a")
    assert heard == ['static:\udcff: key "a": non-UTF-8 value "\udcff": malformed UTF-8 or invalid codepoint']
    with maps.open_table("static:\udcff", access(heard)) as table:
        assert table.lookup(b"a\xff") == b"\xff"


def test_warnings_come_in_the_order_of_the_keys(tables: Postmap, heard: list[str]) -> None:
    tables.make("hash", {b"bad": b"\xff", b"good": b"1"})
    flags = Flags.LOCK | Flags.FOLD_FIX | Flags.UTF8_REQUEST
    with maps.open_table(f"hash:{tables.directory}/t", access(heard, flags)) as table:
        assert table.lookup_many([b"\xff", b"GOOD", b"none"]) == [None, b"1", None]
        with pytest.raises(ConfigurationLookupError):
            table.lookup_many([b"\xfe", b"bad", b"\xff"])
    assert [re.findall('non-UTF-8 (?:key|value) "[^"]*"', warning)[0] for warning in heard] == [
        'non-UTF-8 key "\udcff"',
        'non-UTF-8 key "\udcfe"',
        'non-UTF-8 value "\udcff"',
    ]


@given(st.text(max_size=8).filter(lambda key: "\0" not in key))
def test_fixed_tables_fold_and_patterns_dont(key: str) -> None:
    unicode = Flags.FOLD_FIX | Flags.UTF8_REQUEST
    with maps.open_table("internal:x", Access(flags=unicode)) as table:
        table.update(key.encode(), b"1")
        assert table.lookup(key.casefold().encode()) == b"1"
        assert [stored for stored, _ in table.entries()] == [
            key.casefold().encode() if not key.isascii() else key.lower().encode()
        ]
    with maps.open_table("internal:x", Access(flags=Flags.FOLD_FIX)) as table:
        table.update(key.encode(), b"1")
        assert [stored for stored, _ in table.entries()] == [key.encode().lower()]
    with maps.open_table("regexp:{{/(.*)/m $1}}", Access(flags=unicode)) as table:
        first = key.encode().split(b"\n")[0]
        assert table.lookup(key.encode()) == first


def test_keys_and_values_end_at_a_nul(heard: list[str]) -> None:
    with maps.open_table("internal:x", access(heard)) as table:
        table.update(b"a\0b", b"1\0002")
        assert table.lookup(b"A\0c") == b"1"
        assert table.delete(b"a\0d")
        assert table.lookup(b"a") is None
