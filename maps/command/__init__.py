"""The command tlsproxy-postmap, which answers as postmap(1) does."""
