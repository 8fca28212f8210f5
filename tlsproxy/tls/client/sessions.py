"""Sessions that servers may be offered again, kept by tlsmgr(8), and their names there (tls_client(3), tls_fprint(3)).

A session keeps the verdict on its certificate. So its name has everything in it that a verdict depends on: all that
Postfix has in it, and for verified sessions also the names that were looked for and the authorities that were trusted.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from postconf.values import SecurityLevel

from ...log import Log
from ...loop import Loop
from ...tlsmgr import TlsManager
from ...wire.dane import TlsaRecord
from ...wire.messages import ClientInit, ClientStart
from ..openssl import peers
from ..settings.parameters import AUTHORITIES, CERTIFICATES, CHAIN_FILES
from ..verification.policy import VerificationPolicy

_RULES = "2"
"""The generation of the rules of verification: sessions that older ones have admitted are not resumed. Version 0.1.0,
which accepted forged certificates (SECURITY.md), had no number for them."""


class CachedSession:
    """A session in the cache of tlsmgr(8), if sessions of its type are kept there."""

    def __init__(self, manager: TlsManager, loop: Loop, cache_type: str, name: str, log: Log | None) -> None:
        """`log`: for searches and changes; None if they are not logged."""
        self.session = b""
        """The cached session; empty without one."""
        self._manager = manager
        self._loop = loop
        self._cache_type = cache_type
        self._name = name
        self._log = log
        self._kept = False

    def find(self, go_on: Callable[[], None]) -> None:
        """Look for a session; call `go_on` when that is over, with or without success."""

        def on_known(kept: bool) -> None:
            self._kept = kept
            if kept:
                self._say(f"looking for session {self._name} in {self._cache_type} cache")
                self._manager.lookup(self._cache_type, self._name, on_found)
            else:
                go_on()

        def on_found(session: bytes) -> None:
            self.session = session
            if session:
                self._say(f"reloaded session {self._name} from {self._cache_type} cache")
            go_on()

        self._manager.cachable(self._cache_type, on_known)

    def save(self, ssl: Any) -> None:
        """Keep a connection's session, as soon as OpenSSL is out of the call in which its ticket has come."""
        if self._kept:
            self._loop.queue(lambda: self._save(ssl))

    def _save(self, ssl: Any) -> None:
        session = peers.save_session(ssl)
        if session:
            self._say(f"save session {self._name} to {self._cache_type} cache")
            self._manager.update(self._cache_type, self._name, session)

    def discard(self) -> None:
        """Forget the session that was found: the server may not have liked it."""
        if self.session:
            self._say(f"remove session {self._name} from client cache")
            self._manager.delete(self._cache_type, self._name)

    def _say(self, text: str) -> None:
        if self._log is not None:
            self._log.info(text)


def cache_id(
    init: ClientInit, start: ClientStart, policy: VerificationPolicy, servername: str, ciphers: str, *, raw_keys: bool
) -> str:
    """Return the name of a session; `raw_keys`: True for raw public keys (Postfix 3.9)."""
    verified = policy.level > SecurityLevel.ENCRYPT
    parts = [_text(start.helo), struct.pack("@l", peers.VERSION), _text(start.protocols), _text(ciphers)]
    if raw_keys:
        parts.append(struct.pack("@i", start.enable_rpk))
    parts.append(struct.pack("@i", policy.hopeless))
    parts += _records(start.dane.records if verified and start.dane else ())
    parts.append(_text(servername if verified else ""))
    files = [getattr(init, name) for name in (CHAIN_FILES, *CERTIFICATES, *AUTHORITIES)]
    if verified or any(files):
        references = policy.references if policy.references is not None else ("*",)
        own = _RULES, str(int(policy.level)), str(init.verifydepth), init.mdalg, start.mdalg, *files, *references
        parts += [_text(each) for each in own]
    return f"{start.serverid}&{sha256(b''.join(parts)).hexdigest().upper()}"


def _text(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape") + b"\0"


def _records(records: tuple[TlsaRecord, ...]) -> list[bytes]:
    """Return the bytes of records, usable or not, in an order of their own."""
    ordered = sorted((r.usage, r.selector, r.mtype, len(r.data), r.data) for r in records)
    parts = [struct.pack("@i", len(ordered))]
    for usage, selector, mtype, length, data in ordered:
        numbers = usage & 0xFF, selector & 0xFF, mtype & 0xFF, length & 0xFFFF
        parts.append(struct.pack("=BBBH", *numbers) + data)
    return parts
