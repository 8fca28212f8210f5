"""Sessions to be traced, from the command line or from JSON, checked before anything is asked."""

from __future__ import annotations

import ipaddress
import json

from postconf.syntax.lines import encode

from ...errors import TlsproxyError
from ..access.smtp.facts import UNKNOWN, SmtpClient, SmtpSession, Tls
from ..addresses import is_domain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_RECIPIENTS = 10_000
MAX_LENGTH = 16 << 20
"""Bytes of a JSON object: room for `MAX_RECIPIENTS` of a usual length."""
_MAX_LENGTH = 2000
"""Bytes of a name or an address: smtpd(8) cuts commands at line_length_limit, 2048."""
_FIELDS = ("client", "client_name", "helo", "sasl_user", "sender", "recipients", "tls")


class RequestError(TlsproxyError, ValueError):
    """A session that can't be traced; the message names the part that is wrong."""


def make_session(
    client: str,
    sender: str,
    recipients: Sequence[str],
    *,
    client_name: str = "",
    helo: str | None = None,
    sasl_user: str = "",
    tls: Tls | None = None,
) -> SmtpSession:
    """Return a session; raise `RequestError` for an address of no client, or for text that no command can have."""
    _check("client name", client_name)
    facts = make_client(client, client_name)
    if helo is None:
        helo = facts.name if facts.name != UNKNOWN else _literal(facts.address)
    for what, text in (
        ("name in HELO", helo),
        ("login name", sasl_user),
        ("sender", sender),
        *(("recipient", each) for each in recipients),
    ):
        _check(what, text)
    if len(recipients) > MAX_RECIPIENTS:
        raise RequestError(f"{len(recipients)} recipients; at most {MAX_RECIPIENTS} are traced")
    return SmtpSession(facts, helo, sender, tuple(recipients), sasl_user, tls)


def make_client(address: str, name: str = "") -> SmtpClient:
    """Return a client by its address, in any notation, and its name; raise `RequestError`."""
    text = address[5:] if address[:5].lower() == "ipv6:" else address
    try:
        parsed = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        raise RequestError(f"client {address!r} is no IP address") from None
    if parsed.version == 6 and (parsed.scope_id or parsed.ipv4_mapped):
        parsed = parsed.ipv4_mapped or ipaddress.IPv6Address(parsed.packed)
    if name.lower() not in ("", UNKNOWN) and not is_domain(name, smtputf8=False):
        raise RequestError(f"client name {name!r} is no host name; a client without name is `unknown`")
    return SmtpClient.named(str(parsed), name)


def read_session(line: str) -> SmtpSession:
    """Read a session from a JSON object; raise `RequestError`."""
    if len(line) > MAX_LENGTH:
        raise RequestError(f"more than {MAX_LENGTH} bytes")
    try:
        record = json.loads(line)
    except ValueError as error:
        raise RequestError(f"no JSON: {error}") from None
    except RecursionError:
        raise RequestError("no JSON of a session: lists and objects are nested too deeply") from None
    if not isinstance(record, dict):
        raise RequestError("a session is a JSON object")
    for name in record:
        if name not in _FIELDS:
            raise RequestError(f"unknown field {name!r}; fields are {', '.join(_FIELDS)}")
    recipients = record.get("recipients", [])
    if not isinstance(recipients, list) or not all(isinstance(each, str) for each in recipients):
        raise RequestError("recipients is a list of strings")
    texts = {name: record.get(name) for name in ("client", "client_name", "helo", "sasl_user", "sender")}
    for name, value in texts.items():
        if value is not None and not isinstance(value, str):
            raise RequestError(f"{name} is a string")
    if not texts["client"]:
        raise RequestError("client is missing")
    return make_session(
        texts["client"],
        texts["sender"] or "",
        recipients,
        client_name=texts["client_name"] or "",
        helo=texts["helo"],
        sasl_user=texts["sasl_user"] or "",
        tls=read_tls(record.get("tls")),
    )


def read_tls(value: object) -> Tls | None:
    """Read a record's field on TLS: true, false, or the fingerprint of a certificate."""
    if value is None or value is False:
        return None
    if value is True:
        return Tls()
    if isinstance(value, str):
        return Tls(value, value)
    raise RequestError("tls is true, false or the fingerprint of a certificate")


def _literal(address: str) -> str:
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _check(what: str, text: str) -> None:
    for character in text:
        if character in "\r\n\0":
            raise RequestError(f"{what} {text!r} has a character that ends a command")
    try:
        size = len(encode(text))
    except UnicodeEncodeError:
        raise RequestError(f"{what} {text!r} has half a character (a surrogate), which no command can have") from None
    if size > _MAX_LENGTH:
        raise RequestError(f"{what} of {size} bytes; a command has room for {_MAX_LENGTH}")
