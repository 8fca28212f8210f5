"""Base of the errors of this package."""


class MapsError(Exception):
    """Base of all errors that this package raises for its callers."""
