"""The option --upgrade of tlsproxy-check: the two systems, the comparison and its report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from postconf.catalogue import Release

from ...errors import TlsproxyError
from ..engine import Checked
from .systems import System, UnknownSystemError, of_release, parse_system

if TYPE_CHECKING:
    from ..context import Options
    from ..facts.filesystem import FileSystem
    from ..text.sources import MainFile, MasterFile


class UpgradeError(TlsproxyError):
    """Releases that can't be compared; the text has the reason."""


class Upgrade:
    """An upgrade, with its two systems."""

    FORMATS = ("text", "json")

    def __init__(self, target: str, source: str, release: Release) -> None:
        """`source` may be empty: then it is `release`. Raise `UpgradeError`."""
        try:
            self.target = parse_system(target)
            self.source = parse_system(source) if source else self._like(of_release(release))
        except UnknownSystemError as error:
            raise UpgradeError(str(error)) from None
        if self.target.release.version < self.source.release.version:
            raise UpgradeError(f"{self.target.title} is older than {self.source.title}")

    def _like(self, source: System) -> System:
        """Return the source as the target is given: packages are no part of a question about numbers."""
        return source if self.target.family else parse_system(source.release.name.partition("-")[0])

    def compare(self, main: MainFile | None, master: MasterFile | None, files: FileSystem, options: Options) -> Checked:
        """Return the changes for one configuration, as findings."""
        from .comparison import compare

        return compare(main, master, self.source, self.target, files, options=options)

    def report(self, format: str, results: Sequence[Checked], *, colour: bool) -> str:
        """Return the report in one of the FORMATS."""
        from .comparison import Compared
        from .report import render

        compared = [each for each in results if isinstance(each, Compared)]
        return render(format, compared, self.source, self.target, colour=colour)
