"""One session: its states, and the bytes that pass between its two sides."""
