"""Messages between tlsproxy(8) and its clients, typed; one dialect for each protocol version of Postfix.

No I/O. Requests of Postfix 3.6 to 3.12 have different attributes. The attributes of a request identify its version, and
the reply has the same version. Only Postfix 3.5 has to be known from the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import IntEnum, IntFlag
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar, get_type_hints

from .attributes import AttributeReader, Reading, decode, write_list
from .dane import Dane, read_digests, read_records

T = TypeVar("T")

ANNOUNCEMENT = write_list([("protocol", "tlsproxy_protocol")])
"""First message of the server since Postfix 3.6."""


class Flag:
    """Bits of the flags attribute of a request (tls_proxy.h: TLS_PROXY_FLAG_*); plain numbers, as all sessions ask."""

    SERVER: Final = 1
    CLIENT: Final = 2
    SEND_CONTEXT: Final = 4
    PROBE_ONLY: Final = 8


class Generation(IntEnum):
    """A dialect, named after the first release that speaks it, but for the one of 3.4 and 3.5."""

    V3_5 = 305
    """The server sends no announcement before the request."""
    V3_6 = 306
    V3_9 = 309
    V3_10 = 310
    V3_12 = 312


class Request(NamedTuple):
    """The part that every request has (list 1). Times are in seconds."""

    remote_endpoint: str
    flags: int
    handshake_timeout: int
    session_timeout: int
    serverid: str


class ClientInit(NamedTuple):
    """Settings of an SSL context in the client role (TLS_CLIENT_INIT_PROPS). Empty text: not set."""

    log_param: str
    log_level: str
    verifydepth: int
    cache_type: str
    chain_files: str
    cert_file: str
    key_file: str
    dcert_file: str
    dkey_file: str
    eccert_file: str
    eckey_file: str
    CAfile: str
    CApath: str
    mdalg: str


class ClientStart(NamedTuple):
    """Settings of one session in the client role (TLS_CLIENT_START_PROPS)."""

    timeout: int
    tls_level: int
    nexthop: str
    host: str
    namaddr: str
    servername: str
    serverid: str
    helo: str
    protocols: str
    cipher_grade: str
    cipher_exclusions: str
    match: tuple[str, ...]
    mdalg: str
    dane: Dane | None
    enable_rpk: bool = False
    tlsrpt: bool = False
    forced_failure_type: str = ""
    log_param: str = ""
    log_level: str = ""
    trace_size_limit: int = 0
    trace_peer: str = ""


class ClientSettings(NamedTuple):
    """List 2 of a client-role request. `params` are compared with our own settings, in this order; none is applied."""

    generation: Generation
    params: dict[str, str | int]
    init: ClientInit
    start: ClientStart


class ServerInit(NamedTuple):
    """Settings of an SSL context in the server role (TLS_SERVER_INIT_PROPS, since Postfix 3.12)."""

    log_param: str
    log_level: str
    verifydepth: int
    cache_type: str
    set_sessid: int
    chain_files: str
    cert_file: str
    key_file: str
    dcert_file: str
    dkey_file: str
    eccert_file: str
    eckey_file: str
    CAfile: str
    CApath: str
    protocols: str
    eecdh_grade: str
    dh1024_param_file: str
    dh512_param_file: str
    ask_ccert: int
    mdalg: str


class ServerStart(NamedTuple):
    """Settings of one session in the server role (TLS_SERVER_START_PROPS, since Postfix 3.12)."""

    log_param: str
    log_level: str
    timeout: int
    enable_rpk: int
    requirecert: int
    serverid: str
    namaddr: str
    cipher_grade: str
    cipher_exclusions: str
    mdalg: str
    trace_size_limit: int
    trace_peer: str


class ServerSettings(NamedTuple):
    """List 2 of a server-role request; only Postfix 3.12 and later send one."""

    params: dict[str, str | int]
    init: ServerInit
    start: ServerStart


# The attributes of TLS_CLIENT_PARAMS and TLS_SERVER_PARAMS over all generations, in wire order. A release sends a
# subset; none sends them out of order.
PARAMS = (
    "config_file",
    "config_name",
    "tls_high_cipherlist",
    "tls_medium_cipherlist",
    "tls_low_cipherlist",
    "tls_export_cipherlist",
    "tls_null_cipherlist",
    "tls_eecdh_auto_curves",
    "tls_eecdh_strong_curve",
    "tls_eecdh_ultra_curve",
    "tls_ffdhe_auto_groups",
    "tls_disable_workarounds",
    "tls_ssl_options",
    "tls_dane_digests",
    "tlsmgr_service_name",
    "tls_session_ticket_cipher",
    "tls_daemon_random_bytes",
    "tls_append_default_CA",
    "tls_legacy_public_key_fingerprints",
    "tls_preempt_cipherlist",
    "tls_wildcard_matches_multiple_labels",
    "tls_server_sni_maps",
    "tls_fast_shutdown_enable",
    "tls_trust_server_ccerts",
)
_PARAMS_OF_SOME_RELEASES = frozenset(PARAMS) - {"tls_high_cipherlist", "tls_medium_cipherlist", "tls_null_cipherlist"}
INT_PARAMS = frozenset(
    {
        "tls_daemon_random_bytes",
        "tls_append_default_CA",
        "tls_legacy_public_key_fingerprints",
        "tls_preempt_cipherlist",
        "tls_wildcard_matches_multiple_labels",
        "tls_fast_shutdown_enable",
        "tls_trust_server_ccerts",
    }
)


_REQUEST = "remote_endpoint", "flags", "timeout", "timeout", "serverid"
_REQUEST_NUMBERS = frozenset({"flags", "timeout"})
START_TEXTS = (
    "nexthop",
    "host",
    "namaddr",
    "sni",
    "serverid",
    "helo",
    "protocols",
    "cipher_grade",
    "cipher_exclusions",
)
START_FIELDS = {"sni": "servername"}
"""Fields of a START that the wire has another name for, by that name."""


def read_request(reader: AttributeReader) -> Reading[Request]:
    """Read list 1."""
    found = yield from reader.several(_REQUEST, numbers=_REQUEST_NUMBERS)
    yield from reader.end_of_list()
    (_, remote_endpoint), (_, flags), (_, handshake_timeout), (_, session_timeout), (_, serverid) = found
    return Request(remote_endpoint, flags & 0xF, handshake_timeout, session_timeout, serverid)


def split_request(data: bytes) -> tuple[Request | None, bytes]:
    """Take list 1 from the bytes that begin with it, and return it with the rest.

    This is `read_request` for the usual case, three times as fast. In any other there is None, and all is the rest.
    """
    found = _WHOLE_REQUEST(data)
    if found is None:
        return None, data
    remote_endpoint, flags, handshake_timeout, session_timeout, serverid = found.groups()
    request = Request(
        decode(remote_endpoint), int(flags) & 0xF, int(handshake_timeout), int(session_timeout), decode(serverid)
    )
    return request, data[found.end() :]


_WHOLE_REQUEST = re.compile(
    b"remote_endpoint\0([^\0]*)\0flags\0([0-9]{1,9})\0timeout\0([0-9]{1,9})\0timeout\0([0-9]{1,9})\0"
    b"serverid\0([^\0]*)\0\0"
).match


def read_client_settings(reader: AttributeReader, *, announced: bool = True) -> Reading[ClientSettings]:
    """Read list 2 of a client-role request, of any generation; without an announcement, of 3.5 and before."""
    params = yield from _params(reader)
    init = yield from _structure(reader, ClientInit)
    generation = Generation.V3_6 if announced else Generation.V3_5
    start: dict[str, Any] = {}
    if (yield from reader.next_name()) == "log_param":
        generation = Generation.V3_12
        start["log_param"] = yield from reader.text("log_param")
        start["log_level"] = yield from reader.text("log_level")
    start["timeout"] = yield from reader.integer("timeout")
    if (yield from reader.next_name()) == "enable_rpk":
        generation = max(generation, Generation.V3_9)
        start["enable_rpk"] = (yield from reader.integer("enable_rpk")) != 0
    start["tls_level"] = yield from reader.integer("tls_level")
    texts = yield from reader.several(START_TEXTS)
    start |= {START_FIELDS.get(name, name): text for name, text in texts}
    start["match"] = yield from reader.argv()
    start["mdalg"] = yield from reader.text("mdalg")
    start["dane"] = yield from (read_records(reader) if announced else read_digests(reader, start["mdalg"]))
    if (yield from reader.next_name()) == "tlsrpt":  # only where Postfix was built with it
        start["tlsrpt"] = yield from _tlsrpt(reader)
    if (yield from reader.next_name()) == "forced_failure_type":
        generation = max(generation, Generation.V3_10)
        start["forced_failure_type"] = yield from reader.text("forced_failure_type")
    if generation is Generation.V3_12:
        start["trace_size_limit"] = yield from reader.integer("trace_size_limit")
        start["trace_peer"] = yield from reader.text("trace_peer")
    yield from reader.end_of_list()
    return ClientSettings(generation, params, init, ClientStart(**start))


def read_server_settings(reader: AttributeReader) -> Reading[ServerSettings]:
    """Read list 2 of a server-role request (Postfix 3.12)."""
    params = yield from _params(reader)
    init = yield from _structure(reader, ServerInit)
    start = yield from _structure(reader, ServerStart)
    yield from reader.end_of_list()
    return ServerSettings(params, init, start)


def _params(reader: AttributeReader) -> Reading[dict[str, str | int]]:
    return dict((yield from reader.several(PARAMS, numbers=INT_PARAMS, optional=_PARAMS_OF_SOME_RELEASES)))


def _structure(reader: AttributeReader, kind: Callable[..., T]) -> Reading[T]:
    """Read every field of a flat structure in its order; annotations mark the numbers."""
    names, numbers = _layout(kind)
    return kind(**dict((yield from reader.several(names, numbers=numbers))))


@cache
def _layout(kind: Callable[..., object]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the names of the fields, and those of the numbers among them."""
    kinds = get_type_hints(kind)
    return tuple(kinds), frozenset(name for name in kinds if kinds[name] is int)


