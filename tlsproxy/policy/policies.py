"""Decision of smtp(8) for a destination: the TLS level, and the certificates that it accepts.

This module queries tables, files and DNS; the other modules of the package interpret the answers. The result has
everything that tlsproxy(8) needs for a session.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self, TypeVar

from maps import Access, Flags, TableError, TableList, open_list
from postconf import View
from postconf.files.regular import read_regular
from postconf.syntax.lines import encode
from postconf.values import LIST_SEPARATORS, SecurityLevel, words

from ..hostnames import is_hostname
from ..log import StandardLog
from ..wire.dane import Dane, TlsaRecord
from . import dane
from .dane import DnsLookupError, Resolver
from .destination import Destination, DnsName
from .entry import PolicyEntry, parse_entry
from .errors import PolicyError, Where
from .per_site import merged, parse_site
from .records import TrustAnchorsError, fingerprints, trust_anchors
from .settings import PolicySettings

T = TypeVar("T")

TABLE_FLAGS = Flags.LOCK | Flags.FOLD_FIX | Flags.UTF8_REQUEST
_DANE_LEVELS = (SecurityLevel.DANE, SecurityLevel.DANE_ONLY)


@dataclass(frozen=True, slots=True)
class Policy:
    """TLS policy of a session, in the terms of tlsproxy(8). Texts are as in main.cf (postconf(5), smtp_tls_…).

    Levels are those of `postconf.values.SecurityLevel`.
    """

    level: SecurityLevel
    destination: Destination
    match: tuple[str, ...] = ()
    """Names, one of which the certificate must have; since Postfix 3.9, fingerprints at that level."""
    dane: Dane | None = None
    """TLSA records, fingerprints, or trust anchors in the same form."""
    protocols: str = ""
    cipher_grade: str = ""
    cipher_exclusions: str = ""
    servername: str = ""
    connection_reuse: bool = False
    enable_rpk: bool = False
    mx_patterns: tuple[str, ...] = ()
    """An MTA-STS policy's patterns of mail exchangers, if they are to be enforced."""
    forced_failure_type: str = ""
    """Forced failure of verification: the reason why an outside policy is not available."""

    def authorizes_mx(self, name: str) -> bool:
        """Return True if the policy allows this mail exchanger (RFC 8461, section 4.1)."""
        name = name.lower()
        first, dot, parent = name.partition(".")
        wildcard = f"*.{parent}" if first and dot and parent else None
        return not self.mx_patterns or any(each.lower() in (name, wildcard) for each in self.mx_patterns)


