"""Addresses of this machine's interfaces in the kernel's order, as in getifaddrs(3) (rtnetlink(7)).

Uses `_socket`, because importing `socket` takes longer than the whole of `postconf -d`.
"""

from __future__ import annotations

import _socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_DONE, _GET_LINK, _GET_ADDRESS = 3, 18, 22
_REQUEST_DUMP = 0x301
_UP = 1
_ADDRESS, _LOCAL = 1, 2
_PATIENCE = 5.0


def addresses() -> list[tuple[int, bytes, int]]:
    """Return family (AF_INET, AF_INET6), address and prefix length of each interface that is up; raise `OSError`."""
    kernel = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, 0)
    try:
        kernel.settimeout(_PATIENCE)
        kernel.bind((0, 0))
        # struct ifinfomsg: family, type, index, flags
        links = (struct.unpack_from("=BxHiI", body) for body in _dump(kernel, _GET_LINK))
        up = {index for _family, _type, index, flags in links if flags & _UP}
        found = []
        for body in _dump(kernel, _GET_ADDRESS):
            # struct ifaddrmsg: family, prefix length, flags, scope, index
            family, prefix, _flags, _scope, index = struct.unpack_from("=BBBBI", body)
            attributes = dict(_attributes(body[8:]))
            address = attributes.get(_LOCAL) or attributes.get(_ADDRESS)
            if index in up and address and family in (_socket.AF_INET, _socket.AF_INET6):
                found.append((family, address, prefix))
    finally:
        kernel.close()
    return found


def _dump(kernel: _socket.socket, kind: int) -> Iterator[bytes]:
    """Query all objects of a kind; yield the bodies of the messages."""
    kernel.send(struct.pack("=IHHIIB3x", 20, kind, _REQUEST_DUMP, kind, 0, _socket.AF_UNSPEC))
    while True:
        data = kernel.recv(65536)
        while len(data) >= 16:
            length, found = struct.unpack_from("=IH", data)
            if found == _DONE or length < 16:
                return
            if found == kind - 2:  # RTM_NEW… of RTM_GET…
                yield data[16:length]
            data = data[_aligned(length) :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            return
        yield kind, data[4:length]
        data = data[_aligned(length) :]


def _aligned(length: int) -> int:
    return (length + 3) & ~3
