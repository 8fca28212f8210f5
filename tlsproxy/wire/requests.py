"""The other end of the protocol: writing of requests to tlsproxy(8), and reading of its replies. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from postconf import View
from postconf.values import boolean

from .attributes import AttributeReader, ProtocolError, Reading, write_list
from .dane import write_digests, write_records
from .messages import (
    INT_PARAMS,
    PARAMS,
    START_FIELDS,
    START_TEXTS,
    ClientSettings,
    ClientStart,
    Generation,
    Request,
    ServerSettings,
    TlsContext,
)

_Attribute = tuple[str, str | int | bytes]
_SINCE = {"tls_fast_shutdown_enable": "3.12", "tls_server_sni_maps": "3.12", "tls_trust_server_ccerts": "3.12"}
_UNTIL = {"tls_low_cipherlist": "3.8", "tls_export_cipherlist": "3.8"}
_OF_ONE_ROLE = {"tls_dane_digests": "client", "tls_server_sni_maps": "server", "tls_trust_server_ccerts": "server"}


def params(view: View, role: str) -> dict[str, str | int]:
    """Return the settings in a `client` or `server` request, which tlsproxy(8) compares with its own."""
    release = view.config.release
    found: dict[str, str | int] = {}
    for name in PARAMS:
        parameter = f"tls_{name}" if name.startswith("config_") else name
        sent = release.since(_SINCE.get(name, "3.4")) and not (name in _UNTIL and release.since(_UNTIL[name]))
        if sent and parameter in release.defaults and _OF_ONE_ROLE.get(name, role) == role:
            found[name] = _number(name, view[parameter]) if name in INT_PARAMS else view[parameter]
    return found


def _number(name: str, text: str) -> int:
    return int(text) if name == "tls_daemon_random_bytes" else int(boolean(name, text))


def write_request(request: Request) -> bytes:
    """Encode list 1."""
    return write_list(
        [
            ("remote_endpoint", request.remote_endpoint),
            ("flags", int(request.flags)),
            ("timeout", request.handshake_timeout),
            ("timeout", request.session_timeout),
            ("serverid", request.serverid),
        ]
    )


def write_client_settings(settings: ClientSettings) -> bytes:
    """Encode list 2 of a client-role request, in the form of its generation."""
    start = _client_start(settings.start, settings.generation)
    return write_list([*settings.params.items(), *settings.init._asdict().items(), *start])


def write_server_settings(settings: ServerSettings) -> bytes:
    """Encode list 2 of a server-role request (Postfix 3.12)."""
    return write_list([*settings.params.items(), *settings.init._asdict().items(), *settings.start._asdict().items()])


def _client_start(start: ClientStart, generation: Generation) -> Iterator[_Attribute]:
    if generation >= Generation.V3_12:
        yield from (("log_param", start.log_param), ("log_level", start.log_level))
    yield "timeout", start.timeout
    if generation >= Generation.V3_9:
        yield "enable_rpk", int(start.enable_rpk)
    yield "tls_level", start.tls_level
    for name in START_TEXTS:
        yield name, getattr(start, START_FIELDS.get(name, name))
    yield "argv_size", len(start.match)
    yield from (("argv_value", each) for each in start.match)
    yield "mdalg", start.mdalg
    yield from write_records(start.dane) if generation >= Generation.V3_6 else write_digests(start.dane, start.mdalg)
    if generation >= Generation.V3_10:
        yield "forced_failure_type", start.forced_failure_type
    if generation >= Generation.V3_12:
        yield from (("trace_size_limit", start.trace_size_limit), ("trace_peer", start.trace_peer))


def read_announcement(reader: AttributeReader) -> Reading[None]:
    """Read the server's announcement; raise `ProtocolError` if it is not tlsproxy(8)."""
    name = yield from reader.text("protocol")
    if name != "tlsproxy_protocol":
        raise ProtocolError(f"unexpected protocol {name} from {reader.source} (expecting: tlsproxy_protocol)")
    yield from reader.end_of_list()


def read_status(reader: AttributeReader) -> Reading[bool]:
    """Read the answer to a request: True if the role is available."""
    status = yield from reader.integer("status")
    yield from reader.end_of_list()
    return status == 1


def read_context(reader: AttributeReader) -> Reading[TlsContext]:
    """Read the context of a session, of any generation: unknown attributes are skipped, missing ones are empty."""
    context = TlsContext()
    kinds = {each.name: each.type for each in fields(context)}
    while name := (yield from reader.next_name()):
        if kinds.get(name) == "int":
            setattr(context, name, (yield from reader.integer(name)))
        else:
            text = yield from reader.text(name)
            if name in kinds:
                setattr(context, name, text)
    yield from reader.end_of_list()
    return context
