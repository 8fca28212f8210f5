"""Lists of tables, as parameters have them."""

from __future__ import annotations

from pathlib import Path

import pytest

import maps
from maps import Access, ConfigurationLookupError, Flags, OpenError, TableList, TemporaryLookupError

TITLE = "smtp_tls_policy_maps"


@pytest.fixture
def heard() -> list[str]:
    return []


def open_list(text: str, heard: list[str], flags: Flags = Flags.FOLD_FIX) -> TableList:
    return maps.open_list(TITLE, text, Access(flags=flags, warn=heard.append, error=heard.append))


def test_first_table_that_has_a_key_decides(heard: list[str]) -> None:
    tables = open_list("inline:{a=1}, inline:{{A = 2} b=3}\n static:rest", heard)
    assert [tables.find(key) for key in (b"A", b"b", b"c")] == [b"1", b"3", b"rest"]
    assert tables.find(b"") is None
    assert heard == []


def test_no_tables_have_nothing(heard: list[str]) -> None:
    assert open_list(" , ", heard).find(b"a") is None


def test_parts_of_keys_are_not_for_patterns(heard: list[str]) -> None:
    tables = open_list("regexp:{{/./ pattern}} inline:{.example.com=fixed}", heard)
    assert tables.find(b".example.com") == b"pattern"
    assert tables.find(b".example.com", Flags.FIXED) == b"fixed"
    assert tables.find(b".example.com", Flags.PATTERN) == b"pattern"
    assert tables.find(b".example.net", Flags.FIXED) is None


def test_after_a_failure_no_table_is_asked(heard: list[str]) -> None:
    tables = open_list("inline:{a=1} fail:x static:2", heard)
    assert tables.find(b"a") == b"1"
    with pytest.raises(TemporaryLookupError):
        tables.find(b"b")
    assert heard == ['fail:x lookup error for "b"']


def test_empty_value_is_a_failure(heard: list[str]) -> None:
    with pytest.raises(ConfigurationLookupError):
        open_list("static:{} static:2", heard).find(b"Key")
    assert heard == [
        f"{TITLE} lookup of Key returns an empty string result",
        f"{TITLE} should return NO RESULT in case of NOT FOUND",
    ]


def test_damaged_table_is_a_temporary_failure(tmp_path: Path, heard: list[str]) -> None:
    path = tmp_path / "t.cdb"
    path.write_bytes(b"\xff" * 2048)
    tables = maps.open_list(TITLE, f"cdb:{tmp_path}/t", Access(warn=heard.append))
    with pytest.raises(TemporaryLookupError):
        tables.find(b"a")
    assert heard == [f"error reading {path}: Protocol error", f'cdb:{path} lookup error for "a"']


def test_table_that_cannot_be_opened_fails_its_lookups(heard: list[str]) -> None:
    tables = open_list("inline:{a=1} nosuch:x static:2", heard)
    assert heard.pop() == "unsupported dictionary type: nosuch"
    assert tables.find(b"a") == b"1"
    with pytest.raises(TemporaryLookupError):
        tables.find(b"b")
    problem = "nosuch:x is unavailable. unsupported dictionary type: nosuch"
    assert heard == [problem, 'nosuch:x lookup error for "b"']
    with pytest.raises(OpenError):
        maps.open_list(TITLE, "inline:{a=1} nosuch:x", Access())


def test_values_that_are_files_are_decoded(tmp_path: Path, heard: list[str]) -> None:
    (tmp_path / "key").write_bytes(b"KEY\n")
    (tmp_path / "chain").write_bytes(b"CHAIN\0lost")
    flags = Flags.FOLD_FIX | Flags.SRC_RHS_IS_FILE
    tables = open_list(f"inline:{{{{a = {tmp_path}/key, {tmp_path}/chain}} b={tmp_path}/key}}", heard, flags)
    assert tables.find_file(b"A") == b"KEY\n\nCHAIN"
    assert tables.find_file(b"b") == b"KEY\n"
    assert tables.find_file(b"c") is None


def test_values_that_are_no_base64_are_failures(tmp_path: Path, heard: list[str]) -> None:
    tables = maps.TableList(TITLE, [maps.open_table("static:plain_text", Access())], Access(warn=heard.append))
    with pytest.raises(ConfigurationLookupError):
        tables.find_file(b"a")
    assert heard == ["table static:plain_text: key a: malformed BASE64 value: plain_text"]