def _tlsrpt(reader: AttributeReader) -> Reading[bool]:
    """Read the TLS reporting structure (RFC 8460). We send no reports: only that it was there is kept."""
    if not (yield from reader.integer("tlsrpt")):
        return False
    for name in ("rpt_socket_name", "rpt_policy_domain", "rpt_policy_string"):
        yield from reader.text(name)
    yield from reader.integer("tls_policy_type")
    yield from reader.argv()
    yield from reader.text("tls_policy_domain")
    yield from reader.argv()
    for name in ("snd_mta_addr", "rcv_mta_name", "rcv_mta_addr", "rcv_mta_ehlo"):
        yield from reader.text(name)
    yield from reader.integer("skip_reused_hs")
    yield from reader.integer("flags")
    return True


@cache
def status_reply(available: bool) -> bytes:
    """Encode the answer to a request: its status is 1 if the role is available."""
    return write_list([("status", int(available))])


class PeerStatus(IntFlag):
    """The bits of peer_status (tls.h: TLS_CERT_FLAG_*). MATCHED is the one that smtp(8) trusts."""

    PRESENT = 1
    TRUSTED = 4
    MATCHED = 8
    SECURED = 16
    RPK = 32


@dataclass(slots=True)
class TlsContext:
    """TLS context of a session, as returned to the local client (TLS_SESS_STATE); absent values are empty or 0."""

    peer_CN: str = ""
    """The common name in the peer's certificate, which is no proof of its identity."""
    issuer_CN: str = ""
    peer_fingerprint: str = ""
    """Of the peer's certificate, in hexadecimal with colons; the digest is that of the role's parameter."""
    peer_pubkey_fingerprint: str = ""
    level: int = field(default=0, metadata={"since": Generation.V3_6})
    """The level of the session (`postconf.values.SecurityLevel`), in the client role since Postfix 3.6."""
    peer_status: int = 0
    """Bits of `tlsproxy.wire.messages.PeerStatus`. Above `encrypt`, MATCHED is set if the server fits the policy."""
    cipher_protocol: str = ""
    """The TLS version: `TLSv1.3`."""
    cipher_name: str = ""
    cipher_usebits: int = 0
    """The bits of the cipher's key that are secret."""
    cipher_algbits: int = 0
    """The bits of the cipher's key."""
    key_exchange: str = ""
    """The group or method of the key exchange; like signatures, empty up to TLS 1.2."""
    key_exchange_curve: str = ""
    key_exchange_bits: int = 0
    ctos_rpk: int = field(default=0, metadata={"since": Generation.V3_9})
    """1 for a raw public key of the client (RFC 7250); the next field is the same for the server."""
    stoc_rpk: int = field(default=0, metadata={"since": Generation.V3_9})
    clnt_signature: str = ""
    clnt_signature_curve: str = ""
    clnt_signature_bits: int = 0
    clnt_signature_digest: str = ""
    srvr_signature: str = ""
    srvr_signature_curve: str = ""
    srvr_signature_bits: int = 0
    srvr_signature_digest: str = ""
    namaddr: str = ""
    """The peer's name and address in logs."""
    rpt_reported: int = field(default=0, metadata={"since": Generation.V3_10})
    trace_size_limit: int = field(default=0, metadata={"since": Generation.V3_12})

    def encode(self, generation: Generation) -> bytes:
        """Encode the list in the form that this generation of clients reads strictly."""
        return write_list([(name, getattr(self, name)) for name in _known_to(generation)])


@cache
def _known_to(generation: Generation) -> tuple[str, ...]:
    """Return the names of a context's fields that a generation knows."""
    return tuple(each.name for each in fields(TlsContext) if each.metadata.get("since", Generation.V3_5) <= generation)
