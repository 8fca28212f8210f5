"""The server role: TLS server of remote SMTP clients, on behalf of postscreen(8)."""
