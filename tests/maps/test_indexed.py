"""Common behaviour of hash, btree, lmdb and cdb, against the real postmap(1) in both directions."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peers.real.postmap import CREATE, QUERY, Postmap

from maps.table import Flags, Mode, OpenError, TableError

KINDS = ["hash", "btree", "lmdb", "cdb"]
CHANGEABLE = ["hash", "btree", "lmdb"]

texts = st.binary(max_size=6).map(lambda text: text.replace(b"\0", b"\1"))
keys = st.builds(lambda text, times: (text * times)[:500], texts.filter(bool), st.sampled_from([1, 1, 2, 90]))
values = st.builds(lambda text, times: text * times, texts, st.sampled_from([1, 1, 9, 200, 2000]))


def sample(count: int, seed: int = 1) -> dict[bytes, bytes]:
    """Entries that postmap's input syntax takes as they are, some of them long."""
    chance = random.Random(seed)
    entries = {}
    for number in range(count):
        key = f"user{chance.getrandbits(24):x}.{number}@example.com"
        value = f"relay:[mx{number % 7}.example.net]:25"
        if chance.random() < 0.02:
            value += " " + "v" * chance.choice([900, 1100, 5000, 20000])
        entries[key.encode()] = value.encode()
    return entries


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=st.dictionaries(keys, values, max_size=40), terminated=st.sampled_from(["", "with NUL", "without"]))
def test_stored_entries_are_found(tables: Postmap, kind: str, entries: dict[bytes, bytes], terminated: str) -> None:
    flags = {"": Flags(0), "with NUL": Flags.TRY1NULL, "without": Flags.TRY0NULL}[terminated]
    tables.make(kind, entries, CREATE | flags)
    with tables.open(kind, flags=QUERY | flags) as table:
        assert {key: table.lookup(key) for key in entries} == entries
        assert dict(zip(entries, table.lookup_many(list(entries)), strict=True)) == entries
        assert dict(table.entries()) == entries
        assert table.lookup(b"absent") == entries.get(b"absent")
    with tables.open(kind) as table:
        assert table.lookup_many([*entries, b"absent"]) == [*entries.values(), entries.get(b"absent")]


@pytest.mark.postfix
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("option", ["-N", "-n"])
@pytest.mark.parametrize("count", [0, 1, 30, 4000])
def test_tables_made_by_postmap_are_read(tables: Postmap, kind: str, option: str, count: int) -> None:
    entries = sample(count)
    tables.build(kind, entries, option)
    with tables.open(kind) as table:
        found = {key: table.lookup(key) for key in entries}
        assert found == entries
        assert not any(table.lookup_many([key + b"x" for key in entries]))
        if kind != "cdb":
            assert list(table.entries()) == tables.list(kind)


@pytest.mark.postfix
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flag", [Flags.TRY1NULL, Flags.TRY0NULL])
@pytest.mark.parametrize("count", [0, 1, 30, 4000])
def test_tables_made_here_are_read_by_postmap(tables: Postmap, kind: str, flag: Flags, count: int) -> None:
    entries = sample(count)
    tables.make(kind, entries, CREATE | flag)
    assert tables.query(kind, list(entries)) == entries
    assert tables.query(kind, [key + b"x" for key in entries]) == {}
    if kind != "cdb":
        assert dict(tables.list(kind)) == entries


def many_keys(entries: dict[bytes, bytes]) -> list[bytes]:
    """100,000 keys, in no order; one in six is absent, and most of these differ in one place from one that is there."""
    chance = random.Random(3)
    keys = chance.choices(list(entries), k=100_000)
    return [key if chance.random() < 5 / 6 else key[:-3] + b"%03d" % chance.randrange(1000) for key in keys]


@pytest.mark.postfix
@pytest.mark.parametrize("kind", KINDS)
def test_100000_lookups_in_a_table_of_postmap_have_its_answers(tables: Postmap, kind: str) -> None:
    entries = sample(40_000)
    tables.build(kind, entries)
    keys = many_keys(entries)
    expected = [entries.get(key) for key in keys]
    with tables.open(kind) as table:
        assert [table.lookup(key) for key in keys[:20_000]] == expected[:20_000]
        assert table.lookup_many(keys) == expected
        assert table.lookup_many(keys[:3000]) == expected[:3000]
    assert tables.query(kind, keys) == {key: entries[key] for key in keys if key in entries}


