"""TLS parameters: their names, and protocol lists, grades, levels and digests as typed values."""
