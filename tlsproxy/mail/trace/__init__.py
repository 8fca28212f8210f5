"""tlsproxy-trace: a configuration's answers to an SMTP session, and the route of the mail."""
