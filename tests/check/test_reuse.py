"""Work that is done once: defaults by release and level, tables in one pass, and nothing that a run keeps for long."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from maps.text.reading import TextFile
from postconf.catalogue import RAW, release
from postconf.syntax.expressions import ExpressionError
from tlsproxy.check.context import Context, Options
from tlsproxy.check.engine import check
from tlsproxy.check.facts.filesystem import FileSystem
from tlsproxy.check.rule import all_rules
from tlsproxy.check.text.sources import MainFile, MasterFile


@pytest.mark.parametrize("version", ["3.5", "3.7", "3.11"])
@pytest.mark.parametrize("level", ["", "compatibility_level = 2\n", "compatibility_level = $x\nx = 3.6\n", "x = 1\n"])
def test_cached_default_equals_an_expansion(version: str, level: str) -> None:
    main = MainFile("main.cf", f"{level}mydomain = example.com\nsmtp_tls_security_level = may\n")
    master = MasterFile("master.cf", "smtp inet n - y - - smtpd\n  -o smtpd_tls_security_level=may -o mydomain=a.net\n")
    context = Context(main, master, release(version), FileSystem(enabled=False))
    [service] = context.services("smtpd")
    for view in (context.config, service):
        for name, kind in release(version).kinds.items():
            text = view.lookup(name)
            try:
                expanded = (
                    text if text is None or kind == RAW else context.config.expand(text, view.lookup, lambda _: None)
                )
            except ExpressionError:
                expanded = None
            assert context.value(name, view) == (expanded or ""), name


@pytest.mark.parametrize(
    "table",
    [
        "transport_maps = texthash:{}",
        "transport_maps = hash:{}",
        "virtual_alias_maps = texthash:{}",
        "smtpd_client_restrictions = check_client_access cidr:{}",
        "header_checks = regexp:{}",
    ],
)
def test_text_table_is_read_in_one_pass(table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    pieces = TextFile.pieces

    def counted(file: TextFile) -> Iterator[bytes]:
        for piece in pieces(file):
            read.append(len(piece))
            yield piece

    monkeypatch.setattr(TextFile, "pieces", counted)
    file = tmp_path / "table"
    file.write_text("".join(f"user{n}@example.com user{n}@example.net\n" for n in range(100_001)))
    text = f"compatibility_level = 3.6\n{table.format(file)}\n"
    options = Options(directory=str(tmp_path))
    check(MainFile("main.cf", text), None, all_rules(), release("3.7"), FileSystem(), options=options)
    size = file.stat().st_size
    assert size <= sum(read) < 1.3 * size  # some rules look at the first 1,000 entries


def test_result_of_a_check_keeps_no_context() -> None:
    checked = check(MainFile("main.cf", "a = $a\n"), None, all_rules(), release("3.7"), FileSystem(enabled=False))
    gc.collect()
    assert checked.findings
    assert not [each for each in gc.get_objects() if isinstance(each, Context)]
