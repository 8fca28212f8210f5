"""STARTTLS for Python programs with a protocol of their own."""
