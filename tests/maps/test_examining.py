"""Text tables that are read piece by piece, or only examined: lines, entries and warnings are the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers.cases.pattern_texts import patterns

import maps
from maps import Access, Flags, TableError
from maps.registry import examine_table
from maps.text.faultless import faultless
from maps.text.source import Plain, blocks, file_lines, records

LINES = st.sampled_from(
    [
        *(
            b"",
            b"# comment",
            b"  goes on",
            b"\tgoes on",
            b" # comment",
            b"k v",
            b"K w",
            b"k",
            b"a: b",
            b'"q q" v',
            b"l\\ v",
        ),
        *(b"\xff v", b"nul\0 v", b"\0", b"k\x0bv", b"c v\r", b"d \xc3\xa9", b"e  v  ", b"\x0c", b"m v", b"n v", b"o v"),
    ]
)
TEXTS = st.lists(LINES, max_size=30).flatmap(
    lambda lines: st.sampled_from([b"\n".join(lines), b"\n".join([*lines, b""])])
)


def cut(text: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(text[:size])
        text = text[size:]
    return [piece for piece in [*pieces, text] if piece]


def read_one_by_one(text: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """Return logical lines as readlline(3) reads them, one after the other, and the number of refused ones."""
    found: list[tuple[int, bytes]] = []
    for number, line in enumerate(text.split(b"\n"), 1):
        if line and line[:1] not in b"# \t\v\f\r":
            found.append((number, line))
        elif line.strip()[:1] not in (b"", b"#"):
            found = [*found[:-1], (found[-1][0], found[-1][1] + line)] if found else [(number, line)]
    found = [(number, line.partition(b"\0")[0]) for number, line in found]
    kept = [each for each in found if not each[1][:1].isspace()]
    return kept, len(found) - len(kept)


@given(TEXTS, st.lists(st.integers(1, 40), max_size=12))
def test_pieces_of_a_file_make_the_same_lines(text: bytes, sizes: list[int]) -> None:
    warnings: list[str] = []
    parts = list(file_lines(cut(text, sizes), "t", warnings.append))
    expected, refused = read_one_by_one(text)
    assert [each for lines, numbers in parts for each in zip(numbers, lines, strict=True)] == expected
    assert len(warnings) == refused


@given(TEXTS, st.lists(st.integers(1, 40), max_size=12), st.booleans())
def test_pieces_of_a_file_make_the_same_entries(text: bytes, sizes: list[int], utf8: bool) -> None:
    expected_warnings: list[str] = []
    warnings: list[str] = []
    expected = [
        (entry.line, entry.key, entry.value)
        for entry in records(text.split(b"\n"), "t", expected_warnings.append, utf8=utf8)
    ]
    found: list[tuple[int, bytes, bytes]] = []
    for block in blocks(cut(text, sizes), "t", warnings.append, utf8=utf8):
        if isinstance(block, Plain):
            found += [(line, *entry) for line, entry in zip(block.numbers, block.entries, strict=True)]
        else:
            found += [(entry.line, entry.key, entry.value) for entry in block]
    assert found == expected
    assert warnings == expected_warnings


CIDR = st.sampled_from(
    [
        *(
            "10.0.0.0/8 a",
            "10.0.0.1/8 a",
            "10.0.0.1",
            "300.0.0.0 a",
            "10.0.0.0/33 a",
            "10.0.0.0/256 a",
            "10.0.0.0/024 a",
        ),
        *(
            "[::1]/128 a",
            "::1 a",
            "!10.0.0.0/8 a",
            "if 10.0.0.0/8",
            "if x",
            "endif",
            "endif x",
            "1 é",
            "10.0.0.0/ a",
            "x",
        ),
        *("10.0.0.0/8\x0ba", "1.2.3.4\u00a0 a", "300.0.0.0/99 a", "::1/x a", "1.2.3.4/32 a ", "  more", "# no", ""),
    ]
)
RULES = {
    "cidr": CIDR,
    "texthash": LINES.map(lambda line: line.decode("utf-8", "surrogateescape")),
    **{
        kind: st.one_of(
            st.tuples(
                st.sampled_from(["/", "/", "/", "!/", "if /"]),
                st.one_of(patterns(kind).map(bytes.decode), st.sampled_from(["^ab.*c$", "a\\.b", "x@y"])),
                st.sampled_from(["/ OK", "/i  OK", "/", "/ $1", "/q x"]),
            ).map("".join),
            st.sampled_from(["endif", "endif x", "if", "# no", "", "  more", "xyz"]),
        )
        for kind in ("regexp", "pcre")
    },
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examined")


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that have just been written are read once."""
    monkeypatch.setattr("time.time", lambda: 10_000_000_000)


