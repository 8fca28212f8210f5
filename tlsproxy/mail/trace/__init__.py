"""tlsproxy-trace: what a configuration would answer to an SMTP session, and where the mail would go."""
