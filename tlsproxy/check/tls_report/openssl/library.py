"""The OpenSSL that a report speaks for: the one that tlsproxy brings, or a program of an installed one.

Both answer the same questions: the version, the ciphers of a list, and the groups.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Protocol

from OpenSSL import SSL

from ....errors import TlsproxyError
from ....tls.contexts import bare_context, use_ciphers
from ....tls.settings.ciphers import CipherList
from ....tls.settings.errors import CipherError
from ....tls.settings.groups import usable_groups
from .running import run

_MOST_GROUPS = 200
"""Names of groups that a program is asked for, which takes some 10 ms each; OpenSSL 4.0 has about a hundred."""
_LONGEST_NAME = 100
"""Characters of a version that are shown."""
_DEFAULT_GROUPS = {
    (3, 0): (
        *("X25519", "prime256v1", "X448", "secp521r1", "secp384r1"),
        *("ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192"),
    ),
    (3, 5): (*("X25519MLKEM768", "X25519", "prime256v1", "X448", "secp384r1", "secp521r1", "ffdhe2048", "ffdhe3072"),),
    (4, 0): (
        *("X25519MLKEM768", "SecP256r1MLKEM768", "curveSM2MLKEM768", "X25519", "prime256v1", "X448"),
        *("secp384r1", "secp521r1", "curveSM2", "ffdhe2048", "ffdhe3072"),
    ),
}
"""By the first release that has them: no interface lists them."""


class LibraryError(TlsproxyError):
    """An OpenSSL that can't be asked."""


class Library(Protocol):
    """The questions of a report to an OpenSSL."""

    name: str
    """Its version, as it has it."""
    version: tuple[int, int]
    is_bundled: bool
    """True for the one that tlsproxy brings."""

    def ciphers(self, wanted: CipherList) -> tuple[str, ...] | None:
        """Return the names of the suites of a list, in order; None if it refuses the list."""

    def usable_groups(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names that it takes, each once."""

    @property
    def default_groups(self) -> tuple[str, ...]:
        """The groups that it uses if none are set."""


class Bundled:
    """The OpenSSL of tlsproxy itself."""

    is_bundled = True

    def __init__(self) -> None:
        self.name = SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode("ascii", "replace")
        self.version = _version(self.name)

    def ciphers(self, wanted: CipherList) -> tuple[str, ...] | None:
        """Return the names of the suites of a list, in order; None if it refuses the list."""
        context = bare_context()
        try:
            use_ciphers(context, wanted, authenticate=False)
        except CipherError:
            return None
        return tuple(SSL.Connection(context, None).get_cipher_list())

    def usable_groups(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names that it takes, each once."""
        return usable_groups(names)

    @property
    def default_groups(self) -> tuple[str, ...]:
        """The groups that it uses if none are set."""
        return _default_groups(self.version)


class Program:
    """An OpenSSL that is installed, by its program."""

    is_bundled = False

    def __init__(self, program: str) -> None:
        """Raise `LibraryError` if the program does not answer as openssl(1) does, and `NoAnswerError` as `run` does."""
        self._program = program
        answer = run(program, "version")
        self.name = answer.output.strip().partition("(")[0].strip()[:_LONGEST_NAME]
        if answer.status or not self.name.startswith("OpenSSL "):
            raise LibraryError(f"{program}: is not openssl(1): {self.name or answer.errors.strip()[:_LONGEST_NAME]}")
        self.version = _version(self.name)
        self._lists: dict[str, tuple[str, ...] | None] = {}
        self._groups: dict[str, bool] = {}

    def ciphers(self, wanted: CipherList) -> tuple[str, ...] | None:
        """Return the names of the suites of a list, in order; None if it refuses the list."""
        if wanted.text not in self._lists:
            answer = run(self._program, "ciphers", wanted.text)
            self._lists[wanted.text] = None if answer.status else tuple(answer.output.strip().split(":"))
        return self._lists[wanted.text]

    def usable_groups(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names that it takes, each once."""
        usable: dict[str, str] = {}
        for name in names:
            if self._has_group(name.removeprefix("?")):
                usable.setdefault(name.lower(), name)
        return tuple(usable.values())

    def _has_group(self, name: str) -> bool:
        if name not in self._groups and len(self._groups) < _MOST_GROUPS:
            # The list is looked at before the connection, to which nothing answers.
            errors = run(self._program, "s_client", "-groups", name, "-unix", "/dev/null/none").errors
            self._groups[name] = "SSL_CONF_cmd" not in errors and "group" not in errors.lower()
        return self._groups.get(name, False)

    @property
    def default_groups(self) -> tuple[str, ...]:
        """The groups that it uses if none are set."""
        return _default_groups(self.version)


@lru_cache(maxsize=20)
def _default_groups(version: tuple[int, int]) -> tuple[str, ...]:
    return max((first, groups) for first, groups in _DEFAULT_GROUPS.items() if first <= max(version, (3, 0)))[1]


def _version(name: str) -> tuple[int, int]:
    match = re.search(r"(\d+)\.(\d+)", name)
    return (int(match[1]), int(match[2])) if match else (0, 0)
