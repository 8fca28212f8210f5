"""Settings of the server role: from main.cf to the form that requests of Postfix 3.12 have, and from there to types.

Contexts are made from an INIT, sessions from a START, whether a request has brought them or our own configuration. Here
are the only names of parameters of this role; no module behind this one interprets values again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from postconf import View
from postconf.models import TlsGlobals, TlsServer, TlsSettings
from postconf.models.log_level import LogLevel, log_level
from postconf.values import LIST_SEPARATORS, Grade, ProtocolList, SecurityLevel, cipher_exclusions, words

from ...log import Log
from ...wire.messages import ServerInit, ServerSettings, ServerStart
from .ciphers import CipherList, cipher_list
from .errors import SettingsError
from .levels import server_level
from .parameters import CERTIFICATES, CHAIN_FILES, FILES, KEY_PAIRS, SERVER, CertificateFiles

DISABLED = "TLS server role is disabled with tlsproxy_tls_security_level or tlsproxy_use_tls"
DISABLED_LATER = "TLS server role is disabled by configuration"
NO_CERTIFICATE = "No server certs available. TLS can't be enabled"
_SSLV3 = frozenset({"sslv3", ">=sslv3", "<=sslv3"})
LEVEL_PARAMETER = f"{SERVER}loglevel"


class ServerContextSettings(NamedTuple):
    """The settings that all sessions with the same INIT have in common."""

    log_level: LogLevel
    log_parameter: str
    protocols: ProtocolList
    fingerprint_digest: str
    certificates: CertificateFiles
    CAfile: str
    CApath: str
    ask_ccert: bool
    """True if clients are asked for a certificate."""
    verifydepth: int
    always_issue_session_ids: bool
    dh_file: str

    @classmethod
    def of(cls, init: ServerInit, *, traces: bool) -> ServerContextSettings:
        """Read an INIT; `traces` as in `log_level`."""
        return cls(
            log_level=log_level(init.log_level, traces=traces),
            log_parameter=init.log_param,
            protocols=ProtocolList.of(init.protocols),
            fingerprint_digest=init.mdalg,
            certificates=CertificateFiles.of(init),
            CAfile=init.CAfile,
            CApath=init.CApath,
            ask_ccert=bool(init.ask_ccert),
            verifydepth=init.verifydepth,
            always_issue_session_ids=bool(init.set_sessid),
            dh_file=init.dh1024_param_file,
        )


class ServerVariant(NamedTuple):
    """The settings in which sessions with the same INIT may differ, as far as they concern the context."""

    ciphers: CipherList
    req_ccert: bool
    """True if clients are to be verified, so that weak keys don't count; a client without a certificate may go on."""
    service: str | None = None
    """Sessions are only resumed in the same service (Postfix 3.12 and later)."""

    @classmethod
    def of(cls, start: ServerStart, library: TlsGlobals, *, by_service: bool) -> ServerVariant:
        """Read a START; raise `CipherError`. `by_service`: True if sessions of services are kept apart."""
        ciphers = cipher_list(library, Grade.of(start.cipher_grade), cipher_exclusions(start.cipher_exclusions))
        return cls(ciphers, bool(start.requirecert), start.serverid if by_service else None)


def server_settings(settings: TlsSettings, log: Log) -> ServerSettings:
    """Return our own configuration in the form of a request; raise `SettingsError` where it offers no TLS."""
    server = settings.server
    enforce = _is_enforced(settings, log)
    init = _init(settings, enforce=enforce, log=log)
    exclusions = list(server.tlsproxy_tls_exclude_ciphers)
    if enforce:
        exclusions += server.tlsproxy_tls_mandatory_exclude_ciphers
    if init.ask_ccert:
        exclusions.append("aNULL")
    grade = server.tlsproxy_tls_mandatory_ciphers if enforce else server.tlsproxy_tls_ciphers
    start = ServerStart(
        log_param=init.log_param,
        log_level=init.log_level,
        timeout=0,
        enable_rpk=0,
        requirecert=int(enforce and server.tlsproxy_tls_req_ccert),
        serverid="",
        namaddr="",
        cipher_grade=grade.text,
        cipher_exclusions=" ".join(exclusions),
        mdalg=init.mdalg,
        trace_size_limit=0,
        trace_peer="",
    )
    return ServerSettings({}, init, start)


