"""Parameters that Postfix had once: name → the last release with it, for those that were gone before the catalogue's
oldest release.
"""

LAST_RELEASE = {
    "connection_cache_service": "2.2",
    "enable_errors_to": "2.1",
    "extract_recipient_limit": "2.0",
    "lmtp_cache_connection": "2.2",
    "lmtp_sasl_auth_enforce": "2.3.0",
    "postscreen_blacklist_networks": "2.8.0",
    "postscreen_whitelist_networks": "2.8.0",
    "program_directory": "2.0",
    "qmgr_site_hog_factor": "1.1",
    "sender_based_routing": "2.2",
    "smtp_break_lines": "1.1",
    "smtp_connection_cache_reuse_limit": "2.2",
    "smtp_sasl_auth_enforce": "2.3.0",
    "smtp_skip_4xx_greeting": "2.0",
    "smtp_tls_cipherlist": "2.2",
    "smtpd_sasl_application_name": "2.2",
    "smtpd_tls_cipherlist": "2.2",
    "tls_dane_digest_agility": "3.3",
    "tls_dane_trust_anchor_digest_enable": "3.3",
    "tls_fast_shutdown": "3.4.6",
    "tlsproxy_tls_session_cache_timeout": "2.10",
}
