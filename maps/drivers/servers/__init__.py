"""Servers: databases, directories, caches, and protocols of lookups."""
