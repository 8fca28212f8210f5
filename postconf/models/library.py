"""Settings of both roles: those of Postfix's TLS library."""

from __future__ import annotations

from pydantic import Field

from .dane_digests import DaneDigests
from .ssl_options import SslOptions
from .types import Boolean, DigestNames, Integer, OptionNames, Settings, Text, WorkaroundNames


class TlsGlobals(Settings):
    """tlsproxy(8), "STARTTLS GLOBAL CONTROLS", and three undocumented ones."""

    tls_config_file: Text = Field(description='OpenSSL configuration: "default", "none" or an absolute file name.')
    tls_config_name: Text = Field(description="The section of that file to use instead of the library's own.")
    tls_high_cipherlist: Text = Field(description='OpenSSL ciphers of grade "high".')
    tls_medium_cipherlist: Text = Field(description='OpenSSL ciphers of grade "medium" or better.')
    tls_low_cipherlist: Text = Field(description='OpenSSL ciphers of grade "low" or better (until Postfix 3.7).')
    tls_export_cipherlist: Text = Field(description='OpenSSL ciphers of grade "export" or better (until Postfix 3.7).')
    tls_null_cipherlist: Text = Field(description='OpenSSL ciphers of grade "null": authentication only.')
    tls_eecdh_auto_curves: Text = Field(description="Elliptic-curve groups for key exchange, the preferred ones first.")
    tls_eecdh_strong_curve: Text = Field(description="Without effect.")
    tls_eecdh_ultra_curve: Text = Field(description="Without effect.")
    tls_ffdhe_auto_groups: Text = Field(
        default="", description="Finite-field groups for key exchange in TLS 1.3 (Postfix 3.8 and later)."
    )
    tls_disable_workarounds: WorkaroundNames = Field(description="OpenSSL's bug workarounds to disable.")
    tls_ssl_options: OptionNames = Field(description="OpenSSL's options to turn on.")
    tls_dane_digests: DigestNames = Field(description="Digest algorithms of TLSA records, the strongest first.")
    tlsmgr_service_name: Text = Field(description="The service in master.cf that keeps sessions and ticket keys.")
    tls_session_ticket_cipher: Text = Field(description="Cipher of session tickets; empty for no tickets.")
    openssl_path: Text = Field(description="The openssl(1) command.")
    tls_daemon_random_bytes: Integer = Field(description="Bytes of entropy to request from tlsmgr(8).")
    tls_append_default_CA: Boolean = Field(description="Trust the system's certification authorities, too.")
    tls_legacy_public_key_fingerprints: Boolean = Field(
        default=False, description="Fingerprint the bits of a public key alone (until Postfix 3.10)."
    )
    tls_preempt_cipherlist: Boolean = Field(description="Prefer the server's order of ciphers.")
    tls_wildcard_matches_multiple_labels: Boolean = Field(description="Without effect.")
    tls_fast_shutdown_enable: Boolean = Field(description="Don't wait for the peer's close_notify.")
    tls_server_sni_maps: Text = Field(description="Tables of keys and chains by server name (SNI).")
    tls_dane_digest_agility: Text = Field(default="on", description="Removed: always on.")
    tls_dane_trust_anchor_digest_enable: Boolean = Field(default=True, description="Removed: always on.")
    tls_trust_server_ccerts: Boolean = Field(
        default=False, description="Accept a server's certificate from a client (Postfix 3.12 and later)."
    )

    def as_sent(self) -> dict[str, str | int]:
        """Return the settings in the form of requests: texts as written, and numbers."""
        return {name: _as_sent(value) for name, value in self}


def _as_sent(value: str | int | SslOptions | DaneDigests) -> str | int:
    if isinstance(value, SslOptions | DaneDigests):
        return value.text
    return value if isinstance(value, str) else int(value)
