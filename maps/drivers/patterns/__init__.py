"""Patterns in text files, tried in their order: addresses and regular expressions."""
