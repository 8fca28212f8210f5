"""Monitoring: the state of a running daemon, its metrics, and the command that asks for them."""
