"""Versions of the program, of its TLS library, and of the Postfix release whose behaviour it has.

The TLS library is that of the Python package cryptography, not the distribution's. It is printed because OpenSSL
advisories apply to it.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def own_version() -> str:
    """Return the version of the distribution package."""
    return version_of("tlsproxy")


def version_of(package: str) -> str:
    """Return the version of an installed package; "not installed" if it is not."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def openssl_version() -> str:
    """Return the version text of the TLS library, such as `OpenSSL 4.0.3 29 Sep 2026`."""
    from cryptography.hazmat.backends.openssl import backend

    return backend.openssl_version_text()


def version_text(program: str) -> str:
    """Return the text of --version."""
    from ..catalogue import upstream_releases
    from ..machine.installed import found_release, installed_release

    found = found_release()
    known = upstream_releases()
    first, last = (".".join(each.split(".")[:2]).partition("-")[0] for each in (known[0], known[-1]))
    where = "installed here" if found else "as none is known to be installed here"
    return "\n".join(
        [
            f"{program} {own_version()}",
            f"{openssl_version()} (pyOpenSSL {version_of('pyOpenSSL')}, cryptography {version_of('cryptography')})",
            f"Postfix {(found or installed_release()).name} ({where}); {first} to {last} by --postfix-version",
        ]
    )
