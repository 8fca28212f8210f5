"""Configuration files as text: places, comments for the checker, and template markup."""
