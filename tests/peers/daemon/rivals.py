"""The C tlsproxy(8) and ours, asked the same thing at the same time, and the reasons why ours may trust less."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLContext

from ..cases.hostile import Attack, server_of
from ..fakes.smtp_client import Asked, Session, SmtpClient
from ..real.postfix import PrivatePostfix
from ..tools.forging import Template
from .proxy import running, write_config

SETTINGS = {
    "smtp_tls_security_level": "may",
    "smtpd_tls_security_level": "none",
    "smtp_tls_session_cache_database": "btree:$data_directory/sessions",
}
MASTER_CF = """\
tlsmgr    unix  -  -  n  1000? 1 tlsmgr
tlsproxy  unix  -  -  n  -  0  tlsproxy
postlog   unix-dgram n - n  -  1  postlogd
"""
_AT_A_TIME = 4
_ATTEMPTS = 3

# Why ours may trust less. Each has its place in docs/compatibility.md.
MIXED_USAGES = "usage 2 beside usage 0 or 1, which smtp(8) drops, does not count"
COMPLETED_BY_PKIX_TA = "an issuer that is only in a record of usage 0 does not complete a chain"
VERSION_2 = "a certificate of version 2 can't be used with OpenSSL 4, nor below a bare key"
SELF_ISSUED = "OpenSSL 4 takes no self-issued certificate with a signature of another kind of key than its own"
BARE_KEY_STRENGTH = "the signature of a bare key must be as strong as any other"
UNREADABLE = "the extensions of a server's certificate that a bare key has signed must be readable"


@dataclass
class Compared:
    """Results of the C program and of ours for an attack: peer statuses, None where there was no session."""

    attack: Attack
    theirs: int | None
    ours: int | None

    @property
    def worse(self) -> bool:
        """True if ours trusts where the C program does not."""
        return bool((self.ours or 0) & ~(self.theirs or 0))

    @property
    def less(self) -> bool:
        """True if ours trusts less."""
        return not self.worse and self.ours != self.theirs

    @property
    def reason(self) -> str | None:
        """Why ours trusts less, if that is known."""
        usages = {usage for usage, *_ in self.attack.records}
        flaws = {flaw.partition("@")[0] for flaw in self.attack.flaws}
        if any(each[:3] == (0, 0, 0) for each in self.attack.records):
            return COMPLETED_BY_PKIX_TA
        if 2 in usages and usages & {0, 1}:
            return MIXED_USAGES
        bare_key = any(each[:3] == (2, 1, 0) for each in self.attack.records)
        if "version-2" in flaws and (self.ours is None or bare_key):
            return VERSION_2
        if any(map(_contradicts_itself, self.attack.chain)):
            return SELF_ISSUED
        if bare_key and flaws & _WEAKNESSES:
            return BARE_KEY_STRENGTH
        if bare_key and set(self.attack.flaws) & _UNREADABLE:
            return UNREADABLE
        return None

    def __str__(self) -> str:
        asked = self.attack.asked
        records = [each[:3] for each in self.attack.records]
        before = f" after {self.attack.before.level}" if self.attack.before else ""
        return f"C {self.theirs}, ours {self.ours}: {self.attack.label} {list(asked.match)} {records}{before}"


def _contradicts_itself(certificate: Template) -> bool:
    kinds = {each.kind.startswith("rsa") for each in (certificate.signer, certificate.key)}
    contradicts = len(kinds) > 1 or certificate.inner_algorithm is not None
    return certificate.issuer == certificate.subject and contradicts


_WEAKNESSES = {"digest-sha1", "key-rsa512", "key-rsa768"}
_UNREADABLE = {"name-address-short@0", "name-latin@0", "path-length-negative@0", "path-length-without-authority@0"}


class Rivals:
    """Both daemons, with one tlsmgr(8)."""

    def __init__(self, theirs: SmtpClient, ours: SmtpClient) -> None:
        self._theirs = theirs
        self._ours = ours
        self._numbers = itertools.count()

    def compare(self, attacks: Iterable[Attack]) -> Iterator[Compared]:
        """Play attacks, several at a time. One that no TLS server can play is left out."""
        with ThreadPoolExecutor(_AT_A_TIME) as threads:
            for compared in threads.map(self._play, attacks):
                if compared is not None:
                    yield compared

    def _play(self, attack: Attack) -> Compared | None:
        server = server_of(attack)
        if server is None:
            return None
        theirs = self._ask(self._theirs, server, attack)
        if theirs.reused:
            # It has kept an old verdict, whose names may have been others (tls_client(3)); ours was made for this.
            theirs = self._ask(self._theirs, server, attack, again=True)
        return Compared(attack, _status(theirs), _status(self._ask(self._ours, server, attack)))

    def _ask(self, client: SmtpClient, server: SSLContext, attack: Attack, *, again: bool = False) -> Session:
        serverid = f"smtp&{next(self._numbers)}&"
        if attack.before is not None and not again:
            self._session(client, server, attack.before, serverid)
        return self._session(client, server, attack.asked, serverid)

    def _session(self, client: SmtpClient, server: SSLContext, asked: Asked, serverid: str) -> Session:
        asked.start = {"serverid": serverid}
        for attempt in range(_ATTEMPTS):
            try:
                return client.session(server, asked)
            except (AssertionError, OSError):  # one process for all sessions: another one has ended it
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError


def _status(session: Session) -> int | None:
    return None if session.context is None else int(session.context["peer_status"])


@contextmanager
def rivals(directory: Path) -> Iterator[Rivals]:
    """Start both, in a directory that all users can reach."""
    postfix = PrivatePostfix(directory / "postfix", SETTINGS, MASTER_CF)
    own = directory / "ours"
    write_config(own, SETTINGS | {"queue_directory": str(postfix.queue)}, certificate=False)
    with postfix, running(own, "--workers", "1", user=("--user", "postfix")) as proxy:
        theirs = SmtpClient(postfix.queue / "private" / "tlsproxy", postfix.conf)
        yield Rivals(theirs, SmtpClient(proxy.socket, own))


def totals(compared: Iterable[Compared]) -> Counter[str]:
    """Count outcomes."""
    count: Counter[str] = Counter()
    for each in compared:
        outcome = "worse" if each.worse else (each.reason or "less, unexplained") if each.less else "same"
        count[outcome] += 1
        if not each.less and not each.worse:
            count[f"same: {each.theirs}"] += 1
    return count
