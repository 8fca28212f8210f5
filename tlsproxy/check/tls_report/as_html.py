"""The report as one page, without scripts and without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from ..reports.text import printable
from .as_text import certificate_text, grouped, meaning, merged
from .offers.offer import Offer

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
body { color: #1b1b1b; background: #fff; } h1 { font-size: 1.5rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .2rem; border-top: 1px solid #ccc; padding-top: 1rem; }
p.mail { margin: .2rem 0 .8rem; } table { border-collapse: collapse; width: 100%; }
th { text-align: left; vertical-align: top; font-weight: 600; width: 10rem; padding: .25rem 1rem .25rem 0; }
td { padding: .25rem 0; overflow-wrap: anywhere; } code { font: 13px/1.5 ui-monospace, monospace; }
code { white-space: nowrap; margin-right: .7em; }
.none { color: #a40000; font-weight: 600; } .warning td { color: #8a4b00; }
summary { cursor: pointer; }
@media print { details::details-content { content-visibility: visible; } }
table.overview { margin: 1.2rem 0; } table.overview th, table.overview td { width: auto; padding: .2rem 1rem .2rem 0; }
table.overview thead th { border-bottom: 1px solid #ccc; } a { color: inherit; }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #161616; } h2 { border-color: #444; }
.none { color: #ff8a80; } .warning td { color: #ffb74d; } }
"""


_SHOWN = 20
"""Ciphers of a list that is open at first."""


def as_html(library: str, offers: Sequence[Offer]) -> str:
    """Return the report as a page."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>TLS report</title><style>{_STYLE}</style></head><body>",
        f"<h1>TLS report</h1><p>For {_text(library)}.</p>",
    ]
    services = merged(offers)
    if services:
        parts += _overview(services)
    for number, (names, offer) in enumerate(services):
        parts += _service(number, names, offer)
    if not offers:
        parts.append("<p>No service speaks TLS.</p>")
    parts.append("</body></html>")
    return "\n".join(parts) + "\n"


def _overview(services: Sequence[tuple[list[str], Offer]]) -> Iterator[str]:
    labels = ("service", "role", "level", "protocols", "ciphers", "certificates")
    yield '<table class="overview"><thead><tr>' + "".join(f"<th>{each}</th>" for each in labels) + "</tr></thead>"
    for number, (names, offer) in enumerate(services):
        protocols = _text(", ".join(offer.protocols)) or '<span class="none">none</span>'
        count = len({name for ciphers in offer.ciphers.values() for name in ciphers})
        keys = ", ".join(dict.fromkeys(f"{each.algorithm} {each.bits}" for each in offer.certificates)) or "none"
        cells = (offer.role, _text(offer.level), protocols, str(count), _text(keys))
        link = f'<a href="#s{number}">{_text(", ".join(names))}</a>'
        yield f"<tr><td>{link}</td>" + "".join(f"<td>{each}</td>" for each in cells) + "</tr>"
    yield "</table>"


def _service(number: int, names: Sequence[str], offer: Offer) -> Iterator[str]:
    yield f'<h2 id="s{number}">{_text(", ".join(names))}: {offer.role}, level {_text(offer.level)}</h2>'
    yield f'<p class="mail">{_text(meaning(offer))}</p><table>'
    yield _row("protocols", _text(", ".join(offer.protocols)) if offer.protocols else '<span class="none">none</span>')
    for versions, ciphers in grouped(offer.ciphers):
        count = f"{len(ciphers)} cipher{'s' if len(ciphers) > 1 else ''}"
        is_open = " open" if len(ciphers) <= _SHOWN else ""
        yield _row(", ".join(versions), f"<details{is_open}><summary>{count}</summary>{_codes(ciphers)}</details>")
    if offer.ciphers and offer.role == "server":
        yield _row("order", "the server’s" if offer.prefers else "the client’s")
    if offer.groups:
        yield _row("groups", _codes(offer.groups))
    if offer.dh_bits:
        yield _row("finite field", f"{offer.dh_bits} bits up to TLSv1.2")
    if offer.signatures:
        yield _row("signatures", _codes(offer.signatures))
    for each in offer.certificates:
        yield _row("certificate", _text(certificate_text(each)))
    if offer.role == "server":
        yield _row("client certificate", offer.client_certificate)
    yield _row("resumption", _text(", ".join(offer.resumption) or "none"))
    for problem in offer.problems:
        yield _row("warning", _text(problem), kind="warning")
    places = (f"<code>{_text(parameter)}</code> {_text(place)}" for parameter, place in offer.origins.items())
    yield _row("set", "<br>".join(places) or "nothing: all settings are defaults")
    yield "</table>"


def _row(label: str, content: str, kind: str = "") -> str:
    return f"<tr{f' class={kind}' if kind else ''}><th>{_text(label)}</th><td>{content}</td></tr>"


def _codes(names: Sequence[str]) -> str:
    return " ".join(f"<code>{_text(each)}</code>" for each in names)


def _text(text: str) -> str:
    return escape(printable(text))
