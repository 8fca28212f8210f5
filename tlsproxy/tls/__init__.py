"""What the TLS controls mean, turned into OpenSSL contexts and verdicts."""
