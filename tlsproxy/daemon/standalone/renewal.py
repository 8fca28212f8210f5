"""Renewal of certificates: replaced files with keys, certificates or tables are noticed.

A change counts when it has been the same for two looks: renewals replace several files one after the other.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from postconf.models import TlsSettings
from postconf.values import words

from ...tls.settings.parameters import CHAIN_FILES, CLIENT, DH_FILES, FILES, SERVER

Stamp = tuple[int, int, int] | None

INTERVAL = 5.0
"""Seconds between two looks."""
_WATCHED = (*(end for end in FILES if end != "CApath"), *DH_FILES)  # OpenSSL looks into a directory itself
_TABLE_SUFFIXES = ("", ".db", ".cdb", ".lmdb")


def files_of(settings: TlsSettings) -> list[str]:
    """Return the files that the contexts of both roles come from."""
    return [each for each in _named(settings) if each and each != "none"]


def _named(settings: TlsSettings) -> Iterator[str]:
    view, release = settings.view, settings.view.config.release
    for prefix in (SERVER, CLIENT):
        for name in (f"{prefix}{end}" for end in _WATCHED):
            if name.endswith(CHAIN_FILES):
                yield from words(view[name])
            elif name in release.defaults:
                yield view[name]
    for table in words(view["tls_server_sni_maps"]):
        yield from (table.partition(":")[2] + suffix for suffix in _TABLE_SUFFIXES)


class FileWatch:
    """Remembers the state of files, and notices that they have been replaced."""

    def __init__(self, files: Iterable[str]) -> None:
        self._files = list(files)
        self._known = self._seen = self._stamps()
        self._look_at = 0.0

    def has_changed(self, now: float) -> bool:
        """Return True once for files that are others now, for two looks; a look is due each `INTERVAL`."""
        if now < self._look_at:
            return False
        self._look_at = now + INTERVAL
        stamps = self._stamps()
        settled = stamps == self._seen
        self._seen = stamps
        if not settled or stamps == self._known:
            return False
        self._known = stamps
        return True

    def is_closed(self) -> bool:
        """Return True if this process has no right to read some of the files."""
        return any(_is_closed(each) for each in self._files)

    def _stamps(self) -> list[Stamp]:
        return [_stamp(each) for each in self._files]


def _is_closed(path: str) -> bool:
    try:
        os.close(os.open(os.fsencode(path), os.O_RDONLY | os.O_NONBLOCK))
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _stamp(path: str) -> Stamp:
    try:
        found = os.stat(os.fsencode(path))  # noqa: PTH116  names in main.cf may have any bytes
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
