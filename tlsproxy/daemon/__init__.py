"""The process: event loop, hand-off, life under master(8) or alone, logging."""
