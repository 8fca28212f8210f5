"""OpenSSL's private binding, which no module outside this package touches."""
