"""Drivers: one module for each table type, in a package for each sort of place where the entries are."""
