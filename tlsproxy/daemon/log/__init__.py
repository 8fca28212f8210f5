"""Log lines and the sinks that they go to."""
