"""Lookup tables: types, files and contents."""