class Policies:
    """The policies of one delivery service. Lookups block: with asyncio, call `decide` in a thread."""

    def __init__(
        self,
        view: View,
        *,
        prefix: str = "smtp",
        resolver: Resolver | None = None,
        warn: Callable[[str], None] | None = None,
        flags: Flags = TABLE_FLAGS,
    ) -> None:
        """Read settings and open tables.

        `view`: the result of `postconf.load()`, or one of its services. `prefix`: `smtp` or `lmtp`. `resolver`: for the
        levels `dane` and `dane-only`, which need one; `tlsproxy.policy.resolver` has it. `warn`: receiver of Postfix's
        warnings, by default the logger `tlsproxy.policy`. `flags`: those of the tables.

        Raise `postconf.ConfigError` for an invalid setting, and `maps.TableError` for an invalid name of a table. A
        table that can't be opened causes a warning; then `decide` raises `PolicyError`.
        """
        self.settings = settings = PolicySettings.load(view, prefix)
        self._release = view.config.release
        self._resolver = resolver
        self._warn = warn = warn or StandardLog("tlsproxy.policy").warning
        access = Access(flags=flags, config=view, warn=warn, error=warn)
        self._maps: TableList | None = None
        self._per_site: TableList | None = None
        if settings.policy_maps:
            self._maps = open_list(settings.parameter("policy_maps"), settings.policy_maps, access)
            if settings.per_site:
                ignored, ruling = settings.parameter("per_site"), settings.parameter("policy_maps")
                warn(f"{ignored} ignored when {ruling} is not empty.")
        elif settings.per_site:
            self._per_site = open_list(settings.parameter("per_site"), settings.per_site, access)

    def decide(self, destination: Destination | str) -> Policy:
        """Return the policy for a destination, or for the text of a next hop.

        Raise `PolicyError` without a valid policy, and ValueError for a text that is no next hop.
        """
        if isinstance(destination, str):
            destination = Destination.parse(destination)
        try:
            return self._decide(destination)
        except PolicyError as error:
            if error.warning:
                self._warn(error.warning)
            raise

    def configured_level(self, destination: Destination) -> SecurityLevel:
        """Return the level of tables and settings, without the result of DNS for `dane`; raise `PolicyError`."""
        return self._entry(destination).level

    def close(self) -> None:
        """Close the tables."""
        for tables in (self._maps, self._per_site):
            if tables is not None:
                tables.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _decide(self, destination: Destination) -> Policy:
        entry = self._entry(destination)
        anchors = self._trust_anchors(entry.tafile)
        policy = Policy(entry.level, destination)
        if policy.level in _DANE_LEVELS:
            policy = self._with_dane(policy)
        if policy.level is SecurityLevel.NONE:
            return policy
        policy = with_settings(policy, entry, self.settings)
        match policy.level:
            case SecurityLevel.FINGERPRINT:
                return self._with_fingerprints(policy, entry)
            case SecurityLevel.VERIFY | SecurityLevel.SECURE:
                return self._with_names(policy, entry, anchors)
        return policy

    # The entries of the tables.

    def _entry(self, destination: Destination) -> PolicyEntry:
        """Return the entry of a table, or one that has only main.cf's level."""
        entry = None
        if self._maps is not None:
            entry = self._policy_entry(self._maps, destination.nexthop)
        elif self._per_site is not None and (level := self._site_level(self._per_site, destination)) is not None:
            entry = PolicyEntry(level)
        return entry or PolicyEntry(self.settings.level)

    def _policy_entry(self, tables: TableList, nexthop: str) -> PolicyEntry | None:
        """Look up a next hop; only for a bare domain also its parents, with a leading dot."""
        key: str | None = nexthop
        has_parents = self._is_domain(nexthop)
        while key:
            where = Where(tables.title, key)
            try:
                value = tables.find(encode(key))
            except TableError as error:
                raise where.error("policy table lookup error") from error
            if value is not None:
                entry = parse_entry(value, where, self._release)
                for text in entry.warnings:
                    self._warn(text)
                return entry
            dot = key.find(".", 1) if has_parents else -1
            key = key[dot:] if dot > 0 else None
        return None

    def _is_domain(self, name: str) -> bool:
        if name.isascii() or not self.settings.smtputf8:
            return is_hostname(name)
        from ..tls.verification.names import to_ascii

        ascii_name = to_ascii(name)
        return ascii_name.isascii() and is_hostname(ascii_name)

    def _site_level(self, tables: TableList, destination: Destination) -> SecurityLevel | None:
        level = self._one_site(tables, destination.nexthop, "next-hop destination")
        if destination.nexthop.casefold() != destination.host.name.casefold():
            level = merged(level, self._one_site(tables, destination.host.name, "server hostname"))
        # Tables have "may" for destinations in general.
        return max(level, self.settings.level) if level is SecurityLevel.MAY else level

    def _one_site(self, tables: TableList, key: str, role: str) -> SecurityLevel | None:
        where = Where(tables.title, key, role)
        try:
            value = tables.find(encode(key))
        except TableError as error:
            message = "per-site table lookup error"
            warning = f'{tables.title}: {role} "{key}": {message}'
            raise PolicyError(
                message, table=tables.title, key=key, warning=warning, status="4.3.0", reason="Temporary lookup error"
            ) from error
        return None if value is None else parse_site(value, where)

    # The parameters of main.cf.

    def _with_fingerprints(self, policy: Policy, entry: PolicyEntry) -> Policy:
        settings = self.settings
        records = entry.fingerprints
        if records is None:
            records = fingerprints(entry.match or (), self._warn)
        # Since Postfix 3.9, an invalid table entry is not replaced by the default.
        if not records and (entry.match is None or not self._release.since("3.9")):
            records = fingerprints(words(settings.fingerprint_cert_match), self._warn)
        if not records:
            message = "configured at fingerprint security level, but with no fingerprints to match."
            warning = f"nexthop domain {policy.destination.nexthop}: {message}"
            name = settings.parameter("fingerprint_cert_match")
            raise PolicyError(message, table=name, key=policy.destination.nexthop, warning=warning)
        match = entry.match if entry.match and self._release.since("3.9") else ()
        return replace(policy, match=match, dane=Dane("", records))

    def _with_names(self, policy: Policy, entry: PolicyEntry, anchors: tuple[TlsaRecord, ...]) -> Policy:
        settings = self.settings
        default = settings.verify_cert_match if policy.level is SecurityLevel.VERIFY else settings.secure_cert_match
        match = words(default, LIST_SEPARATORS + ":") if entry.match is None else entry.match
        patterns: tuple[str, ...] = ()
        sts = (entry.policy_type or "").lower() == "sts" and settings.enforce_sts_mx_patterns
        if sts and entry.match is not None and entry.mx_host_pattern:
            match, patterns = ("hostname",), entry.mx_host_pattern
        files = words(settings.trust_anchor_file)
        if not anchors and settings.trust_anchor_file:
            anchors = self._trust_anchors(files)
            if not files:
                raise PolicyError("there is no file in it", table=settings.parameter("trust_anchor_file"))
        # Files with other objects only have no anchors; smtp(8) logs that.
        records = Dane("", anchors) if entry.tafile or files else None
        return replace(policy, match=match, dane=records, mx_patterns=patterns)

    def _trust_anchors(self, files: tuple[str, ...]) -> tuple[TlsaRecord, ...]:
        anchors: tuple[TlsaRecord, ...] = ()
        for file in files:
            try:
                anchors = trust_anchors(read_regular(file)) + anchors
            except OSError as error:
                message = f"error opening trust anchor file: {file}: {error.strerror}"
                raise PolicyError(message, warning=message) from None
            except TrustAnchorsError as error:
                raise PolicyError(f"error reading trust anchor file: {file}: {error}") from None
        return anchors

    # The records of DNS.

    def _with_dane(self, policy: Policy) -> Policy:
        """Replace level `dane` or `dane-only` if it is not available."""
        destination, settings = policy.destination, self.settings
        shown = f"{destination.nexthop}: {policy.level.word} configured"
        if not destination.port:
            problem = 'the "dane" security level is invalid for delivery via unix-domain sockets'
            raise PolicyError(problem, key=destination.nexthop, warning=f"{destination.nexthop}: {problem}")
        if not settings.dnssec:
            return self._misconfigured(policy, f"{shown} with dnssec lookups disabled")
        if settings.ignore_mx_errors:
            return self._misconfigured(policy, f"{shown} with MX lookup errors ignored")
        if settings.completes_names:
            incompatible = f"dns resolver options incompatible with {policy.level.word} TLS"
            return self._misconfigured(policy, f"{destination.nexthop}: {incompatible}")
        if self._resolver is None:
            return self._misconfigured(policy, f"{shown}, but no requisite library support")
        mx = destination.mx
        insecure_mx = mx is not None and not mx.secure
        tolerated = policy.level is SecurityLevel.DANE and settings.insecure_mx_level > SecurityLevel.MAY
        if insecure_mx and not tolerated:
            return _without_dane(policy, "non DNSSEC destination")
        records = self._tlsa(self._resolver, destination)
        if records is None:
            return _without_dane(policy, "no TLSA records found")
        if not records.records:
            return _without_dane(policy, "TLSA records unusable", SecurityLevel.ENCRYPT)
        if insecure_mx and settings.insecure_mx_level is SecurityLevel.ENCRYPT:
            problem = "Verification not possible, MX RRset is insecure"
            return _without_dane(policy, problem, SecurityLevel.ENCRYPT)
        level = SecurityLevel.HALF_DANE if insecure_mx else policy.level
        return replace(policy, level=level, dane=records, match=_dane_names(records, mx))

    def _tlsa(self, resolver: Resolver, destination: Destination) -> Dane | None:
        force = self.settings.force_insecure_host_tlsa_lookup
        try:
            return dane.find(resolver, destination.host, destination.port, force=force, warn=self._warn)
        except DnsLookupError:
            problem = f"TLSA lookup error for {destination.host.name}:{destination.port}"
            raise PolicyError(problem, key=destination.nexthop, reason=problem) from None

    def _misconfigured(self, policy: Policy, problem: str) -> Policy:
        """Handle a local obstacle: `dane` is opportunistic even then, `dane-only` is not."""
        if policy.level is not SecurityLevel.DANE:
            raise PolicyError(problem, key=policy.destination.nexthop, warning=problem)
        self._warn(problem)
        return replace(policy, level=SecurityLevel.MAY)


