"""SSL contexts: the parts that both roles have in common."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from OpenSSL import SSL

from postconf.files.regular import is_refused, read_regular
from postconf.models import TlsGlobals
from postconf.syntax.lines import encode
from postconf.values import Protocols

from ..log import Log
from .openssl import binding, peers
from .settings import library_config
from .settings.ciphers import CipherList
from .settings.digests import Fingerprints, digest_by_name
from .settings.errors import CipherError, SettingsError, TrustError
from .settings.options import protocol_options

_LOWEST_SECURITY = b"ALL:@SECLEVEL=0"
"""Postfix's own security level; the library's default (2) refuses the keys and ciphers of old mail servers. It must be
in force before certificates are loaded, and stays in force when the real list follows."""


def log_error(error: SettingsError, log: Log) -> None:
    """Log why something can't be used, with OpenSSL's reasons behind it."""
    (log.info if isinstance(error, TrustError) else log.warning)(str(error))
    binding.log_errors(log)
    for line in error.reasons:
        log.warning(line)


def require_library(library: TlsGlobals) -> None:
    """Raise `SettingsError` where OpenSSL's own configuration is one for which Postfix turns TLS off."""
    if complaint := library_config.problem(library):
        if library.tls_config_file.startswith("/"):
            binding.is_readable(library.tls_config_file)  # for the reason
        raise SettingsError(complaint, "tls_config_file", library_config.reasons(library))


def require_digest(name: str, log: Log) -> Fingerprints:
    """Return the fingerprints of a digest algorithm; raise `SettingsError` for one that OpenSSL does not know."""
    digest = digest_by_name(name)
    if digest is None:
        log.warning(f'Digest algorithm "{name}" not found')
        raise SettingsError("disabling TLS support", "mdalg")
    return Fingerprints(name, digest)


def log_failed_renewal(error: SettingsError, log: Log) -> None:
    """Log the reason of a failed renewal, without Postfix's text for a start, which reports that TLS is disabled."""
    reason = str(error).removesuffix("disabling TLS support").rstrip(" :,") or "a setting can't be used"
    log.warning(f"renewal failed: {reason}: keeping the previous keys and certificates; correct the file")
    binding.log_errors(log)


def bare_context() -> SSL.Context:
    """Make a context that knows of no policy yet."""
    context = SSL.Context(SSL.TLS_METHOD)
    binding.tune(context)
    context.set_cipher_list(_LOWEST_SECURITY)
    return context


def limit_protocols(context: SSL.Context, protocols: Protocols) -> list[tuple[str, int]]:
    """Leave a context the protocols that a list allows; return the limits (minimum, maximum) that OpenSSL refuses."""
    context.set_options(protocol_options(protocols))
    # Without a limit this forgets those of OpenSSL's own configuration. OpenSSL 4 has no SSLv3 to begin with, and
    # refuses it as a limit.
    minimum = 0 if protocols.minimum == SSL.SSL3_VERSION else protocols.minimum
    refused = []
    try:
        context.set_min_proto_version(minimum)
    except SSL.Error:
        refused.append(("minimum", minimum))
    try:
        context.set_max_proto_version(protocols.maximum)
    except SSL.Error:
        refused.append(("maximum", protocols.maximum))
    binding.clear_errors()
    return refused


_NEVER = ":!SEED:!IDEA"
"""Ciphers that the OpenSSL of distributions does not have, and that of our binding has."""


def use_ciphers(context: SSL.Context, ciphers: CipherList, *, authenticate: bool) -> None:
    """Give a context its cipher list, once its certificates are loaded; raise `CipherError`.

    `authenticate`: the peer is to be verified, for which Postfix wants 80 bits of security (level 1) and more.
    """
    wanted = f"{ciphers.text}{_NEVER}{':@SECLEVEL=1' if authenticate else ''}"
    try:
        context.set_cipher_list(encode(wanted))
    except SSL.Error:
        problem = f'error setting cipher grade: "{ciphers.grade}"'
        raise CipherError(problem, f"tls_{ciphers.grade.lower()}_cipherlist") from None


def trusting_context(library: TlsGlobals, file: str, directory: str) -> SSL.Context | None:
    """Make a context whose only purpose is to hold trusted authorities, for others to share; raise `TrustError`.

    None if no authority is trusted.
    """
    if not file and not directory:
        return None
    context = SSL.Context(SSL.TLS_METHOD)
    if is_refused(file) or not peers.trust_locations(context, file, directory):
        shown = ", ".join(f'{name}="{value}"' for name, value in (("CAfile", file), ("CApath", directory)) if value)
        message = f"cannot load Certification Authority data, {shown}: disabling TLS support"
        raise TrustError(message, "CAfile" if file else "CApath")
    if library.tls_append_default_CA:
        peers.trust_system(context)
    return context


@cache
def _built_in() -> bytes:
    return Path(__file__).with_name("dh2048.pem").read_bytes()


class DhParameters:
    """Finite-field Diffie-Hellman parameters for TLS 1.2 and below, out of a file, or built in.

    OpenSSL's automatic choice is not bound; it chooses the 2048-bit group of RFC 3526 for most keys.
    """

    def __init__(self, file: str, log: Log) -> None:
        self._text = b""
        self._log = log
        if file and file != "auto":
            self._text = self._read(file)
        if not self._text:
            self._text = _built_in()

    def _read(self, file: str) -> bytes:
        try:
            text = read_regular(file)
        except OSError as error:
            self._log.warning(
                f'error opening DH parameter file "{file}": {error.strerror} -- using compiled-in defaults'
            )
            return b""
        try:
            if binding.use_dh(SSL.Context(SSL.TLS_METHOD), text):
                return text
            self._log.warning(f'error decoding DH parameters from file "{file}" -- using compiled-in defaults')
        except binding.DhParametersError:
            return text
        binding.log_errors(self._log)
        return b""

    def use(self, context: SSL.Context) -> None:
        """Let connections of a context use the parameters; refused ones leave it without any."""
        try:
            binding.use_dh(context, self._text)
        except binding.DhParametersError:
            self._log.warning("error configuring explicit DH parameters")
            binding.log_errors(self._log)
