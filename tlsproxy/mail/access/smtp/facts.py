"""Facts about one SMTP session: the client, its commands, and its authentication."""

from __future__ import annotations

import enum
from typing import NamedTuple

UNKNOWN = "unknown"
"""The name of a client that has none."""


class NameStatus(enum.Enum):
    """The result of the lookup of a client's name."""

    VERIFIED = "verified"
    MISSING = "missing"
    """No such name, or one that has other addresses only."""
    FAILED = "failed"
    """A temporary error of the name server."""


class SmtpClient(NamedTuple):
    """An SMTP client.

    `name` is verified: the name of the address, which has that address. `reverse_name` is the name of the address, no
    matter which addresses that has. `socket_address` is the address of the connection, where that is another one than
    the client's (XCLIENT, permit_inet_interfaces).
    """

    address: str
    name: str = UNKNOWN
    reverse_name: str = UNKNOWN
    name_status: NameStatus = NameStatus.MISSING
    reverse_name_status: NameStatus = NameStatus.MISSING
    socket_address: str = ""
    port: str = UNKNOWN

    @classmethod
    def named(cls, address: str, name: str) -> SmtpClient:
        """Return a client whose name is verified both ways, or that has none if `name` is `unknown` or empty."""
        if name.lower() in ("", UNKNOWN):
            return cls(address)
        return cls(address, name, name, NameStatus.VERIFIED, NameStatus.VERIFIED)


class Tls(NamedTuple):
    """The TLS side of a session: fingerprints of the client's certificate and of its public key, empty without one.

    `trusted` is True if the certificate is signed by an authority of the server's.
    """

    certificate_fingerprint: str = ""
    public_key_fingerprint: str = ""
    trusted: bool = False
    common_name: str = ""

    @property
    def has_certificate(self) -> bool:
        """True if the client has a certificate."""
        return bool(self.certificate_fingerprint)


class SmtpSession(NamedTuple):
    """One client and its side of a session. Addresses are the text between `<` and `>`, verbatim.

    `sasl_user` is the login name, empty without AUTH. `helo` is None if the client sends neither HELO nor EHLO; `esmtp`
    is True for EHLO. `pipelines` is True if the client sends commands without waiting where it must not.
    """

    client: SmtpClient
    helo: str | None = None
    sender: str = ""
    recipients: tuple[str, ...] = ()
    sasl_user: str = ""
    tls: Tls | None = None
    esmtp: bool = False
    pipelines: bool = False
