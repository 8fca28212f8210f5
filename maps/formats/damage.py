"""The error for a damaged file of an indexed format."""

from __future__ import annotations


class DamagedFileError(Exception):
    """A file that contradicts itself, or holds what Postfix never writes; the text may be the library's."""