@pytest.mark.parametrize("kind", RULES)
@given(data=st.data())
def test_examined_table_has_the_warnings_of_an_open_one(kind: str, data: st.DataObject, directory: Path) -> None:
    lines = data.draw(st.lists(RULES[kind], max_size=20))
    flags = data.draw(st.sampled_from([Flags.LOCK, Flags.DUP_WARN | Flags.FOLD_FIX, Flags.UTF8_REQUEST]))
    path = directory / kind
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    said = []
    for action in (maps.open_table, examine_table):
        warnings: list[str] = []
        try:
            action(f"{kind}:{path}", Access(flags=flags, warn=warnings.append))
        except TableError as error:
            warnings.append(f"error: {error}")
        said.append(warnings)
    assert said[0] == said[1]


ATOMS = st.sampled_from(
    [
        *(
            "a",
            "b c",
            "0",
            "-",
            "!",
            "#",
            ".",
            "\\.",
            "\\/",
            "\\\\",
            "\\d",
            "\\W",
            "\\[",
            "\\-",
            "\\b",
            "\\y",
            "(?i)",
            "]",
            "}",
        ),
        *("[a-z]", "[^0-9.]", "[a-z-]", "[(*)|$]", "[.]", "[=a=]", "[.a.]", "[:a:]", "[]a]", "[a", "[z-a]", "$", "^"),
    ]
)
TIMES = st.sampled_from(["", "", "", "*", "+", "?", "*?", "??", "{2}", "{3,}", "{1,9}", "{0,0}", "{9,3}", "{"])
SEQUENCES = st.lists(st.tuples(ATOMS, TIMES).map("".join), min_size=1, max_size=4).map("".join)
GROUPS = st.tuples(st.lists(SEQUENCES, max_size=3).map("|".join), TIMES).map(lambda group: f"({group[0]}){group[1]}")
SIMPLE = st.lists(st.one_of(SEQUENCES, GROUPS), max_size=3).map(lambda parts: f"/{''.join(parts)}/ OK".encode())


@pytest.mark.parametrize("kind", ["regexp", "pcre"])
@given(lines=st.lists(SIMPLE, min_size=8, max_size=30))
def test_rule_that_is_not_compiled_has_no_fault(kind: str, lines: list[bytes], directory: Path) -> None:
    (directory / "faultless").write_bytes(b"\n".join(filter(faultless().fullmatch, lines)))
    warnings: list[str] = []
    maps.open_table(f"{kind}:{directory}/faultless", Access(warn=warnings.append)).close()
    assert warnings == []


def test_examined_table_of_another_type_is_opened(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="bad syntax"):
        examine_table("inline:{", Access())


@pytest.mark.parametrize("first", [b"key %d v\n", b"key\n  %d v\n", b"key %d" + b"x" * 80 + b"\n"])
def test_line_beyond_the_limit_ends_reading(first: bytes, tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"#" + b"x" * 200 + b"\n" + first % 1 + b"long" + b"x" * 100 + b"\n  goes on\n")
    seen: list[int] = []
    with pytest.raises(TableError, match=r"line [2-4]: more than 100 bytes"):
        examine_table(f"texthash:{tmp_path}/t", Access(longest_line=100, observe=lambda _, at: seen.extend(at)))
    assert seen in ([], [2])


def test_different_keys_with_one_hash_are_no_duplicates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def weak(key: bytes) -> int:
        return hash(key) if len(key) > 10 else 1

    monkeypatch.setattr("maps.drivers.files.texthash.hash", weak, raising=False)
    (tmp_path / "t").write_text("a 1\nb 2\nc 3\n")
    examine_table(f"texthash:{tmp_path}/t", Access())
