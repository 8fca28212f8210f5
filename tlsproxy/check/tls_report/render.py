"""The report as JSON, as text and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ... import json_text
from .offers.offer import Offer, OfferedCertificate


def render(format: str, library: str, offers: Sequence[Offer], *, colour: bool = False) -> str:
    """Return the report as text, json or html."""
    if format == "json":
        return as_json(library, offers)
    if format == "html":
        from .as_html import as_html

        return as_html(library, offers)
    from .as_text import as_text

    return as_text(library, offers, colour=colour)


def as_json(library: str, offers: Sequence[Offer]) -> str:
    """Return the report as one object."""
    return json_text.dumps({"openssl": library, "services": [_object(each) for each in offers]}, indent=2) + "\n"


def _object(offer: Offer) -> dict[str, object]:
    return {
        "service": offer.service,
        "role": offer.role,
        "level": offer.level,
        "protocols": list(offer.protocols),
        "ciphers": {version: list(names) for version, names in offer.ciphers.items()},
        "groups": list(offer.groups),
        "certificates": [_certificate(each) for each in offer.certificates],
        "client_certificate": offer.client_certificate,
        "resumption": list(offer.resumption),
        "origins": dict(offer.origins),
    }


def _certificate(each: OfferedCertificate) -> dict[str, object]:
    return {
        "server_name": each.server_name,
        "algorithm": each.algorithm,
        "bits": each.bits,
        "names": list(each.names),
        "not_after": moment(each.not_after) if each.not_after else None,
    }


def moment(time: datetime) -> str:
    """Return a time as in RFC 3339."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
