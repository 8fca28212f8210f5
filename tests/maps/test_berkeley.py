"""hash and btree files: every page size and byte order, the library's verdict, locks, and replaced files."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import struct
import subprocess
import threading
from pathlib import Path

import pytest
from peers.real.postmap import CREATE, QUERY, Postmap, lock_is_awaited, wait_until

from maps.formats.berkeley import writing
from maps.formats.berkeley.btree_writer import write_btree
from maps.formats.berkeley.hash_writer import write_hash
from maps.formats.berkeley.pages import PAGE_SIZES
from maps.table import Access, Flags, Mode, OpenError, TableError

KINDS = ["hash", "btree"]
WRITERS = {"hash": write_hash, "btree": write_btree}

needs_tools = pytest.mark.skipif(shutil.which("db5.3_load") is None, reason="needs Debian's db5.3-util")


def sample(count: int, longest: int = 9000) -> dict[bytes, bytes]:
    """Entries without NUL, among them keys that begin other keys, and keys and values of every size."""
    chance = random.Random(count)
    entries = {}
    for number in range(count):
        length = chance.choice([0, 0, 1, 5, 30, 30, 30, 30, 300, longest]) if number % 10 == 0 else chance.randrange(30)
        entries[b"k%d" % number + b"k" * length] = b"v" * chance.choice([0, 1, 20, 20, 20, length])
        entries[b"k" * (number % 40 + 1)] = b"%d" % number
    return entries


def verify(path: Path) -> None:
    done = subprocess.run(["db5.3_verify", path.name], cwd=path.parent, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@needs_tools
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", [1234, 4321])
@pytest.mark.parametrize("size", PAGE_SIZES)
@pytest.mark.parametrize("count", [3, 700])
def test_files_of_any_page_size_and_byte_order_are_read(
    tables: Postmap, kind: str, order: int, size: int, count: int
) -> None:
    entries = sample(count)
    path = tables.file(kind)
    options = ["-c", f"db_pagesize={size}", "-c", f"db_lorder={order}"]
    text = "".join(f"{key.decode()}\n{value.decode()}\n" for key, value in entries.items())
    command = ["db5.3_load", "-T", "-t", kind, *options, path.name]
    assert subprocess.run(command, input=text.encode(), cwd=path.parent).returncode == 0
    with tables.open(kind) as table:
        assert dict(table.entries()) == entries
        assert table.lookup_many(list(entries)) == list(entries.values())
        assert not any(table.lookup_many([key + b"!" for key in entries]))
    dumped = subprocess.run(["db5.3_dump", "-p", path.name], cwd=path.parent, capture_output=True, text=True).stdout
    lines = dumped.partition("HEADER=END\n")[2].splitlines()[:-1]
    with tables.open(kind) as table:
        assert [key.decode() for key, _ in table.entries()] == [line[1:] for line in lines[::2]]


@needs_tools
@pytest.mark.postfix
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [512, 4096, 16384])
@pytest.mark.parametrize("end", [b"\0", b""])
@pytest.mark.parametrize("count", [0, 1, 40, 3000])
def test_library_accepts_and_finds_written_entries(
    tables: Postmap, kind: str, size: int, end: bytes, count: int
) -> None:
    entries = sample(count)
    path = tables.file(kind)
    with path.open("w+b") as out:
        WRITERS[kind]({key + end: value + end for key, value in entries.items()}, out, size)
    verify(path)
    full = {key: value for key, value in entries.items() if value}
    assert tables.query(kind, list(full)) == full
    assert tables.query(kind, [key + b"!" for key in entries]) == {}


@needs_tools
@pytest.mark.postfix
@pytest.mark.parametrize("kind", KINDS)
def test_library_changes_a_written_file(tables: Postmap, kind: str) -> None:
    entries = {b"key%d" % number: b"value%d" % number * (number % 50) for number in range(1, 5000)}
    path = tables.make(kind, entries)
    removed = list(entries)[::2]
    assert tables.run("-d", "-", f"{kind}:t", keys=b"\n".join(removed)).returncode == 0
    verify(path)
    added = {b"more%d" % number: b"x" * (number % 200 + 1) for number in range(4000)}
    assert tables.run("-i", f"{kind}:t", keys=b"".join(b"%s %s\n" % entry for entry in added.items())).stderr == b""
    verify(path)
    expected = {key: value for key, value in entries.items() if key not in removed} | added
    with tables.open(kind) as table:
        assert dict(table.entries()) == expected
        assert table.lookup_many(list(expected)) == list(expected.values())


@pytest.mark.parametrize("link", ["child", "next"])
def test_ring_of_pages_is_an_error(tables: Postmap, link: str) -> None:
    entries = {b"key%05d\0" % number: b"v" * 20 for number in range(5000)}
    path = tables.file("btree")
    with path.open("w+b") as out:
        write_btree(entries, out, 512)
    content = bytearray(path.read_bytes())
    branches = [page for page in range(512, len(content), 512) if content[page + 24] > (1 if link == "child" else 0)]
    assert max(content[page + 24] for page in branches) >= 4
    for page in branches:
        if link == "next":
            content[page + 16 : page + 20] = content[page + 8 : page + 12]
            continue
        (items,) = struct.unpack_from("=H", content, page + 20)
        for at in struct.unpack_from(f"={items}H", content, page + 26):
            if content[page + 24] == 2:  # the last branches lead back to one above them
                struct.pack_into("=I", content, page + at + 4, branches[-1] // 512)
    path.write_bytes(content)
    with tables.open("btree") as table, pytest.raises(TableError, match=r"Invalid argument$"):
        for key in entries:
            table.lookup(key[:-1])
        list(table.entries())


@pytest.mark.parametrize("kind", KINDS)
def test_lookup_waits_for_a_writer_in_place(tables: Postmap, kind: str) -> None:
    path = tables.make(kind, {b"key": b"1"})
    answers: list[bytes | None] = []
    with tables.open(kind) as table, path.open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        reader = threading.Thread(target=lambda: answers.append(table.lookup(b"key")))
        reader.start()
        wait_until(lambda: lock_is_awaited(path))
        assert answers == []
        fcntl.flock(writer, fcntl.LOCK_UN)
        reader.join()
    assert answers == [b"1"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", [Mode.BUILD, Mode.ADD])
def test_writer_waits_for_readers(tables: Postmap, kind: str, mode: Mode) -> None:
    path = tables.make(kind, {b"key": b"1"})

    def write() -> None:
        with tables.open(kind, mode) as table:
            table.update(b"other", b"2")

    with path.open("rb") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        writer = threading.Thread(target=write)
        writer.start()
        wait_until(lambda: lock_is_awaited(path))
        fcntl.flock(reader, fcntl.LOCK_UN)
        writer.join()
    with tables.open(kind) as table:
        assert dict(table.entries()) == ({b"other": b"2"} | ({b"key": b"1"} if mode is Mode.ADD else {}))


@pytest.mark.parametrize("kind", KINDS)
def test_two_writers_keep_the_entries_of_each_other(tables: Postmap, kind: str) -> None:
    def write(first: int) -> None:
        for number in range(first, first + 20):
            with tables.open(kind, Mode.ADD) as table:
                table.update(b"key%d" % number, b"1")

    writers = [threading.Thread(target=write, args=(first,)) for first in (0, 100, 200)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with tables.open(kind) as table:
        assert len(list(table.entries())) == 60


@pytest.mark.postfix
@pytest.mark.parametrize("kind", KINDS)
def test_empty_file_is_removed_with_postmaps_warning(tables: Postmap, kind: str) -> None:
    tables.file(kind).write_bytes(b"")
    (tables.directory / "t").write_bytes(b"key 1\n")
    theirs = tables.run(f"{kind}:t").stderr.decode()
    tables.file(kind).write_bytes(b"")
    tables.make(kind, {b"key": b"1"})
    assert [f"postmap: warning: {text}\n".replace(f"{tables.directory}/", "") for text in tables.warnings] == [theirs]


@pytest.mark.parametrize("kind", KINDS)
def test_file_of_the_other_kind_is_replaced_but_not_added_to(tables: Postmap, kind: str) -> None:
    other = "btree" if kind == "hash" else "hash"
    path = tables.make(other, {b"key": b"1"})
    for mode in (Mode.READ, Mode.CHANGE, Mode.ADD):
        with pytest.raises(OpenError, match=r"^open database .*t\.db: Invalid argument$"):
            tables.open(kind, mode)
    assert sorted(tables.directory.glob("t*")) == [path]
    tables.make(kind, {b"key": b"2"})
    with tables.open(kind) as table:
        assert table.lookup(b"key") == b"2"


@pytest.mark.parametrize("kind", KINDS)
def test_link_still_points_to_the_file_that_is_rebuilt(tables: Postmap, kind: str) -> None:
    tables.make(kind, {b"key": b"1"}, name="real")
    tables.file(kind).symlink_to("real.db")
    tables.make(kind, {b"key": b"2"})
    assert tables.file(kind).is_symlink()
    with tables.open(kind, name="real") as table:
        assert table.lookup(b"key") == b"2"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 2000])
def test_file_in_a_read_only_directory_is_written_in_place(
    tables: Postmap, kind: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tables.make(kind, {b"key%d" % number: b"old" for number in range(500)})
    inode = path.stat().st_ino
    entries = {b"key%d" % number: b"new" for number in range(count)}

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(writing, "FileReplacement", refuse)
    tables.make(kind, entries)
    assert path.stat().st_ino == inode
    with tables.open(kind) as table:
        assert dict(table.entries()) == entries


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to act for others")
@pytest.mark.parametrize("kind", KINDS)
def test_rebuilt_file_keeps_its_owner(tables: Postmap, kind: str) -> None:
    path = tables.make(kind, {b"key": b"1"})
    os.chown(path, 12345, 23456)
    path.chmod(0o640)
    tables.make(kind, {b"key": b"2"})
    status = path.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (12345, 23456, 0o640)


@pytest.mark.parametrize("kind", KINDS)
def test_listing_survives_replacement_and_ends_at_a_change(tables: Postmap, kind: str) -> None:
    entries = {b"key%d" % number: b"1" for number in range(2000)}
    path = tables.make(kind, entries)
    with tables.open(kind) as table:
        listing = table.entries()
        first = next(listing)
        tables.make(kind, {b"other": b"2"})
        assert dict([first, *listing]) == entries
        tables.make(kind, entries)
        listing = table.entries()
        next(listing)
        path.write_bytes(path.read_bytes())
        with pytest.raises(TableError, match="changed"):
            list(listing)


@pytest.mark.parametrize("kind", KINDS)
def test_file_damaged_under_a_reader_is_an_error_until_repaired(tables: Postmap, kind: str) -> None:
    path = tables.make(kind, {b"key": b"1"})
    whole = path.read_bytes()
    with tables.open(kind) as table:
        assert table.lookup(b"key") == b"1"
        path.write_bytes(whole[:4096])
        with pytest.raises(TableError, match=r"^error reading .*t\.db: Invalid argument$"):
            table.lookup(b"key")
        path.write_bytes(whole)
        assert table.lookup(b"key") == b"1"


def test_first_hit_decides_whether_keys_are_terminated(tables: Postmap) -> None:
    tables.make("hash", {b"one": b"1"}, CREATE | Flags.TRY1NULL)
    with tables.open("hash", Mode.ADD, CREATE | Flags.TRY0NULL) as table:
        table.update(b"two", b"2")
    with tables.open("hash") as table:
        assert table.lookup_many([b"none", b"one", b"two", b"one"]) == [None, b"1", None, b"1"]
    with tables.open("hash") as table:
        assert [table.lookup(key) for key in (b"two", b"one")] == [b"2", None]
    with tables.open("hash", flags=QUERY | Flags.TRY0NULL) as table:
        assert [table.lookup(key) for key in (b"one", b"two")] == [None, b"2"]


def test_table_needs_no_configuration(tables: Postmap) -> None:
    tables.make("hash", {b"key": b"1"})
    from maps.drivers.files import hash as driver

    with driver.open_table(str(tables.directory / "t"), Access()) as table:
        assert table.lookup(b"key") == b"1"
        with pytest.raises(TableError, match=r"^table hash:.*/t\.db: update operation is not supported$"):
            table.update(b"key", b"2")
