"""The real postmap(1), with a configuration of its own, and other parts that tests of tables need."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from maps.registry import load_driver
from maps.table import Access, Flags, Mode, Table

SUFFIXES = {"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb"}
QUERY = Flags.LOCK | Flags.FOLD_FIX
CREATE = Flags.DUP_WARN | Flags.FOLD_FIX


class Postmap:
    """Runs postmap(1) in a directory; the warnings of our own tables are collected beside it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.warnings: list[str] = []
        configuration = directory / "etc"
        configuration.mkdir()
        (configuration / "main.cf").write_text("compatibility_level = 3.6\nmaillog_file =\n")
        (configuration / "master.cf").write_text("")
        os.utime(configuration / "main.cf", (0, 1_000_000_000))  # postmap waits until it is older than two seconds

    def run(self, *arguments: str, keys: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        command = ["postmap", "-c", str(self.directory / "etc"), *arguments]
        return subprocess.run(command, input=keys, capture_output=True, cwd=self.directory, timeout=60)

    def build(self, kind: str, entries: dict[bytes, bytes], *options: str, name: str = "t") -> None:
        """Have the real command make a table; keys must need no quotes."""
        (self.directory / name).write_bytes(b"".join(b"%s %s\n" % entry for entry in entries.items()))
        done = self.run("-u", *options, f"{kind}:{name}")
        assert (done.returncode, done.stderr) == (0, b"")

    def query(self, kind: str, keys: list[bytes], *options: str, name: str = "t") -> dict[bytes, bytes]:
        """Look keys up with the real command."""
        done = self.run("-uf", *options, "-q", "-", f"{kind}:{name}", keys=b"".join(key + b"\n" for key in keys))
        assert done.stderr == b""
        return dict(_pair(line) for line in done.stdout.splitlines())

    def list(self, kind: str, name: str = "t") -> list[tuple[bytes, bytes]]:
        """List a table with the real command."""
        done = self.run("-us", f"{kind}:{name}")
        assert (done.returncode, done.stderr) == (0, b"")
        return [_pair(line) for line in done.stdout.splitlines()]

    def open(self, kind: str, mode: Mode = Mode.READ, flags: Flags | None = None, name: str = "t") -> Table:
        """Open a table with our own driver."""
        if flags is None:
            flags = CREATE if mode in (Mode.BUILD, Mode.ADD) else QUERY
        table = load_driver(kind, Access()).open_table(
            str(self.directory / name), Access(mode, flags, warn=self.warnings.append)
        )
        assert isinstance(table, Table)
        return table

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Make its directory that of relative names."""
        before = Path.cwd()
        os.chdir(self.directory)
        try:
            yield
        finally:
            os.chdir(before)

    def make(self, kind: str, entries: dict[bytes, bytes], flags: Flags = CREATE, name: str = "t") -> Path:
        """Make a table with our own driver, and return its file."""
        with self.open(kind, Mode.BUILD, flags, name) as table:
            for key, value in entries.items():
                assert table.update(key, value)
        return self.file(kind, name)

    def file(self, kind: str, name: str = "t") -> Path:
        return self.directory / (name + SUFFIXES[kind])


def _pair(line: bytes) -> tuple[bytes, bytes]:
    key, _, value = line.partition(b"\t")
    return key, value


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that must come; pytest's own limit ends it when it doesn't."""
    while not condition():
        time.sleep(0.01)


def lock_is_awaited(path: Path) -> bool:
    """Return True if a process or thread is blocked by a lock on this file."""
    inode = path.stat().st_ino
    return any(f":{inode} " in line for line in Path("/proc/locks").read_text().splitlines() if "->" in line)
