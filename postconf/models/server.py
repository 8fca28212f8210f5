"""Settings of the server role: the daemon is the TLS server of a remote SMTP client, on behalf of postscreen(8)."""

from __future__ import annotations

from pydantic import Field

from .types import (
    Boolean,
    CipherExclusions,
    FileNames,
    GradeWord,
    Integer,
    LogLevelWords,
    ProtocolNames,
    ServerLevel,
    Settings,
    Text,
)


class TlsServer(Settings):
    """tlsproxy(8), "STARTTLS SERVER CONTROLS"; each defaults to the smtpd(8) setting of the same name."""

    tlsproxy_tls_ccert_verifydepth: Integer = Field(
        description="Maximum number of intermediate certificates in a client's chain."
    )
    tlsproxy_tls_chain_files: FileNames = Field(
        description="Files with keys, each followed by its chain of certificates. Instead of the six files below."
    )
    tlsproxy_tls_cert_file: Text = Field(description='RSA certificate and its issuers; "none" for no certificate.')
    tlsproxy_tls_key_file: Text = Field(description="RSA private key, not encrypted.")
    tlsproxy_tls_dcert_file: Text = Field(description="DSA certificate and its issuers.")
    tlsproxy_tls_dkey_file: Text = Field(description="DSA private key, not encrypted.")
    tlsproxy_tls_eccert_file: Text = Field(description="ECDSA certificate and its issuers.")
    tlsproxy_tls_eckey_file: Text = Field(description="ECDSA private key, not encrypted.")
    tlsproxy_tls_CAfile: Text = Field(
        description="Certification authorities for client certificates; their names are sent to clients."
    )
    tlsproxy_tls_CApath: Text = Field(description="Directory of such certificates, by hash of their subject.")
    tlsproxy_tls_ciphers: GradeWord = Field(description="Minimum cipher grade if TLS is optional.")
    tlsproxy_tls_mandatory_ciphers: GradeWord = Field(description="Minimum cipher grade if TLS is required.")
    tlsproxy_tls_exclude_ciphers: CipherExclusions = Field(description="Excluded ciphers.")
    tlsproxy_tls_mandatory_exclude_ciphers: CipherExclusions = Field(
        description="Additional excluded ciphers if TLS is required."
    )
    tlsproxy_tls_protocols: ProtocolNames = Field(description="Protocol versions if TLS is optional.")
    tlsproxy_tls_mandatory_protocols: ProtocolNames = Field(description="Protocol versions if TLS is required.")
    tlsproxy_tls_dh512_param_file: Text = Field(description="Without effect: export ciphers are removed.")
    tlsproxy_tls_dh1024_param_file: Text = Field(description='Parameters of finite-field Diffie-Hellman, or "auto".')
    tlsproxy_tls_eecdh_grade: Text = Field(description="Without effect: curves are negotiated.")
    tlsproxy_tls_fingerprint_digest: Text = Field(description="Algorithm of client certificate fingerprints.")
    tlsproxy_tls_loglevel: LogLevelWords = Field(description="Log level: a number, or keywords.")
    tlsproxy_tls_security_level: ServerLevel = Field(
        description="TLS level; overrides tlsproxy_use_tls and tlsproxy_enforce_tls."
    )
    tlsproxy_use_tls: Boolean = Field(description="Obsolete: offer TLS.")
    tlsproxy_enforce_tls: Boolean = Field(description="Obsolete: require TLS.")
    tlsproxy_tls_ask_ccert: Boolean = Field(description="Ask clients for a certificate.")
    tlsproxy_tls_req_ccert: Boolean = Field(description="Require a trusted certificate if TLS is required.")
    tlsproxy_tls_always_issue_session_ids: Boolean = Field(
        description="Give sessions an id even when they can't be resumed."
    )
    tlsproxy_tls_enable_rpk: Boolean = Field(
        default=False, description="Ask for raw public keys instead of certificates (Postfix 3.9 and later)."
    )