@pytest.mark.postfix
@pytest.mark.parametrize("kind", KINDS)
def test_postmap_answers_100000_lookups_from_a_table_made_here(tables: Postmap, kind: str) -> None:
    entries = sample(40_000)
    tables.make(kind, entries)
    keys = many_keys(entries)
    assert tables.query(kind, keys) == {key: entries[key] for key in keys if key in entries}


@pytest.mark.postfix
@pytest.mark.parametrize("kind", CHANGEABLE)
def test_tables_are_changed_by_both_in_turn(tables: Postmap, kind: str) -> None:
    entries = sample(600)
    tables.make(kind, entries)
    more = sample(500, seed=2)
    assert tables.run("-ui", f"{kind}:t", keys=b"".join(b"%s %s\n" % entry for entry in more.items())).stderr == b""
    entries |= more
    gone = [key for number, key in enumerate(entries) if number % 3 == 0]
    with tables.open(kind, Mode.CHANGE) as table:
        assert all(table.delete(key) for key in gone)
        assert not table.delete(gone[0])
        if kind != "lmdb":
            assert table.lookup(gone[0]) is None
    for key in gone:
        del entries[key]
    removed = list(entries)[:100]
    assert tables.run("-d", "-", f"{kind}:t", keys=b"\n".join(removed)).returncode == 0
    for key in removed:
        del entries[key]
    with tables.open(kind, Mode.ADD) as table:
        for key, value in sample(50, seed=3).items():
            assert table.update(key, value)
    entries |= sample(50, seed=3)
    assert dict(tables.list(kind)) == entries
    with tables.open(kind) as table:
        assert list(table.entries()) == tables.list(kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("flag", "expected"), [(Flags.DUP_WARN, b"1"), (Flags.DUP_IGNORE, b"1"), (Flags.DUP_REPLACE, b"2")]
)
def test_duplicates_are_warned_of_ignored_or_replaced(tables: Postmap, kind: str, flag: Flags, expected: bytes) -> None:
    with tables.open(kind, Mode.BUILD, Flags.FOLD_FIX | flag) as table:
        table.update(b"key", b"1")
        table.update(b"key", b"2")
    with tables.open(kind) as table:
        assert table.lookup(b"key") == expected
    name = {"hash": "t.db", "btree": "t.db", "lmdb": "lmdb:t", "cdb": "t"}[kind]
    shown = [text.replace(f"{tables.directory}/", "") for text in tables.warnings]
    assert shown == ([f'{name}: duplicate entry: "key"'] if flag is Flags.DUP_WARN else [])


@pytest.mark.parametrize("kind", KINDS)
def test_table_replaced_or_rebuilt_in_place_is_followed(tables: Postmap, kind: str) -> None:
    tables.make(kind, {b"key": b"old"})
    with tables.open(kind) as table:
        assert table.lookup(b"key") == b"old"
        tables.make(kind, {b"key": b"new", b"other": b"1"})
        assert table.lookup(b"key") == b"new"
        assert table.lookup_many([b"other"]) == [b"1"]
        assert table.changed() is (kind != "lmdb")


@pytest.mark.parametrize("kind", ["hash", "btree", "cdb"])
def test_reader_without_access_to_the_new_file_keeps_the_old(tables: Postmap, kind: str) -> None:
    path = tables.make(kind, {b"key": b"old"})
    with tables.open(kind) as table:
        path.unlink()
        path.symlink_to(path.name)  # a link that root can't open either
        assert table.lookup(b"key") == b"old"
        assert table.changed()
        path.unlink()
        tables.make(kind, {b"key": b"new"})
        assert table.lookup(b"key") == b"new"


@pytest.mark.postfix
@pytest.mark.parametrize("kind", CHANGEABLE)
def test_table_that_postmap_changes_is_followed(tables: Postmap, kind: str) -> None:
    tables.build(kind, {b"key": b"old"})
    with tables.open(kind) as table:
        assert table.lookup(b"key") == b"old"
        tables.build(kind, {b"key": b"new"})
        assert table.lookup(b"key") == b"new"
        assert tables.run("-d", "key", f"{kind}:t").returncode == 0
        assert table.lookup(b"key") is None


