"""Life under master(8)."""
