"""The command tlsproxy-check: options, inputs and project settings."""
