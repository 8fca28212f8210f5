"""The client role: TLS client of remote SMTP servers, on behalf of smtp(8)."""