@pytest.mark.parametrize("kind", ["hash", "btree", "cdb"])
def test_build_that_is_given_up_changes_nothing(tables: Postmap, kind: str) -> None:
    path = tables.make(kind, {b"key": b"old"})
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt), tables.open(kind, Mode.BUILD) as table:
        table.update(b"key", b"new")
        raise KeyboardInterrupt
    assert path.read_bytes() == before
    assert sorted(tables.directory.glob("t*")) == [path]


@pytest.mark.parametrize("kind", KINDS)
def test_killed_writer_leaves_the_old_or_the_new_table(tables: Postmap, kind: str) -> None:
    old = {b"key%d" % number: b"old" for number in range(3000)}
    new = {b"key%d" % number: b"new" for number in range(6000)}
    path = tables.make(kind, old)
    program = textwrap.dedent("""
        import sys
        from peers.real.postmap import CREATE
        from maps.table import Access, Mode
        from maps.drivers.files import KIND
        print("ready", flush=True)
        sys.stdin.readline()
        with KIND.open_table(sys.argv[1], Access(Mode.BUILD, CREATE)) as table:
            for number in range(6000):
                table.update(b"key%d" % number, b"new")
    """).replace("KIND", kind)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for delay in (0.0, 0.004, 0.008, 0.012, 0.016, 0.02, 0.025, 0.03, 0.04):
        command = [sys.executable, "-c", program, str(tables.directory / "t")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as writer:
            assert writer.stdin
            assert writer.stdout
            writer.stdout.readline()
            writer.stdin.write(b"\n")
            writer.stdin.flush()
            time.sleep(delay)
            writer.kill()
        with tables.open(kind) as table:
            content = dict(table.entries())
        assert content in (old, new)
    assert path.exists()
    tables.make(kind, old)  # leftovers of killed writers are in no one's way
    with tables.open(kind) as table:
        assert dict(table.entries()) == old
    assert sorted(tables.directory.glob("t*")) == [path]


@pytest.mark.postfix
def test_files_that_are_no_tables_are_refused_as_in_postfix(tables: Postmap) -> None:
    contents = [None, b"", b"x" * 100, b"x" * 10000, b"\0" * 8192]
    cases = {f"{kind}{number}": (kind, content) for kind in KINDS for number, content in enumerate(contents)}
    for name, (kind, content) in cases.items():
        if content is not None:
            tables.file(kind, name).write_bytes(content)
    with ThreadPoolExecutor(len(cases)) as pool:  # a fatal error takes postmap a second
        theirs = dict(
            zip(cases, pool.map(lambda name: tables.run("-q", "k", f"{cases[name][0]}:{name}"), cases), strict=True)
        )
    for name, (kind, _) in cases.items():
        ours = ""
        try:
            with tables.open(kind, name=name) as table:
                assert table.lookup(b"k") is None
        except TableError as error:
            ours = f"postmap: fatal: {error}".replace(f"{tables.directory}/", "")
        assert theirs[name].returncode == 1
        assert "".join(theirs[name].stderr.decode().splitlines()[-1:]) == ours


@pytest.mark.parametrize("kind", KINDS)
def test_file_that_is_cut_off_is_an_error_not_a_miss(tables: Postmap, kind: str) -> None:
    entries = sample(300)
    path = tables.make(kind, entries)
    whole = path.read_bytes()
    step = 512 if kind == "cdb" else 4096
    for size in range(0, len(whole), step):
        path.write_bytes(whole[:size])
        with pytest.raises(TableError), tables.open(kind) as table:
            table.lookup(b"absent")
        with pytest.raises(TableError), tables.open(kind) as table:
            table.lookup_many([*entries])


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=20))
def test_bit_flips_cost_answers_but_nothing_else(tables: Postmap, kind: str, damage: list[tuple[float, int]]) -> None:
    entries = sample(150)
    original = tables.directory / f"{kind}.whole"
    if not original.exists():
        original.write_bytes(tables.make(kind, entries).read_bytes())
    content = bytearray(original.read_bytes())
    for place, bit in damage:
        content[int(place * len(content))] ^= 1 << bit
    path = tables.file(kind)
    path.write_bytes(content)
    try:
        table = tables.open(kind)
    except TableError:
        return
    with table:
        for key in [*list(entries)[::5], b"absent"]:
            with contextlib.suppress(TableError):
                table.lookup(key)
        with contextlib.suppress(TableError):
            list(table.entries())