def with_settings(policy: Policy, entry: PolicyEntry, settings: PolicySettings) -> Policy:
    """Return a policy with protocols, ciphers and name from an entry and main.cf; raise `PolicyError`."""
    mandatory = policy.level > SecurityLevel.MAY
    if entry.servername is None and settings.servername and not is_hostname(settings.servername):
        name = settings.parameter("servername")
        message = f'"{name} = {settings.servername}" specifies an invalid hostname'
        raise PolicyError(message, table=name, warning=message)
    exclusions = [settings.exclude_ciphers, settings.mandatory_exclude_ciphers if mandatory else ""]
    if entry.exclude is not None:
        exclusions = [entry.exclude]
    if mandatory:
        exclusions.append("eNULL" if policy.level is SecurityLevel.ENCRYPT else "aNULL")
    return replace(
        policy,
        protocols=_given(entry.protocols, settings.mandatory_protocols if mandatory else settings.protocols),
        cipher_grade=_given(entry.ciphers, settings.mandatory_ciphers if mandatory else settings.ciphers),
        cipher_exclusions=" ".join(each for each in exclusions if each),
        servername=_given(entry.servername, settings.servername),
        connection_reuse=_given(entry.connection_reuse, settings.connection_reuse),
        enable_rpk=_given(entry.enable_rpk, settings.enable_rpk),
        forced_failure_type=entry.policy_failure or "",
    )


def _without_dane(policy: Policy, problem: str, level: SecurityLevel = SecurityLevel.MAY) -> Policy:
    if policy.level is not SecurityLevel.DANE:
        raise PolicyError(problem, key=policy.destination.nexthop, reason=problem)
    return replace(policy, level=level)


def _dane_names(records: Dane, mx: DnsName | None) -> tuple[str, ...]:
    """Return the names, one of which a certificate from a trust anchor must have (RFC 7672, section 3.2.2)."""
    if mx is None:
        return (records.domain,)
    return (records.domain, mx.name) if mx.target == mx.name else (records.domain, mx.target, mx.name)


def _given(first: T | None, second: T) -> T:
    return second if first is None else first
