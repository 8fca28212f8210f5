"""TLS: from settings to OpenSSL contexts, connections and verdicts on certificates."""
