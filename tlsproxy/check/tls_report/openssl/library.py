"""The OpenSSL that a report speaks for: the one that tlsproxy brings, or a program of an installed one.

Both answer the same questions: the version, the ciphers of a list, and the groups.
"""

from __future__ import annotations

import re
import subprocess
from functools import lru_cache
from typing import Protocol

from OpenSSL import SSL

from ....errors import TlsproxyError
from ....tls.contexts import bare_context, use_ciphers
from ....tls.settings.ciphers import CipherList
from ....tls.settings.errors import CipherError
from ....tls.settings.groups import usable_groups

_PATIENCE = 20.0
"""Seconds that the program may take for an answer."""
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
        """Raise `LibraryError` if the program does not answer as openssl(1) does."""
        self._program = program
        run = self._run("version")
        self.name = run.stdout.strip().partition("(")[0].strip()
        if run.returncode or not self.name.startswith("OpenSSL "):
            raise LibraryError(f"{program}: is not openssl(1): {self.name or run.stderr.strip()[:100]}")
        self.version = _version(self.name)
        self._lists: dict[str, tuple[str, ...] | None] = {}
        self._groups: dict[str, bool] = {}

    def ciphers(self, wanted: CipherList) -> tuple[str, ...] | None:
        """Return the names of the suites of a list, in order; None if it refuses the list."""
        if wanted.text not in self._lists:
            run = self._run("ciphers", wanted.text)
            self._lists[wanted.text] = None if run.returncode else tuple(run.stdout.strip().split(":"))
        return self._lists[wanted.text]

    def usable_groups(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names that it takes, each once."""
        usable: dict[str, str] = {}
        for name in names:
            if self._has_group(name.removeprefix("?")):
                usable.setdefault(name.lower(), name)
        return tuple(usable.values())

    def _has_group(self, name: str) -> bool:
        if name not in self._groups:
            # The list is looked at before the connection, to which nothing answers.
            run = self._run("s_client", "-groups", name, "-unix", "/dev/null/none")
            self._groups[name] = "SSL_CONF_cmd" not in run.stderr and "group" not in run.stderr.lower()
        return self._groups[name]

    @property
    def default_groups(self) -> tuple[str, ...]:
        """The groups that it uses if none are set."""
        return _default_groups(self.version)

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the program, without the configuration of the system, which Postfix overrides."""
        try:
            return subprocess.run(  # noqa: S603  the program is the user's choice
                [self._program, *arguments],
                env={"PATH": "/usr/local/bin:/usr/bin:/bin", "OPENSSL_CONF": "/dev/null"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_PATIENCE,
                check=False,
            )
        except OSError as error:
            raise LibraryError(f"{self._program}: {error.strerror}") from None
        except (subprocess.SubprocessError, ValueError) as error:
            raise LibraryError(f"{self._program}: {error}") from None


@lru_cache(maxsize=20)
def _default_groups(version: tuple[int, int]) -> tuple[str, ...]:
    return max((first, groups) for first, groups in _DEFAULT_GROUPS.items() if first <= max(version, (3, 0)))[1]


def _version(name: str) -> tuple[int, int]:
    match = re.search(r"(\d+)\.(\d+)", name)
    return (int(match[1]), int(match[2])) if match else (0, 0)
