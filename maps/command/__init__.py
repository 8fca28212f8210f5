"""Command tlsproxy-postmap, which behaves like postmap(1)."""
