"""TLS settings of outgoing sessions in main.cf: the smtp_… or lmtp_… parameters, typed."""

from __future__ import annotations

from dataclasses import dataclass

from postconf import ConfigError, View
from postconf.origins import place_of
from postconf.values import (
    CLIENT_LEVELS,
    InvalidValueError,
    SecurityLevel,
    boolean,
    resulting_level,
    security_level,
    words,
)

_INSECURE_MX_LEVELS = ("may", "encrypt", "dane")
_DNS_SUPPORT = ("disabled", "enabled", "dnssec")


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """The settings of main.cf that tables of policies override (postconf(5)).

    Field `x` is the parameter `smtp_tls_x`, or `lmtp_tls_x`, unless its text names another one.
    """

    prefix: str
    level: SecurityLevel
    """By smtp_tls_security_level, or else by the obsolete smtp_use_tls and smtp_enforce_tls."""
    policy_maps: str
    per_site: str
    protocols: str
    mandatory_protocols: str
    ciphers: str
    mandatory_ciphers: str
    exclude_ciphers: str
    mandatory_exclude_ciphers: str
    servername: str
    fingerprint_cert_match: str
    verify_cert_match: str
    secure_cert_match: str
    trust_anchor_file: str
    connection_reuse: bool
    enable_rpk: bool
    enforce_sts_mx_patterns: bool
    force_insecure_host_tlsa_lookup: bool
    insecure_mx_level: SecurityLevel
    """smtp_tls_dane_insecure_mx_policy."""
    dnssec: bool
    """smtp_dns_support_level and smtp_host_lookup let addresses come from DNS, and DNSSEC count."""
    ignore_mx_errors: bool
    """ignore_mx_lookup_error, which means nothing to LMTP."""
    completes_names: bool
    """smtp_dns_resolver_options let the resolver try other names than the one it was asked for."""
    smtputf8: bool

    @classmethod
    def load(cls, view: View, prefix: str = "smtp") -> PolicySettings:
        """Read the settings of a service (`config.service("smtp", "unix")`), or of main.cf; `prefix`: smtp or lmtp.

        Raise `postconf.ConfigError` for an invalid value.
        """
        return _Reader(view, prefix).read()

    def parameter(self, name: str) -> str:
        """Return the name of the parameter of a field, such as smtp_tls_protocols of `protocols`."""
        return f"{self.prefix}_tls_{name}"


class _Reader:
    def __init__(self, view: View, prefix: str) -> None:
        self.view = view
        self.prefix = prefix

    def read(self) -> PolicySettings:
        text, switch = self._tls, self._switch
        return PolicySettings(
            prefix=self.prefix,
            level=self._level(),
            policy_maps=text("policy_maps"),
            per_site=text("per_site"),
            protocols=text("protocols"),
            mandatory_protocols=text("mandatory_protocols"),
            ciphers=text("ciphers"),
            mandatory_ciphers=text("mandatory_ciphers"),
            exclude_ciphers=text("exclude_ciphers"),
            mandatory_exclude_ciphers=text("mandatory_exclude_ciphers"),
            servername=text("servername"),
            fingerprint_cert_match=text("fingerprint_cert_match"),
            verify_cert_match=text("verify_cert_match"),
            secure_cert_match=text("secure_cert_match"),
            trust_anchor_file=text("trust_anchor_file"),
            connection_reuse=switch(f"{self.prefix}_tls_connection_reuse"),
            enable_rpk=switch(f"{self.prefix}_tls_enable_rpk"),
            enforce_sts_mx_patterns=switch(f"{self.prefix}_tls_enforce_sts_mx_patterns"),
            force_insecure_host_tlsa_lookup=switch(f"{self.prefix}_tls_force_insecure_host_tlsa_lookup"),
            insecure_mx_level=self._insecure_mx_level(),
            dnssec=self._dnssec(),
            ignore_mx_errors=self.prefix == "smtp" and switch("ignore_mx_lookup_error"),
            completes_names=bool(words(self.view.get(f"{self.prefix}_dns_resolver_options") or "")),
            smtputf8=switch("smtputf8_enable"),
        )

    def _tls(self, name: str) -> str:
        """Return a text; empty where the release does not know the parameter."""
        return self.view.get(f"{self.prefix}_tls_{name}") or ""

    def _switch(self, name: str) -> bool:
        text = self.view.get(name)
        if text is None:  # a release without it
            return False
        try:
            return boolean(name, text)
        except InvalidValueError as error:
            raise ConfigError(error.message, place_of(self.view, name), error.remedy) from None

    def _level(self) -> SecurityLevel:
        name = f"{self.prefix}_tls_security_level"
        try:
            level = security_level(self.view[name], CLIENT_LEVELS)
        except InvalidValueError as error:
            raise ConfigError(error.message, place_of(self.view, name), error.remedy) from None
        return resulting_level(
            level,
            use=self._switch(f"{self.prefix}_use_tls"),
            enforce=self._switch(f"{self.prefix}_enforce_tls"),
            peername=self._switch(f"{self.prefix}_tls_enforce_peername"),
        )

    def _insecure_mx_level(self) -> SecurityLevel:
        name = "smtp_tls_dane_insecure_mx_policy"  # there are no mail exchangers for LMTP
        text = self.view.get(name) or "may"
        try:
            level = security_level(text, _INSECURE_MX_LEVELS)
        except InvalidValueError as error:
            raise ConfigError(f'invalid {name}: "{text}"', place_of(self.view, name), error.remedy) from None
        return level or SecurityLevel.MAY

    def _dnssec(self) -> bool:
        name = f"{self.prefix}_dns_support_level"
        support = self.view[name]
        if support and support.lower() not in _DNS_SUPPORT:
            remedy = f"specify one of {', '.join(_DNS_SUPPORT)}"
            raise ConfigError(f'invalid {name}: "{support}"', place_of(self.view, name), remedy)
        lookup = (word.lower() for word in words(self.view[f"{self.prefix}_host_lookup"]))
        return support.lower() == "dnssec" and "dns" in lookup
