"""The command tlsproxy-postconf, which answers as postconf(1) does."""
