"""Keys, certificates and ciphers, checked by the daemon's own loader (`check.facts.tls.daemon_loader`)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from postconf import View
from postconf.syntax.lines import encode
from postconf.values import Grade, cipher_exclusions, protocols

from ....tls.settings.parameters import CERTIFICATES, CHAIN_FILES, KEYS
from ...context import Context
from ...facts.tls.key_files import server_level, used_files
from ...findings import Finding, Severity, Span
from ...rule import Rule

if TYPE_CHECKING:
    from ...facts.tls.daemon_loader import LoaderVerdict

_NO_SIGNS = str.maketrans(':,"=', "    ")


class _Judged(Rule):
    """Reports the warnings of the daemon's loader that have certain words."""

    needs_files = True
    words: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    """Words that another rule takes care of."""
    suffixes: tuple[str, ...] = (CHAIN_FILES, *CERTIFICATES)
    help = ""

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        from ...facts.tls.daemon_loader import verdicts

        reported: set[str] = set()
        for verdict in verdicts(context):
            if not verdict.problem or any(word in verdict.text for word in self.unless):
                continue
            for line in [*verdict.lines, verdict.problem]:
                if any(word in line for word in self.words) and line not in reported:
                    reported.add(line)
                    message = verdict.problem if "error:" in line else line
                    yield self.finding(self._span(context, verdict.view, message), message, self.help)
                    break

    def _span(self, context: Context, view: View, line: str) -> Span:
        files = [used for used in used_files(context) if used.is_server]
        named = [used for used in files if f" {used.path} " in f"{line.translate(_NO_SIGNS)} "]
        wanted = [used for used in named if used.suffix in self.suffixes] or named
        if wanted:
            return wanted[0].assignment.word(wanted[0].path)
        parameter = "smtpd_tls_chain_files" if context.value("smtpd_tls_chain_files", view) else "smtpd_tls_cert_file"
        return context.span(parameter, view)


class KeyMismatch(_Judged):
    """Private key that does not match its certificate."""

    id = "K003"
    name = "key-cert-mismatch"
    effect = '"does not match", and TLS is turned off.'
    words = ("does not match", "key values mismatch")
    suffixes = (*KEYS, CHAIN_FILES)
    help = "put the certificate that was made with this key behind it"
    bad = (
        "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = $config_directory/cert.pem\n"
        "smtpd_tls_key_file = $config_directory/other-key.pem\n"
    )
    good = (
        "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = $config_directory/cert.pem\n"
        "smtpd_tls_key_file = $config_directory/key.pem\n"
    )
    lookalike = "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = $config_directory/chain.pem\n"


class KeyNotFirst(_Judged):
    """Chain file that does not begin with the private key."""

    id = "K004"
    name = "key-not-first"
    effect = '"key not first": 454 from smtpd(8), status 0 from tlsproxy(8).'
    words = ("key not first",)
    help = "put the key in front of its certificate"
    bad = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/cert-first.pem\n"
    good = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/chain.pem\n"
    lookalike = "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = $config_directory/cert-first.pem\n"


class StrayPem(_Judged):
    """Unexpected PEM objects: a second key, an encrypted key, or another type."""

    id = "K005"
    name = "stray-pem"
    words = (
        *(
            "not followed by a certificate",
            "more than one key of the same kind",
            "No certs for key",
            "ignoring 2nd key",
        ),
        *("error loading private key", "error loading certificate (", "No PEM data", "No private key", "cannot get "),
        "PEM block without an end",
    )
    unless = KeyMismatch.words
    help = "a file has a key that is not encrypted, its certificate, and the issuers"
    bad = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/two-keys.pem\n"
    good = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/chain.pem\n"
    lookalike = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/ec-parameters.pem\n"

    def _span(self, context: Context, view: View, line: str) -> Span:
        """Return the key's file for a problem with a key, since a certificate can be in the same file."""
        if "private key" in line:
            for suffix in (CHAIN_FILES, *KEYS):
                setting = context.setting(f"smtpd_tls_{suffix}", view)
                path = context.expanded(setting) if setting else ""
                if setting and path and f" {path} " in f"{line.translate(_NO_SIGNS)} ":
                    return setting.span()
        return super()._span(context, view, line)


