"""TLS: levels, protocols, keys and certificates, DANE."""
