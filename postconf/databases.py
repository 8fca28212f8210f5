"""Tables in values, and the parameters that configure them, such as NAME_server_host for `ldap:NAME`.

Like postconf(1), this module can't know whether a text is a list of tables, and accepts any text that looks like one.
"""

from __future__ import annotations

from .files.regular import read_file
from .htable_order import table_order
from .syntax.lines import BLANK, cut
from .syntax.maincf import read_settings
from .syntax.mastercf import closing_brace, split_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .catalogue import Release

SEPARATORS = BLANK + ","
_PATTERN_TYPES = ("pcre", "regexp")


class Databases:
    """Finds tables, and reads their configuration files, each one once."""

    def __init__(self, release: Release, warn: Callable[[str], None], *, quiet: bool) -> None:
        """`quiet`: True if unused names in configuration files are not reported."""
        self._release = release
        self._suffixes = release.dbms_suffixes()
        self._adapters = ("proxy", "debug") if release.since("3.11") else ("proxy",)
        self._has_comments = release.since("3.8")
        self._warn_of_nul = release.since("3.9")
        self._warn = warn
        self._quiet = quiet
        self._read: set[str] = set()

    def scan(self, text: str, path: str, service: str, found: Callable[[str], None]) -> None:
        """Call `found` with each parameter that configures a table of a list, whether it is set or not.

        `path` and `service` (if any) are the place of the list.
        """
        where = f"{path}:{service}" if service else path
        # No recursion: the depth of braces is unlimited. `nested` is True to look into the braces of a text.
        todo = [(iter(split_words(text, SEPARATORS)), text, True)]
        while todo:
            words, text, nested = todo[-1]
            word, offset = next(words, ("", 0))
            if not word:
                todo.pop()
                continue
            if word.startswith("#") and self._has_comments:
                rest = cut(text[offset + len(word) + 1 :], 20)[0]
                self._warn(f"{path}: #comment after other text is not allowed: {word} {rest}...")
                todo.pop()
                continue
            if word.startswith("{"):
                inside = self._inside(word, where)
                if nested:
                    todo.append((iter(split_words(inside, SEPARATORS)), inside, True))
                continue
            kind, name = self._table(word)
            if name.startswith("{"):
                inside = self._inside(name, where)
                deeper = nested and not (self._has_comments and kind in _PATTERN_TYPES)
                todo.append((iter(split_words(inside, SEPARATORS)), inside, deeper))
            elif kind in self._suffixes and name.startswith("/"):
                self._check_client(kind, name)
            elif kind in self._suffixes and not name.startswith("."):
                for suffix in self._suffixes[kind]:
                    found(f"{name}_{suffix}")

    def _table(self, word: str) -> tuple[str, str]:
        """Return the type and the name of a table, without prefixed adapters."""
        kind, colon, name = word.partition(":")
        while colon and kind in self._adapters:
            kind, colon, name = name.partition(":")
        return (kind, name) if colon else ("", "")

    def _inside(self, text: str, where: str) -> str:
        end = closing_brace(text, 0)
        if end < 0:
            self._warn(f"{where}: missing '}}' in \"{text}\"")
            return text[1:]
        if end != len(text) - 1:
            self._warn(f"{where}: syntax error after '}}' in \"{text}\"")
        return text[1:end]

    def _check_client(self, kind: str, path: str) -> None:
        """Read a configuration file and warn of settings that its type does not have."""
        if f"{kind}:{path}" in self._read:
            return
        self._read.add(f"{kind}:{path}")
        import os
        import stat

        try:
            if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  commands must start fast
                self._warn(f'open "{kind}" configuration "{path}": not a regular file')
                return
            text = read_file(path)
        except PermissionError:
            return
        except OSError as error:
            self._warn(f'open "{kind}" configuration "{path}": {error.strerror}')
            return
        settings = read_settings(text, path, self._warn, warn_of_nul=self._warn_of_nul)
        if self._quiet:
            return
        for name in table_order(settings, self._release):
            if name not in self._suffixes[kind]:
                self._warn(f"{kind}:{path}: unused parameter: {name}={settings[name].value}")
