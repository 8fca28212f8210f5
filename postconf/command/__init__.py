"""Command tlsproxy-postconf, which behaves like postconf(1)."""
