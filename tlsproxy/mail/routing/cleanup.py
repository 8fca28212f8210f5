"""Envelopes: the sender and recipients that cleanup(8) writes to the queue.

Each address is rewritten, mapped by the canonical tables and masqueraded; recipients are expanded by virtual aliases,
and the BCC tables add others.
"""

from __future__ import annotations

from typing import NamedTuple

from postconf import ConfigError

from ..addresses import fold, quoted, unquoted
from ..decisions import Decision
from ..tables import Found, MapList, TableLookupError
from ..view import MailView
from .mapping import AddressMapper, ExpansionError
from .rewriting import Rewriter

_MAILER_DAEMON = "MAILER-DAEMON"
_CLASSES = ("envelope_sender", "envelope_recipient", "header_sender", "header_recipient")
_PROPAGATING = ("canonical", "virtual", "alias", "forward", "include", "generic")
_SENDER, _RECIPIENT = "envelope_sender", "envelope_recipient"


class MessageRejection(NamedTuple):
    """A message that cleanup(8) does not take, with the reply of smtpd(8) to the end of data."""

    code: int
    text: str
    """With the enhanced status code."""
    error: TableLookupError | ExpansionError
    """The table that failed, or the limit."""


class Envelope(NamedTuple):
    """The sender and recipients that are written to the queue."""

    sender: str
    recipients: tuple[str, ...]
    """In the order of the queue file, internal form. An address is there twice for two original recipients."""
    refusal: MessageRejection | None
    """None if the message is taken; else there are no recipients."""
    decisions: tuple[Decision, ...]
    """The steps that made each address, in their order."""


class Cleanup:
    """Makes envelopes by the settings of a view."""

    def __init__(self, view: MailView, rewriter: Rewriter | None = None) -> None:
        """Open the tables; raise `ConfigError` for a setting that stops cleanup(8)."""
        self.view = view
        self.rewriter = rewriter or Rewriter(view)
        self.mapper = AddressMapper(view, self.rewriter)
        self.masquerading = Masquerading(view)
        propagated = _mask(view, "propagate_unmatched_extensions", _PROPAGATING)
        self.propagate_canonical = "canonical" in propagated
        self.propagate_virtual = "virtual" in propagated
        self.aliases = view.maps("virtual_alias_maps")
        self.sender_bcc = view.maps("sender_bcc_maps")
        self.recipient_bcc = view.maps("recipient_bcc_maps")
        self.always_bcc = view.text("always_bcc")
        self.by_original = view.yes("enable_original_recipient")
        self.empty_recipient = view.text("empty_address_recipient")
        self._canonical = {
            _SENDER: self._canonical_maps(_SENDER, "sender_canonical"),
            _RECIPIENT: self._canonical_maps(_RECIPIENT, "recipient_canonical"),
        }

    def _canonical_maps(self, role: str, own: str) -> list[MapList]:
        """Return the canonical tables for addresses in a role: those for that role only come first."""
        found = []
        for name in (own, "canonical"):
            maps = self.view.maps(f"{name}_maps")
            if maps and role in _mask(self.view, f"{name}_classes", _CLASSES):
                found.append(maps)
        return found

    def envelope(self, sender: str, *recipients: str, mappings: bool = True) -> Envelope:
        """Return the envelope of a message; sender and recipients are in internal form.

        `mappings`: False with receive_override_options = no_address_mappings: then addresses are only rewritten.
        """
        return _Message(self, mappings).envelope(sender, recipients)

    def canonical(self, address: str, role: str, decisions: list[Decision]) -> str:
        """Map and masquerade an address that has been rewritten; raise `TableLookupError`."""
        for maps in self._canonical[role]:
            parameter = maps.parameter

            def note(_before: str, after: str, found: Found, parameter: str = parameter) -> None:
                decisions.append(Decision(role, after, parameter, self.view.view, found))

            address = self.mapper.map_once(maps, address, propagate=self.propagate_canonical, note=note)
        if role in self.masquerading.classes:
            masked = self.masquerading.apply(address)
            if masked != address:
                decisions.append(Decision(role, masked, "masquerade_domains", self.view.view, None))
            address = masked
        return address


class Masquerading:
    """Hides the subdomains of masquerade_domains."""

    def __init__(self, view: MailView) -> None:
        self._view = view
        self._domains = view.words("masquerade_domains")
        self._exceptions = view.strings("masquerade_exceptions")
        classes = _mask(view, "masquerade_classes", _CLASSES)
        self.classes = classes if self._domains else frozenset()
        """The kinds of addresses that are masqueraded."""

    def apply(self, address: str) -> str:
        """Return the address with the domain that hides its own; raise `TableLookupError`."""
        local, at, own = quoted(address).rpartition("@")
        if not at or (self._exceptions and self._exceptions.match(local)):
            return address
        own = self._folded(own)
        for word in self._domains:
            name = word.lstrip("!")
            domain = self._folded(name)
            if domain and own == domain:
                break
            if domain and own.endswith(f".{domain}"):
                is_hidden = (len(word) - len(name)) % 2 == 0
                return unquoted(f"{local}@{domain}") if is_hidden else address
        return address

    def _folded(self, domain: str) -> str:
        return fold(domain, utf8=self._view.smtputf8)


