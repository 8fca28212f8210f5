"""Connections and queries to servers that answer lookups."""
