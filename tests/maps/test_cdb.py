"""cdb files: the bytes that tinycdb writes, and their use by postmap(1)."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peers.real.postmap import Postmap

from maps.formats.cdb import MULTIPLIER, START
from maps.formats.key_hash import hash_key, hash_keys
from maps.table import Flags, Mode, TableError


def sample(count: int) -> list[tuple[bytes, bytes]]:
    """Entries for a source file, some of them with keys that were there before."""
    chance = random.Random(count)
    numbers = [chance.randrange(count) for _ in range(count)]
    return [
        (b"key%d" % number, b"value%d" % index * chance.choice([1, 1, 300])) for index, number in enumerate(numbers)
    ]


def short_entries() -> dict[bytes, bytes]:
    """Entries that share two hash tables, and so are in the probe sequences of others."""
    keys = [b"user%d@example.com" % number for number in range(2000)]
    keys = [key for key in keys if hash_key(key, START, MULTIPLIER) % 256 < 2]
    return {key: b"relay:[mx%d.example.net]:25" % number for number, key in enumerate(keys)}


@pytest.mark.postfix
@pytest.mark.parametrize("count", [0, 1, 7, 5000])
@pytest.mark.parametrize("option", ["-w", "-r", "-wN", "-rn", ""])
def test_files_are_those_of_postmap_to_the_byte(tables: Postmap, count: int, option: str) -> None:
    entries = sample(count)
    (tables.directory / "t").write_bytes(b"".join(b"%s %s\n" % entry for entry in entries))
    assert tables.run(*([option] if option else []), "cdb:t").returncode == 0
    theirs = tables.file("cdb").read_bytes()
    flags = Flags.DUP_REPLACE if "r" in option else Flags.DUP_IGNORE if "w" in option else Flags.DUP_WARN
    flags |= Flags.TRY1NULL if "N" in option else Flags(0)
    with tables.open("cdb", Mode.BUILD, flags) as table:
        for key, value in entries:
            table.update(key, value)
    assert tables.file("cdb").read_bytes() == theirs
    if "w" in option:
        with tables.open("cdb") as table:
            assert list(table.entries()) == entries


@pytest.mark.parametrize("mode", [Mode.ADD, Mode.CHANGE])
def test_files_are_not_changed(tables: Postmap, mode: Mode) -> None:
    tables.make("cdb", {b"key": b"1"})
    with pytest.raises(
        TableError, match=r"^dict_cdb_open: inappropriate open flags for cdb database - specify O_RDONLY"
    ):
        tables.open("cdb", mode)


def test_old_file_is_read_until_there_is_a_new_one(tables: Postmap) -> None:
    path = tables.make("cdb", {b"key": b"1"})
    with tables.open("cdb") as table:
        path.unlink()
        assert table.lookup(b"key") == b"1"
        assert table.changed()
        tables.make("cdb", {b"key": b"2"})
        assert table.lookup(b"key") == b"2"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(keys=st.lists(st.binary(max_size=40)), seed=st.sampled_from([(START, MULTIPLIER), (0, 16777619)]))
def test_hashing_many_keys_at_once_changes_nothing(keys: list[bytes], seed: tuple[int, int]) -> None:
    assert hash_keys(keys, *seed) == [hash_key(key, *seed) for key in keys]


def outside_of_values(entries: dict[bytes, bytes], content: bytes) -> Iterator[int]:
    """Return the offsets of a file that are outside values."""
    yield from range(2048)
    place = 2048
    for key, value in entries.items():
        yield from range(place, place + 8 + len(key))
        place += 8 + len(key) + len(value)
    yield from range(place, len(content))


def test_changed_bit_outside_values_is_an_error_or_harmless(tables: Postmap) -> None:
    entries = short_entries()
    path = tables.make("cdb", entries)
    whole = path.read_bytes()
    chance = random.Random(1)
    keys = [*entries, b"absent", b""]
    expected = [*entries.values(), None, None]
    errors = 0
    with path.open("r+b", buffering=0) as file:
        for place in outside_of_values(entries, whole):
            os.pwrite(file.fileno(), bytes([whole[place] ^ 1 << chance.randrange(8)]), place)
            with tables.open("cdb") as table:
                for key, value in zip(keys, expected, strict=True):
                    try:
                        assert table.lookup(key) == value
                    except TableError as error:
                        assert str(error) == f"error reading {path}: Protocol error"
                        errors += 1
                with contextlib.suppress(TableError):
                    assert table.lookup_many(keys) == expected
            os.pwrite(file.fileno(), whole[place : place + 1], place)
    assert errors


@pytest.mark.postfix
def test_changed_bit_in_a_value_is_answered_as_by_postmap(tables: Postmap) -> None:
    entries = short_entries()
    path = tables.make("cdb", entries)
    content = bytearray(path.read_bytes())
    for place in sorted(set(range(2048, len(content))) - set(outside_of_values(entries, bytes(content))))[::7]:
        content[place] ^= 1
    path.write_bytes(content)
    with tables.open("cdb") as table:
        found = {key: table.lookup(key) for key in entries}
    assert found != entries
    assert tables.query("cdb", list(entries)) == found
