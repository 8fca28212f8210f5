"""The base of what this package raises for its callers."""


class TlsproxyError(Exception):
    """Something that tlsproxy can't do; the text is a sentence for people."""
