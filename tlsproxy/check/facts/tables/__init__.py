"""Lookup tables: which ones are named, what they are used for, and what is in them."""
