"""Local files: those that postmap(1) makes, text, and SQLite."""
