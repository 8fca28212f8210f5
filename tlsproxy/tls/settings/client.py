"""Settings of the client role: INIT from the parameters of the daemon, of smtp(8) or of lmtp(8), and its types.

Here are the only names of parameters of this role; no module behind this one interprets values again. The demands of a
START on the server's certificate are the matter of `tls.client.policy`.
"""

from __future__ import annotations

from typing import NamedTuple

from postconf import View
from postconf.models.log_level import LogLevel, log_level
from postconf.values import Protocols, SecurityLevel, integer, protocols

from ...wire.messages import ClientInit, ClientStart
from ..roles import SessionRefusedError
from .ciphers import CipherList
from .parameters import CLIENT, FILES, CertificateFiles

DANE_LEVELS = (SecurityLevel.HALF_DANE, SecurityLevel.DANE, SecurityLevel.DANE_ONLY)
_LOG_PARAMETER = "tlsproxy_client_loglevel_parameter"
"""Until Postfix 3.11, the setting with the parameter that warnings about the log level name."""


class ClientContextSettings(NamedTuple):
    """The settings that all sessions with the same INIT have in common."""

    log_level: LogLevel
    log_parameter: str
    fingerprint_digest: str
    certificates: CertificateFiles
    CAfile: str
    CApath: str
    verifydepth: int
    cache_type: str

    @classmethod
    def of(cls, init: ClientInit, *, traces: bool) -> ClientContextSettings:
        """Read an INIT; `traces` as in `log_level`."""
        return cls(
            log_level=log_level(init.log_level, traces=traces),
            log_parameter=init.log_param,
            fingerprint_digest=init.mdalg,
            certificates=CertificateFiles.of(init),
            CAfile=init.CAfile,
            CApath=init.CApath,
            verifydepth=init.verifydepth,
            cache_type=init.cache_type,
        )


class ClientVariant(NamedTuple):
    """The settings in which sessions with the same INIT may differ, as far as they concern the context."""

    ciphers: CipherList
    protocols: Protocols
    authenticate: bool
    """True if the server is to be verified, so that weak keys don't count."""


def client_init(view: View, prefix: str = CLIENT) -> ClientInit:
    """Return the INIT of the parameters with this prefix: tlsproxy_client_…, smtp_tls_… or lmtp_tls_….

    Raises `InvalidValueError` for a bad number.
    """
    release = view.config.release
    if prefix == CLIENT:
        cache_type = "smtp"
        log_param = view[_LOG_PARAMETER] if _LOG_PARAMETER in release.defaults else f"{cache_type}_tls_loglevel"
    else:
        cache_type, log_param = prefix.partition("_")[0], f"{prefix}loglevel"
    depth = f"{prefix}scert_verifydepth"
    return ClientInit(
        log_param=log_param,
        log_level=view[f"{prefix}loglevel"],
        verifydepth=integer(release.parameter(depth), view[depth]),
        cache_type=cache_type,
        mdalg=view[f"{prefix}fingerprint_digest"],
        **{name: view[prefix + name] for name in FILES},
    )


def level_of(start: ClientStart) -> SecurityLevel:
    """Return the level of a request; raise `SessionRefusedError` for an unknown one."""
    try:
        return SecurityLevel(start.tls_level)
    except ValueError:
        raise SessionRefusedError(f"{start.namaddr}: unknown TLS security level {start.tls_level}") from None


def allowed_protocols(start: ClientStart) -> Protocols:
    """Return the protocols of a session; raise `SessionRefusedError`."""
    allowed = protocols(start.protocols)
    if allowed is None:
        raise SessionRefusedError(
            f'{start.namaddr}: Invalid TLS protocol list "{start.protocols}": aborting TLS session'
        )
    if level_of(start) in DANE_LEVELS:
        return Protocols(allowed.excluded | {"SSLv3"}, allowed.minimum, allowed.maximum)
    return allowed
