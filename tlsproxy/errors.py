"""Base of the errors of this package."""


class TlsproxyError(Exception):
    """Base of all errors that this package raises for its callers; the text is a sentence for people."""
