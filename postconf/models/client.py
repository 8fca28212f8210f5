"""Settings of the client role: the daemon is the TLS client of a remote SMTP server, on behalf of smtp(8).

Each request of smtp(8) carries its own settings. These here are for the context that is created at start, when private
keys can be read; requests for the same files use that context.
"""

from __future__ import annotations

from pydantic import Field

from .types import Boolean, ClientLevel, FileNames, Integer, LogLevelWords, Settings, Text


class TlsClient(Settings):
    """tlsproxy(8), "STARTTLS CLIENT CONTROLS"; each defaults to the smtp(8) setting of the same name."""

    tlsproxy_client_scert_verifydepth: Integer = Field(
        description="Maximum number of intermediate certificates in a server's chain."
    )
    tlsproxy_client_loglevel: LogLevelWords = Field(description="Log level: a number, or keywords.")
    tlsproxy_client_loglevel_parameter: Text = Field(
        default="smtp_tls_loglevel",
        description="The parameter named in warnings about the log level (until Postfix 3.11).",
    )
    tlsproxy_client_chain_files: FileNames = Field(
        description="Files with keys, each followed by its chain of certificates. Instead of the six files below."
    )
    tlsproxy_client_cert_file: Text = Field(description="RSA certificate and its issuers.")
    tlsproxy_client_key_file: Text = Field(description="RSA private key, not encrypted.")
    tlsproxy_client_dcert_file: Text = Field(description="DSA certificate and its issuers.")
    tlsproxy_client_dkey_file: Text = Field(description="DSA private key, not encrypted.")
    tlsproxy_client_eccert_file: Text = Field(description="ECDSA certificate and its issuers.")
    tlsproxy_client_eckey_file: Text = Field(description="ECDSA private key, not encrypted.")
    tlsproxy_client_CAfile: Text = Field(description="Certification authorities for server certificates.")
    tlsproxy_client_CApath: Text = Field(description="Directory of such certificates, by hash of their subject.")
    tlsproxy_client_fingerprint_digest: Text = Field(description="Algorithm of server certificate fingerprints.")
    tlsproxy_client_level: Text = Field(
        default="", description="Old name of tlsproxy_client_security_level (Postfix 3.4 to 3.6)."
    )
    tlsproxy_client_security_level: ClientLevel = Field(
        description="TLS level of smtp(8); overrides tlsproxy_client_use_tls and tlsproxy_client_enforce_tls."
    )
    tlsproxy_client_per_site: Text = Field(description="Obsolete: tables of TLS policy by next hop or host.")
    tlsproxy_client_policy: Text = Field(
        default="", description="Old name of tlsproxy_client_policy_maps (Postfix 3.4 to 3.6)."
    )
    tlsproxy_client_policy_maps: Text = Field(description="Tables of TLS policy by next hop.")
    tlsproxy_client_use_tls: Boolean = Field(description="Obsolete: use TLS if the server offers it.")
    tlsproxy_client_enforce_tls: Boolean = Field(description="Obsolete: require TLS.")
