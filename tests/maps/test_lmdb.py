"""lmdb files: growth, locks, limits, transactions."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from peers.real.postmap import Postmap, lock_is_awaited, wait_until

from maps.drivers.files import lmdb as driver
from maps.table import Flags, Mode, OpenError, TableError


def hold(path: Path, kind: str) -> subprocess.Popen[bytes]:
    """Have another process lock the file until its standard input ends."""
    program = textwrap.dedent(f"""
        import fcntl, sys
        file = open({str(path)!r}, "r+b")
        fcntl.lockf(file, fcntl.{kind})
        print("locked", flush=True)
        sys.stdin.read()
    """)
    holder = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout
    holder.stdout.readline()
    return holder


def release(holder: subprocess.Popen[bytes]) -> None:
    with holder:
        assert holder.stdin
        holder.stdin.close()


@pytest.mark.postfix
def test_files_outgrow_their_limit(tables: Postmap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "MAP_SIZE", 65536)
    entries = {b"key%d" % number: b"v" * 500 for number in range(3000)}
    tables.make("lmdb", entries)
    with tables.open("lmdb", Mode.ADD) as table:
        for number in range(300):
            assert table.update(b"more%d" % number, b"w" * 5000)
            entries[b"more%d" % number] = b"w" * 5000
    assert dict(tables.list("lmdb")) == entries
    with tables.open("lmdb") as table:
        assert list(table.entries()) == sorted(entries.items())


def test_reader_sees_entries_beyond_the_size_it_opened(tables: Postmap) -> None:
    tables.make("lmdb", {b"key": b"1"})
    with tables.open("lmdb") as table:
        assert table.lookup(b"key") == b"1"
        tables.make("lmdb", {b"key%d" % number: b"v" * 8000 for number in range(4000)})
        assert table.lookup(b"key3999") == b"v" * 8000
        assert table.lookup(b"key") is None


@pytest.mark.parametrize("mode", [Mode.READ, Mode.CHANGE])
def test_lookups_and_changes_wait_for_a_writer(tables: Postmap, mode: Mode) -> None:
    path = tables.make("lmdb", {b"key": b"1"})
    answers: list[object] = []
    with tables.open("lmdb", mode) as table:
        holder = hold(path, "LOCK_EX")
        act = table.lookup if mode is Mode.READ else table.delete
        waiter = threading.Thread(target=lambda: answers.append(act(b"key")))
        waiter.start()
        wait_until(lambda: lock_is_awaited(path))
        assert answers == []
        release(holder)
        waiter.join()
    assert answers == [b"1" if mode is Mode.READ else True]


@pytest.mark.postfix
def test_build_waits_for_readers_and_then_lets_them_in(tables: Postmap) -> None:
    path = tables.make("lmdb", {b"key": b"1"})
    holder = hold(path, "LOCK_SH")
    building = threading.Event()
    finish = threading.Event()

    def build() -> None:
        with tables.open("lmdb", Mode.BUILD) as table:
            table.update(b"key", b"2")
            building.set()
            finish.wait()

    builder = threading.Thread(target=build)
    builder.start()
    wait_until(lambda: lock_is_awaited(path))
    release(holder)
    building.wait()
    assert tables.query("lmdb", [b"key"]) == {b"key": b"1"}
    release(hold(path, "LOCK_SH"))
    finish.set()
    builder.join()
    with tables.open("lmdb") as table:
        assert table.lookup(b"key") == b"2"


@pytest.mark.postfix
@pytest.mark.parametrize("length", [510, 511, 700])
def test_keys_have_the_length_that_postmap_allows(tables: Postmap, length: int) -> None:
    tables.make("lmdb", {b"old": b"1"})
    key = b"k" * length
    (tables.directory / "theirs").write_bytes(key + b" 1\n")
    theirs = tables.run("lmdb:theirs")
    error = ""
    try:
        with tables.open("lmdb", Mode.BUILD) as table:
            table.update(key, b"1")
    except TableError as refused:
        error = f"postmap: fatal: {refused}\n".replace(f"{tables.directory}/t:", "theirs:")
    assert error == theirs.stderr.decode()
    with tables.open("lmdb") as table:
        assert table.lookup(b"old") == (b"1" if error else None)
        assert table.lookup(key) == (None if error else b"1")


@pytest.mark.postfix
def test_empty_key_is_an_error_as_it_is_for_postmap(tables: Postmap) -> None:
    tables.make("lmdb", {b"key": b"1"})
    with pytest.raises(TableError) as refused, tables.open("lmdb") as table:
        table.lookup(b"")
    ours = f"postmap: fatal: {refused.value}\n".replace(f"{tables.directory}/", "")
    assert ours == tables.run("-q", "", "lmdb:t").stderr.decode()
    with pytest.raises(TableError, match="MDB_BAD_VALSIZE"), tables.open("lmdb", flags=Flags.TRY0NULL) as table:
        table.lookup_many([b"key", b""])
    with tables.open("lmdb") as table:
        assert table.lookup_many([b"key", b""]) == [b"1", None]


def test_deleting_from_a_missing_file_creates_it(tables: Postmap) -> None:
    with tables.open("lmdb", Mode.CHANGE) as table:
        assert not table.delete(b"key")
    with tables.open("lmdb") as table:
        assert list(table.entries()) == []


def test_file_that_is_cut_off_is_not_given_to_the_library(tables: Postmap) -> None:
    path = tables.make("lmdb", {b"key%d" % number: b"v" * 100 for number in range(1000)})
    os.truncate(path, path.stat().st_size // 2)
    for mode in Mode:
        with pytest.raises(OpenError, match=r"MDB_PAGE_NOTFOUND: Requested page not found$"):
            tables.open("lmdb", mode)


def test_older_transaction_is_not_used_for_a_damaged_one(tables: Postmap) -> None:
    path = tables.make("lmdb", {b"key": b"1"})
    tables.make("lmdb", {b"key": b"2"})
    content = bytearray(path.read_bytes())
    last = max((0, 4096), key=lambda page: struct.unpack_from("=Q", content, page + 144))
    content[last + 128 : last + 136] = b"\xee" * 8
    path.write_bytes(content)
    with tables.open("lmdb") as table, pytest.raises(TableError, match=r"^error reading lmdb:.*: MDB_PAGE_NOTFOUND"):
        table.lookup(b"key")


def test_no_lock_is_left_when_a_lookup_ends(tables: Postmap) -> None:
    path = tables.make("lmdb", {b"key": b"1"})
    with tables.open("lmdb") as table:
        table.lookup(b"key")
        release(hold(path, "LOCK_EX"))
        with path.open("rb") as file:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
