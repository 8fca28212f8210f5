"""Offers: the TLS of each service in each role, and the lines of the configuration that decide on it."""
