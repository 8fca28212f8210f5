"""One module for each table type."""
