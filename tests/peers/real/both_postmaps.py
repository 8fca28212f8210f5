"""postmap(1) and tlsproxy-postmap, side by side."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from .postmap import Postmap

OURS = str(Path(sys.executable).parent / "tlsproxy-postmap")


class Both:
    """The two commands, each in a directory of its own with the same files."""

    def __init__(self, tables: Postmap) -> None:
        self.configuration = tables.directory / "etc"
        self._environment = {**os.environ, "MAIL_CONFIG": str(self.configuration), "LANG": "C"}
        self.directories = {"real": tables.directory / "real", "ours": tables.directory / "ours"}
        for directory in self.directories.values():
            directory.mkdir()

    def write(self, name: str, data: bytes, mode: int = 0o644) -> None:
        for directory in self.directories.values():
            (directory / name).write_bytes(data)
            (directory / name).chmod(mode)
            os.utime(directory / name, (0, 1_000_000_000))

    def configure(self, text: str) -> None:
        """Add to main.cf."""
        path = self.configuration / "main.cf"
        path.write_text(path.read_text() + text)
        os.utime(path, (0, 1_000_000_000))

    def run(self, side: str, *arguments: str, keys: bytes = b"") -> tuple[int, bytes, list[bytes]]:
        program = {"real": "postmap", "ours": OURS}[side]
        command, directory = [program, *arguments], self.directories[side]
        done = subprocess.run(
            command, input=keys, capture_output=True, cwd=directory, env=self._environment, timeout=60
        )
        said = [line for line in done.stderr.split(b"\n") if line and not line.startswith(b"BDB")]
        name = program.rpartition("/")[2].encode()
        return done.returncode, done.stdout, [line.replace(name, b"postmap") for line in said]

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start our command, and don't wait for it."""
        return subprocess.Popen(
            [OURS, *arguments], stdout=subprocess.PIPE, cwd=self.directories["ours"], env=self._environment
        )

    def agree(self, *arguments: str, keys: bytes = b"") -> tuple[int, bytes, list[bytes]]:
        """Run both, and return the result on which they agree."""
        real, ours = (self.run(side, *arguments, keys=keys) for side in ("real", "ours"))
        assert ours == real
        return real

    def agree_on_failure(self, *arguments: str) -> tuple[int, bytes, list[bytes]]:
        """Run both; the reason of a temporary failure may differ: Postfix's is that of the last system call."""
        real, ours = (self.run(side, *arguments) for side in ("real", "ours"))
        for answer in (real, ours):
            answer[2][:] = [re.sub(rb"(query error): .*", rb"\1: reason", line) for line in answer[2]]
        assert ours == real
        return real

    def same_files(self) -> None:
        """Compare names, modes and owners of all files."""
        assert self._files("ours") == self._files("real")

    def _files(self, side: str) -> dict[str, tuple[int, int, int]]:
        found = {path.name: path.stat() for path in self.directories[side].iterdir()}
        return {name: (status.st_mode, status.st_uid, status.st_gid) for name, status in found.items()}
