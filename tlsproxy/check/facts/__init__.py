"""Facts that rules ask for: files, keys, tables, the daemon's loader and live services."""
