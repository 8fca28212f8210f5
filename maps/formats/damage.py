"""The error for a damaged file of an indexed format."""

from __future__ import annotations

from ..errors import MapsError


class DamagedFileError(MapsError):
    """A file that contradicts itself, or holds data that Postfix never writes; the text may be the library's."""
