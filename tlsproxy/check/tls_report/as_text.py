"""The report for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from ..reports.text import printable
from .offers.offer import Offer, OfferedCertificate

_WIDTH = 100
_MEANING = {
    ("server", "may"): "STARTTLS is offered; mail also comes without TLS",
    ("server", "encrypt"): "mail comes with TLS only; certificates of clients decide nothing unless they are required",
    ("client", "may"): "TLS if the server offers it, without looking at its certificate; else, or if it fails, no TLS",
    ("client", "encrypt"): "mail is deferred without TLS; the certificate does not count",
    ("client", "dane"): "the certificate has to match TLSA records, where DNS has some that are secure; else as may",
    ("client", "dane-only"): "the certificate has to match TLSA records; without secure ones mail is deferred",
    ("client", "fingerprint"): "mail is deferred unless the certificate has a fingerprint that is listed",
    ("client", "verify"): "mail is deferred unless the certificate is trusted and has the name of the server",
    ("client", "secure"): "mail is deferred unless the certificate is trusted and has a name that DNS can't change",
}


def as_text(library: str, offers: Sequence[Offer], *, colour: bool = False) -> str:
    """Return the report; offers that differ in names only are shown once."""
    lines = [printable(library)]
    for names, offer in merged(offers):
        lines += ["", *_service(names, offer, colour=colour)]
    if not offers:
        lines += ["", "no service speaks TLS"]
    return "\n".join(lines) + "\n"


def merged(offers: Sequence[Offer]) -> list[tuple[list[str], Offer]]:
    """Return offers with the names of all services that make the same one."""
    found: dict[object, tuple[list[str], Offer]] = {}
    for each in offers:
        key = (
            *(each.role, each.level, each.protocols, tuple(each.ciphers.items()), each.groups, each.certificates),
            *(each.client_certificate, each.resumption, each.problems, tuple(each.origins.items())),
        )
        found.setdefault(key, ([], each))[0].append(each.service)
    return list(found.values())


def meaning(offer: Offer) -> str:
    """Return the meaning of a level for mail."""
    if offer.role == "server" and not offer.protocols:
        if offer.level == "encrypt":
            return "TLS is required and no handshake can succeed: no mail comes"
        return "no handshake can succeed: mail comes without TLS, from clients that try that"
    if offer.role == "client" and not offer.protocols:
        return "no handshake can succeed"
    return _MEANING.get((offer.role, offer.level), "")


def _service(names: Sequence[str], offer: Offer, *, colour: bool) -> Iterator[str]:
    title = printable(f"{', '.join(names)}: {offer.role}, level {offer.level}")
    yield f"\x1b[1m{title}\x1b[0m" if colour else title
    yield from _entry("mail", meaning(offer))
    yield from _entry("protocols", ", ".join(offer.protocols) or "none")
    for versions, ciphers in grouped(offer.ciphers):
        yield from _entry(", ".join(versions), " ".join(ciphers))
    if offer.ciphers and offer.role == "server":
        yield from _entry("order", "the server's" if offer.prefers else "the client's")
    if offer.groups:
        yield from _entry("groups", " ".join(offer.groups))
    if offer.dh_bits:
        yield from _entry("finite field", f"{offer.dh_bits} bits up to TLSv1.2")
    if offer.signatures:
        yield from _entry("signatures", " ".join(offer.signatures))
    for each in offer.certificates:
        yield from _entry("certificate", certificate_text(each))
    if offer.role == "server":
        yield from _entry(
            "client",
            {"none": "no certificate is asked for", "ask": "a certificate is asked for"}.get(
                offer.client_certificate, "a certificate is required"
            ),
        )
    yield from _entry("resumption", ", ".join(offer.resumption) or "none")
    for problem in offer.problems:
        yield from _entry("warning", problem)
    for parameter, place in offer.origins.items():
        yield from _entry("set", f"{parameter}  {place}")


def grouped(ciphers: Mapping[str, tuple[str, ...]]) -> list[tuple[list[str], tuple[str, ...]]]:
    """Return the ciphers with the versions that have the same ones."""
    found: dict[tuple[str, ...], list[str]] = {}
    for version, names in ciphers.items():
        found.setdefault(names, []).append(version)
    return [(versions, names) for names, versions in reversed(found.items())]


def certificate_text(each: OfferedCertificate) -> str:
    """Return a certificate in one line."""
    key = f"{each.algorithm} {each.bits}" + (f" ({each.curve})" if each.curve else "")
    if each.is_assumed:
        return f"{key}, assumed: the file is not read"
    for_name = f"for {each.server_name}: " if each.server_name else ""
    chain = f"; then {', '.join(each.chain)}" if each.chain else "; without an issuer"
    end = f", until {each.not_after:%Y-%m-%d}" if each.not_after else ""
    return f"{for_name}{key}, {' '.join(each.names) or 'no name'}{end}{chain}"


def _entry(label: str, text: str) -> Iterator[str]:
    lines = textwrap.wrap(printable(text), _WIDTH - 18, break_long_words=False, break_on_hyphens=False) or [""]
    yield f"  {label:15} {lines[0]}".rstrip()
    for line in lines[1:]:
        yield " " * 18 + line
