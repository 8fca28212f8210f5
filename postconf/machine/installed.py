"""Release of the installed Postfix, found without running it."""

from __future__ import annotations

from ..catalogue import DEFAULT, Release, UnknownReleaseError, release

_PROGRAMS = ("/usr/sbin/postconf", "/usr/local/sbin/postconf")
_STAMP = b"mail_version="
_DEBIAN_DIRECTORY = b"/usr/lib/postfix/sbin"


def installed_release() -> Release:
    """Return the catalogue of the installed release and build, or else that of `DEFAULT`."""
    return found_release() or release(DEFAULT)


def found_release() -> Release | None:
    """Return the catalogue of the installed release and build; None without Postfix, or for an unknown release."""
    for program in _PROGRAMS:
        try:
            with open(program, "rb") as file:  # noqa: PTH123  commands must start fast
                data = file.read()
        except OSError:
            continue
        # Every program of Postfix contains its version.
        version = data.partition(_STAMP)[2].partition(b"\0")[0].decode("ascii", "replace")
        try:
            return release(version, "debian" if _DEBIAN_DIRECTORY in data else "")
        except UnknownReleaseError:
            continue
    return None
