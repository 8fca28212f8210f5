"""Tables without a file or a server: the name has the content, or the system, or other tables."""
