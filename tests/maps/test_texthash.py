"""texthash: files that change while they are read, and duplicates."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import maps
from maps import Access, Flags, OpenError


@pytest.fixture
def heard() -> list[str]:
    return []


def write(path: Path, text: str, age: float = 60) -> Path:
    path.write_text(text)
    os.utime(path, (time.time() - age,) * 2)
    return path


@pytest.mark.parametrize(
    ("flags", "value", "warns"),
    [(Flags.DUP_WARN, b"1", True), (Flags.DUP_IGNORE, b"1", False), (Flags.DUP_REPLACE, b"3", False)],
)
def test_duplicates(tmp_path: Path, heard: list[str], flags: Flags, value: bytes, warns: bool) -> None:
    path = write(tmp_path / "t", "a 1\nb 2\nA 3\n")
    with maps.open_table(f"texthash:{path}", Access(flags=flags | Flags.FOLD_FIX, warn=heard.append)) as table:
        assert table.lookup(b"a") == value
        assert dict(table.entries()) == {b"a": value, b"b": b"2"}
    assert heard == ([f'{path}, line 3: duplicate entry: "A"'] if warns else [])


def test_daemon_does_not_open_a_table_with_duplicates(tmp_path: Path) -> None:
    path = write(tmp_path / "t", "a 1\na 2\n")
    with pytest.raises(OpenError) as caught:
        maps.open_table(f"texthash:{path}", Access())
    assert str(caught.value) == f'{path}, line 2: duplicate entry: "a"'


def test_file_that_may_be_changing_is_read_again(
    tmp_path: Path, heard: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "t", "a\nkey old\n", age=0)
    monkeypatch.setattr("time.sleep", lambda _seconds: write(path, "key new\nb\n"))
    with maps.open_table(f"texthash:{path}", Access(warn=heard.append)) as table:
        assert table.lookup(b"key") == b"new"
    warning = "expected format: key whitespace value -- ignoring this line"
    assert heard == [f"{path}, line 1: {warning}", f"{path}, line 2: {warning}"]


@pytest.mark.parametrize("age", [60, -3600])
def test_old_file_and_one_of_the_future_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: float
) -> None:
    def sleep(_seconds: float) -> None:
        raise AssertionError("waits")

    monkeypatch.setattr("time.sleep", sleep)
    path = write(tmp_path / "t", "key value\n", age)
    with maps.open_table(f"texthash:{path}", Access()) as table:
        assert table.lookup(b"key") == b"value"
        assert not table.changed()