class _Message:
    """One message on its way through cleanup(8)."""

    def __init__(self, cleanup: Cleanup, mappings: bool) -> None:
        self._cleanup = cleanup
        self._mappings = mappings
        self._view = cleanup.view
        self._recipients: list[str] = []
        self._written: set[tuple[str, str, str]] = set()
        self._decisions: list[Decision] = []
        self._refusal: MessageRejection | None = None

    def envelope(self, sender: str, recipients: tuple[str, ...]) -> Envelope:
        sender = self._sender(sender)
        for recipient in recipients:
            self._recipient(recipient)
        if self._mappings and recipients and self._cleanup.always_bcc:
            self._decide("bcc", self._cleanup.always_bcc, "always_bcc", None)
            self._bcc(self._cleanup.always_bcc)
        written = () if self._refusal else tuple(self._recipients)
        return Envelope(sender, written, self._refusal, tuple(self._decisions))

    def _sender(self, address: str) -> str:
        sender = self._clean(address, _SENDER)
        if self._mappings and sender:
            self._bcc_by("sender_bcc_maps", sender)
        return sender

    def _recipient(self, address: str) -> None:
        recipient = self._clean(address or self._cleanup.empty_recipient, _RECIPIENT)
        self._write(recipient, f"rfc822;{recipient}", address)
        if self._mappings and recipient:
            self._bcc_by("recipient_bcc_maps", recipient)

    def _clean(self, address: str, role: str) -> str:
        """Rewrite, map and masquerade an address."""
        cleaned = self._cleanup.rewriter.internal(address)
        if role == _SENDER and self._is_mailer_daemon(cleaned):
            cleaned = ""
        if cleaned != address:
            self._decide(role, cleaned, "myorigin", None)
        if not self._mappings:
            return cleaned
        try:
            return self._cleanup.canonical(cleaned, role, self._decisions)
        except TableLookupError as failure:
            self._refuse(failure)
            return cleaned

    def _is_mailer_daemon(self, address: str) -> bool:
        """Return True for the local MAILER-DAEMON, which sends with the null address."""
        if not address.lower().startswith(f"{_MAILER_DAEMON.lower()}@"):
            return False
        return self._folded(address) == self._folded(self._cleanup.rewriter.internal(_MAILER_DAEMON))

    def _bcc_by(self, parameter: str, address: str) -> None:
        maps = self._cleanup.sender_bcc if parameter == "sender_bcc_maps" else self._cleanup.recipient_bcc
        try:
            answer = self._view.addresses.find(maps, address)
        except TableLookupError as failure:
            self._refuse(failure)
            return
        if answer is not None:
            bcc = unquoted(answer.found.value)
            self._decide("bcc", bcc, parameter, answer.found)
            self._bcc(bcc)

    def _bcc(self, address: str) -> None:
        recipient = self._clean(address, _RECIPIENT)
        self._write(recipient, "", recipient)

    def _write(self, recipient: str, dsn_original: str, original: str) -> None:
        """Write the addresses that a recipient expands to, each once for the same original recipient."""
        for each in self._expanded(recipient):
            key = (dsn_original, original, each) if self._cleanup.by_original else ("", "", each)
            folded = (self._folded(key[0]), self._folded(key[1]), self._folded(key[2]))
            if folded not in self._written:
                self._written.add(folded)
                self._recipients.append(each)

    def _expanded(self, recipient: str) -> list[str]:
        if not self._mappings or not self._cleanup.aliases:
            return [recipient]

        def note(_before: str, after: str, found: Found) -> None:
            self._decide("recipient", after, "virtual_alias_maps", found)

        try:
            propagate = self._cleanup.propagate_virtual
            return self._cleanup.mapper.expand(self._cleanup.aliases, recipient, propagate=propagate, note=note)
        except (TableLookupError, ExpansionError) as failure:
            self._refuse(failure)
            return [recipient]

    def _refuse(self, error: TableLookupError | ExpansionError) -> None:
        """Keep the worst refusal: too many aliases come before tables that fail (cleanup_strerror(3))."""
        if isinstance(error, ExpansionError):
            if self._refusal is None or not isinstance(self._refusal.error, ExpansionError):
                self._refusal = MessageRejection(451, "4.6.0 Alias expansion error", error)
        elif self._refusal is None:
            self._refusal = MessageRejection(451, "4.3.0 Error: queue file write error", error)

    def _decide(self, subject: str, value: str, parameter: str, found: Found | None) -> None:
        self._decisions.append(Decision(subject, value, parameter, self._view.view, found))

    def _folded(self, text: str) -> str:
        return fold(text, utf8=self._view.smtputf8)


def _mask(view: MailView, parameter: str, allowed: tuple[str, ...]) -> frozenset[str]:
    """Return the words of a parameter; raise `ConfigError` for one that is not allowed."""
    for word in view.words(parameter):
        if word not in allowed:
            message = f'unknown {parameter} value "{word}" in "{view.text(parameter)}"'
            raise ConfigError(message, view.place(parameter), f"specify some of {', '.join(allowed)}")
    return frozenset(view.words(parameter))
