"""Lookup tables: their names in a configuration, their uses, and their entries."""