@pytest.mark.parametrize(("kind", "header"), [("hash", 26), ("btree", 26), ("lmdb", 16)])
def test_wrong_place_of_an_item_is_an_error_not_a_miss(tables: Postmap, kind: str, header: int) -> None:
    entries = {key: value[:50] for key, value in sample(300).items()}  # short ones: every page has items
    path = tables.make(kind, entries)
    whole = path.read_bytes()
    failures = 0
    for page in range(2 * 4096, len(whole), 4096):
        for place in range(page + header, page + header + 16):
            content = bytearray(whole)
            content[place] ^= 1 << place % 8
            path.write_bytes(content)
            with tables.open(kind) as table:
                for key, value in entries.items():
                    try:
                        assert table.lookup(key) == value
                    except TableError:
                        failures += 1
                with contextlib.suppress(TableError):
                    assert table.lookup_many([*entries]) == [*entries.values()]
                with contextlib.suppress(TableError):
                    assert dict(table.entries()) == entries
    assert failures


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["head", "everywhere"])
def test_damage_in_the_head_or_all_over_ends_soon(tables: Postmap, kind: str, place: str) -> None:
    chance = random.Random(7)
    entries = sample(200)
    path = tables.make(kind, entries)
    whole = path.read_bytes()
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(40):
            index = chance.randrange(64) if place == "head" else chance.randrange(len(content))
            content[index] = chance.choice([0, 1, 0xFF, chance.randrange(256)])
        path.write_bytes(content)
        with contextlib.suppress(TableError), tables.open(kind) as table:
            table.lookup_many(list(entries))
            list(table.entries())


@pytest.mark.postfix
@pytest.mark.parametrize("kind", KINDS)
def test_table_that_is_older_than_its_source_is_warned_of(tables: Postmap, kind: str) -> None:
    tables.build(kind, {b"key": b"1"})
    os.utime(tables.file(kind), (1_000_000_000, 1_000_000_000))
    os.utime(tables.directory / "t", (1_100_000_000, 1_100_000_000))
    theirs = tables.run("-q", "key", f"{kind}:t").stderr.decode()
    tables.open(kind).close()
    assert [f"postmap: warning: {text}".replace(f"{tables.directory}/", "") for text in tables.warnings] == [
        theirs.rstrip()
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_unwritable_table_is_an_open_error(tables: Postmap, kind: str) -> None:
    with pytest.raises(OpenError, match=r"open database .*nosuch/t.*: No such file or directory"):
        tables.open(kind, Mode.BUILD, name="nosuch/t")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o027])
def test_new_files_have_the_mode_that_the_mask_leaves(tables: Postmap, kind: str, mask: int) -> None:
    before = os.umask(mask)
    try:
        path = tables.make(kind, {b"key": b"1"})
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644 & ~mask


@pytest.mark.postfix
@pytest.mark.parametrize("kind", KINDS)
def test_files_keep_their_mode_if_postmap_keeps_it(tables: Postmap, kind: str) -> None:
    modes = []
    for build in (tables.make, tables.build):
        build(kind, {b"key": b"1"})
        tables.file(kind).chmod(0o600)
        build(kind, {b"key": b"2"})
        modes.append(tables.file(kind).stat().st_mode & 0o777)
    assert modes[0] == modes[1]


def test_importing_the_tables_loads_no_driver() -> None:
    program = (
        "import sys, maps, maps.table; print([name for name in sys.modules if 'drivers.' in name or 'lmdb' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("kind", KINDS)
def test_lost_or_doubled_entry_does_not_change_batch_answers(tables: Postmap, kind: str) -> None:
    entries = {b"key%d" % number: b"value%d" % number for number in range(200)}
    path = tables.make(kind, entries)
    damaged = path.read_bytes().replace(b"key77", b"key78", 1)
    assert damaged != path.read_bytes()
    path.write_bytes(damaged)
    asked = list(entries)
    if kind == "cdb":  # has a hash of each key
        with tables.open(kind) as table:
            for ask in (lambda: table.lookup(b"key77"), lambda: table.lookup_many(asked)):
                with pytest.raises(TableError, match=r"^error reading .*t\.cdb: Protocol error$"):
                    ask()
        asked.remove(b"key77")
    with tables.open(kind) as table:
        one_by_one = [table.lookup(key) for key in asked]
    with tables.open(kind) as table:
        assert table.lookup_many(asked) == one_by_one
