"""Configuration files as text: places, comments for the checker, template markup and spelling."""