class RoleUnavailable(_Judged):
    """Other error that keeps the daemon from offering TLS, with the daemon's own message."""

    id = "K017"
    name = "no-tls"
    needs_files = True
    bad = (
        "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = $config_directory/chain.pem\n"
        "smtpd_tls_CAfile = $config_directory/key.pem\n"
    )
    good = (
        "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = $config_directory/chain.pem\n"
        "smtpd_tls_CAfile = $config_directory/root.pem\n"
    )
    lookalike = (
        "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = $config_directory/chain.pem\n"
        "smtpd_tls_CAfile = $config_directory/full.pem\n"
    )

    _OTHERS = (
        *KeyMismatch.words,
        *KeyNotFirst.words,
        *StrayPem.words,
        *("Invalid TLS protocol list", "cipher grade", "Digest algorithm", "No server certs", "tls_config_file"),
        "cipher exclusion",
        "TLS server role is disabled",
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        from ...facts.tls.daemon_loader import verdicts

        for verdict in verdicts(context):
            if verdict.problem and not any(word in verdict.text for word in self._OTHERS):
                span = self._span(context, verdict.view, verdict.problem)
                yield self.finding(span, verdict.problem, "correct this setting, or the file that it names")


class NothingLeft(Rule):
    """Cipher lists that leave no cipher for TLS 1.2 and below, or no cipher for the configured keys.

    These lists do not affect ciphers of TLS 1.3, which work with every key.
    """

    id = "P009"
    name = "no-cipher-left"
    severity = Severity.ERROR
    needs_files = True
    bad = (
        "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/chain.pem\n"
        "smtpd_tls_exclude_ciphers = ALL\n"
    )
    good = (
        "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/chain.pem\n"
        "smtpd_tls_exclude_ciphers = aNULL\n"
    )
    lookalike = (
        "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/chain.pem\n"
        "smtpd_tls_exclude_ciphers = aNULL, kRSA, aRSA, SHA1, 3DES, RC4\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        from ...facts.tls.daemon_loader import verdicts

        reported: set[str] = set()
        for verdict in verdicts(context):
            excluded = context.value("smtpd_tls_exclude_ciphers", verdict.view)
            signs = any(word[:1] in "!-+@" for word in excluded.replace(",", " ").replace(":", " ").split())
            span = self._decisive(context, verdict.view)
            if str(span) in reported:
                continue
            reported.add(str(span))
            if "error setting cipher grade" in verdict.problem and not signs:
                yield self.finding(span, "no cipher is left, and every handshake fails", "exclude less")
            elif not verdict.problem and (kinds := self._without_cipher(context, verdict)):
                yield self.finding(
                    span,
                    f"no cipher of TLS 1.2 is left that goes with {kinds}: only clients with TLS 1.3 get through",
                    "exclude less, or add another key",
                    severity=Severity.WARNING,
                )

    @staticmethod
    def _decisive(context: Context, view: View) -> Span:
        """Return the place of the setting that narrows the ciphers most: a list, exclusions, or the service."""
        enforced = server_level(context, view) == "encrypt"
        prefix = "smtpd_tls_mandatory_" if enforced else "smtpd_tls_"
        names = [f"tls_{context.value(f'{prefix}ciphers', view).lower()}_cipherlist", "smtpd_tls_exclude_ciphers"]
        names += ["smtpd_tls_mandatory_exclude_ciphers"] if enforced else []
        given = [name for name in names if name in context.release.kinds and context.setting(name, view)]
        return context.span(given[0] if given else "smtpd_tls_exclude_ciphers", view)

    @staticmethod
    def _without_cipher(context: Context, verdict: LoaderVerdict) -> str:
        """Return the kinds of our keys, if none of the ciphers is for one of them; else nothing."""
        from cryptography import x509
        from OpenSSL import SSL

        from ....tls.settings.ciphers import cipher_list

        enforced = server_level(context, verdict.view) == "encrypt"
        prefix = "smtpd_tls_mandatory_" if enforced else "smtpd_tls_"
        allowed = protocols(context.value(f"{prefix}protocols", verdict.view))
        if verdict.library is None or allowed is None or allowed.minimum > SSL.TLS1_2_VERSION:
            return ""
        exclusions = [context.value("smtpd_tls_exclude_ciphers", verdict.view)]
        exclusions += [context.value("smtpd_tls_mandatory_exclude_ciphers", verdict.view)] if enforced else []
        grade = Grade.of(context.value(f"{prefix}ciphers", verdict.view))
        ciphers = cipher_list(verdict.library, grade, cipher_exclusions(" ".join(exclusions)))
        kinds = {
            _kind_of(x509.load_pem_x509_certificate(each.chain[0].text).public_key()) for each in verdict.identities
        }
        for cipher in _in_order(ciphers.text):
            if cipher.startswith(("TLS_", "ADH-", "AECDH-")) or "PSK" in cipher or "SRP" in cipher:
                continue
            if ("ECDSA" if "ECDSA" in cipher else "DSA" if "DSS" in cipher else "RSA") in kinds:
                return ""
        return " and ".join(sorted(kinds - {""}))


@lru_cache(maxsize=16)
def _in_order(ciphers: str) -> tuple[str, ...]:
    """Return the names of the ciphers that OpenSSL makes of a list."""
    from OpenSSL import SSL

    context = SSL.Context(SSL.TLS_METHOD)
    context.set_cipher_list(encode(ciphers))
    return tuple(SSL.Connection(context).get_cipher_list())


def _kind_of(key: object) -> str:
    """Return the authentication of ciphers for a key; empty for unknown kinds and those of TLS 1.3 only."""
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

    kinds: dict[type | tuple[type, ...], str] = {
        (ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey, ed448.Ed448PublicKey): "ECDSA",
        rsa.RSAPublicKey: "RSA",
        dsa.DSAPublicKey: "DSA",
    }
    return next((word for kind, word in kinds.items() if isinstance(key, kind)), "")