def _is_enforced(settings: TlsSettings, log: Log) -> bool:
    """Return True if TLS is required; raise `SettingsError` if it is not even offered."""
    configured = settings.server.tlsproxy_tls_security_level
    if configured is not None and configured > SecurityLevel.ENCRYPT:
        word = settings.view["tlsproxy_tls_security_level"]
        log.warning(f'tlsproxy_tls_security_level: unsupported TLS level "{word}", using "encrypt"')
    level = server_level(settings.server)
    if not level:
        # Since 3.11 Postfix logs this at each request.
        later = settings.view.config.release.since("3.11")
        raise SettingsError(DISABLED_LATER if later else DISABLED, "level")
    return level >= SecurityLevel.ENCRYPT


def _init(settings: TlsSettings, *, enforce: bool, log: Log) -> ServerInit:
    server, view = settings.server, settings.view
    files = {name: view[SERVER + name] for name in FILES}
    none = server.tlsproxy_tls_cert_file.lower() == "none"
    if none:
        files["cert_file"] = ""
    ask = server.tlsproxy_tls_ask_ccert or (enforce and server.tlsproxy_tls_req_ccert)
    _check_certificates(server, files, ask=ask, none=none, enforce=enforce, log=log)
    protocols = server.tlsproxy_tls_mandatory_protocols if enforce else server.tlsproxy_tls_protocols
    return ServerInit(
        log_param=LEVEL_PARAMETER,
        log_level=server.tlsproxy_tls_loglevel.text,
        verifydepth=server.tlsproxy_tls_ccert_verifydepth,
        cache_type="smtpd",
        set_sessid=int(server.tlsproxy_tls_always_issue_session_ids),
        protocols=protocols.text,
        eecdh_grade=server.tlsproxy_tls_eecdh_grade,
        dh1024_param_file=server.tlsproxy_tls_dh1024_param_file,
        dh512_param_file=server.tlsproxy_tls_dh512_param_file,
        ask_ccert=int(ask),
        mdalg=server.tlsproxy_tls_fingerprint_digest,
        **files,
    )


def _check_certificates(
    server: TlsServer, files: dict[str, str], *, ask: bool, none: bool, enforce: bool, log: Log
) -> None:
    """Warn of parameters without an effect; raise `SettingsError` where there is no certificate and should be one.

    `files` by the ends of their parameters' names; `none`: True if main.cf has `none` for a certificate.
    """
    chain_files = files[CHAIN_FILES]
    legacy = any(files[pair.certificate] for pair in KEY_PAIRS)
    if chain_files and legacy:
        rsa, dsa, ecdsa = (SERVER + name for name in CERTIFICATES)
        log.warning(
            f"Both {SERVER}{CHAIN_FILES} and one or more of the legacy  {rsa}, {ecdsa} or {dsa} are non-empty; "
            "the legacy  parameters will be ignored"
        )
    certified = bool(chain_files) or legacy
    if ask and not certified:
        log.warning("Need a server cert to request client certs")
    if server.tlsproxy_tls_req_ccert and not enforce:
        log.warning("Can't require client certs unless TLS is required")
    if not certified and (ask or not none):
        raise SettingsError(NO_CERTIFICATE, "certificates")


def unsupported(server: TlsServer, init: ServerInit, view: View) -> Iterator[str]:
    """Yield lines on settings that OpenSSL 4 or its Python binding can't follow, and the behaviour instead."""
    if _SSLV3.intersection(word.lower() for word in words(init.protocols, LIST_SEPARATORS + ":")):
        yield f'not supported: SSLv3, which the protocol list "{init.protocols}" names: OpenSSL 4 has none; remove it'
    if server.tlsproxy_tls_enable_rpk:
        yield "not supported: raw public keys (tlsproxy_tls_enable_rpk): clients get a certificate; nothing to be done"
    if view["smtpd_tls_session_cache_database"]:
        yield (
            "not used: smtpd_tls_session_cache_database: sessions are kept in this process, and clients resume with "
            "tickets; nothing to be done"
        )
