"""A request, as it comes: list 1, and list 2 where the role and the release have one. No I/O.

A request of postscreen(8) comes in one piece, and is read by one regular expression; others are read piece by piece.
"""

from __future__ import annotations

from ..wire.attributes import AttributeReader, ProtocolError, Reading
from ..wire.messages import (
    ClientSettings,
    Flag,
    Generation,
    Request,
    ServerSettings,
    read_client_settings,
    read_request,
    read_server_settings,
    split_request,
)

EITHER_ROLE = Flag.SERVER | Flag.CLIENT


class RequestReader:
    """The request of one session. `request` is list 1 as soon as it is there, `client` or `server` are list 2."""

    __slots__ = ("_attributes", "_generation", "_reading", "client", "request", "server")

    def __init__(self, generation: Generation) -> None:
        """Prepare for a request. `generation`: protocol version of the local clients."""
        self.request: Request | None = None
        self.client: ClientSettings | None = None
        self.server: ServerSettings | None = None
        self._generation = generation
        self._attributes: AttributeReader | None = None
        self._reading: Reading[None] | None = None

    def feed(self, data: bytes) -> bool:
        """Take bytes that have come; return True if the request is whole. Raises `ProtocolError`."""
        if self._attributes is None or self._reading is None:
            self.request, data = split_request(data)
            if self.request is not None and not self._has_settings(self.request):
                return True
            self._attributes = AttributeReader()
            self._reading = self._read(self._attributes)
        self._attributes.feed(data)
        try:
            next(self._reading)
        except StopIteration:
            return True
        return False

    def end(self, reason: str = "premature end-of-input") -> ProtocolError:
        """Return the error of a request that stops here."""
        return (self._attributes or AttributeReader()).end_of_input(reason)

    def _has_settings(self, request: Request) -> bool:
        role = request.flags & EITHER_ROLE
        if request.flags & Flag.PROBE_ONLY:
            return False
        return role == Flag.CLIENT or (role == Flag.SERVER and self._generation >= Generation.V3_12)

    def _read(self, attributes: AttributeReader) -> Reading[None]:
        """Read the whole request, or the rest of it."""
        if self.request is None:
            self.request = yield from read_request(attributes)
        if not self._has_settings(self.request):
            return
        if self.request.flags & Flag.CLIENT:
            announced = self._generation >= Generation.V3_6
            self.client = yield from read_client_settings(attributes, announced=announced)
        else:
            self.server = yield from read_server_settings(attributes)
