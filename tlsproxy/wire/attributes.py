"""Postfix's default attribute encoding (attr_print0(3), attr_scan0(3)), byte by byte and without I/O.

A list is `name NUL value NUL` repeated, then one more NUL. There are no types on the wire: the reader names the types
that it expects.
Values are text, decoded as UTF-8 with surrogateescape so that any bytes survive.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Container, Generator, Iterable
from typing import Any, TypeVar

from ..errors import TlsproxyError

T = TypeVar("T")
Reading = Generator[None, None, T]
"""A parser that yields whenever it needs more bytes, and returns the value that it has read."""

MAX_LIST = 4 * 1024 * 1024
"""Bytes that one peer may send before its request is complete; Postfix itself has no limit."""

MAX_ARGV = 1024
_UINT_MAX = 0xFFFFFFFF


class ProtocolError(TlsproxyError):
    """The peer broke the protocol; the text is Postfix's diagnostic."""


def decode(data: bytes) -> str:
    """Turn a value from the wire into text."""
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """Turn text into a value for the wire."""
    return text.encode("utf-8", "surrogateescape")


def write_list(attributes: Iterable[tuple[str, str | int | bytes]]) -> bytes:
    """Encode one list: text as it is, numbers as unsigned 32-bit integers, bytes as base64."""
    parts: list[bytes] = []
    for name, value in attributes:
        parts.append(name.encode("ascii"))
        if isinstance(value, str):
            parts.append(encode(value))
        elif isinstance(value, int):
            parts.append(b"%d" % (value & _UINT_MAX))
        else:
            parts.append(base64.b64encode(value))
    parts.append(b"")
    return b"\0".join(parts) + b"\0" if len(parts) > 1 else b"\0"


class AttributeReader:
    """Reads attributes in the receiver's order from bytes that arrive in any pieces.

    `source` is the stream's name in diagnostics. The methods are generators: drive them with `next()` after a `feed()`.
    """

    __slots__ = ("_next", "_received", "_rest", "_strings", "source")

    def __init__(self, source: str = "plaintext") -> None:
        self.source = source
        self._strings: list[str] = []
        self._next = 0  # of these
        self._rest = bytearray()
        self._received = 0

    def feed(self, data: bytes) -> None:
        """Take bytes from the peer; raise `ProtocolError` when it sends more than any request needs."""
        self._received += len(data)
        if self._received > MAX_LIST:
            raise ProtocolError(f"more than {MAX_LIST} bytes from {self.source} in one request")
        whole, end, rest = data.rpartition(b"\0")
        if end:
            self._strings[: self._next] = ()
            self._next = 0
            self._strings += decode(bytes(self._rest) + whole if self._rest else whole).split("\0")
            self._rest[:] = rest
        else:
            self._rest += data

    @property
    def pending(self) -> int:
        """The number of bytes that have arrived and not been read."""
        return sum(len(encode(each)) + 1 for each in self._strings[self._next :]) + len(self._rest)

    def end_of_input(self, kind: str = "premature end-of-input") -> ProtocolError:
        """Return the error of an end of input at this point, or of another kind of end: a `timeout`."""
        reading = "value" if self._next < len(self._strings) else "name"
        return ProtocolError(f"{kind} on {self.source} while reading input attribute {reading}")

    def next_name(self) -> Reading[str]:
        """Look at the next attribute's name; it is empty at the end of the list."""
        while self._next == len(self._strings):
            yield
        return self._strings[self._next]

    def text(self, name: str) -> Reading[str]:
        """Read a string attribute."""
        strings = self._strings
        while self._next == len(strings):
            yield
        found = strings[self._next]
        if found != name:
            raise self._unexpected(found, name)
        # The name stays in its place as long as its value is missing.
        while self._next + 1 == len(strings):
            yield
        self._next += 2
        return strings[self._next - 1]

    def integer(self, name: str) -> Reading[int]:
        """Read an int attribute as sscanf("%u%c") does: 32 bits, two's complement, nothing behind the digits."""
        return self._number(name, (yield from self.text(name)))

    def several(
        self, names: tuple[str, ...], *, numbers: Container[str] = (), optional: Container[str] = ()
    ) -> Reading[list[tuple[str, Any]]]:
        """Read attributes in this order, text but for `numbers`; those that are `optional` may be missing.

        A generator for each takes three times as long, and the client role's requests have sixty.
        """
        strings = self._strings
        start, end = self._next, self._next + 2 * len(names)
        if end <= len(strings) and tuple(strings[start:end:2]) == names:  # the usual case
            self._next = end
            pairs = zip(names, strings[start + 1 : end : 2], strict=True)
            return [(name, self._number(name, value) if name in numbers else value) for name, value in pairs]
        found = []
        for name in names:
            while self._next == len(strings):
                yield
            if name in optional and strings[self._next] != name:
                continue
            if self._next + 1 < len(strings) and strings[self._next] == name:
                value = strings[self._next + 1]
                self._next += 2
            else:  # wait for it, or report the other name
                value = yield from self.text(name)
            found.append((name, self._number(name, value) if name in numbers else value))
        return found

    def _number(self, name: str, value: str) -> int:
        if len(value) < 10 and value.isdecimal() and value.isascii():
            return int(value)
        digits = value.lstrip(" \t\n\v\f\r")
        sign = -1 if digits[:1] == "-" else 1
        if digits[:1] in ("+", "-"):
            digits = digits[1:]
        if not (digits.isascii() and digits.isdigit()):
            raise ProtocolError(f"malformed numerical data from {self.source} while reading {name}: {value[:100]}")
        number = sign * int(digits[-40:]) & _UINT_MAX
        return number - (_UINT_MAX + 1) if number > _UINT_MAX >> 1 else number

    def data(self, name: str) -> Reading[bytes]:
        """Read a binary attribute (base64 on the wire)."""
        value = yield from self.text(name)
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise ProtocolError(
                f"malformed base64 data from {self.source} while reading {name}: {value[:100]}"
            ) from None

    def argv(self) -> Reading[tuple[str, ...]]:
        """Read a list of strings: its size, then its members."""
        size = yield from self.integer("argv_size")
        if not 0 <= size <= MAX_ARGV:
            raise ProtocolError(f"invalid size {size} from {self.source} while reading ARGV")
        values = []
        for _ in range(size):
            values.append((yield from self.text("argv_value")))  # noqa: PERF401  a generator can't be in a comprehension
        return tuple(values)

    def end_of_list(self) -> Reading[None]:
        """Read the terminator."""
        while self._next == len(self._strings):
            yield
        if name := self._strings[self._next]:
            raise self._unexpected(name, "(list terminator)")
        self._next += 1

    def _unexpected(self, found: str, expected: str) -> ProtocolError:
        if not found:
            return ProtocolError(f"missing attribute {expected} in input from {self.source}")
        return ProtocolError(f"unexpected attribute {found} from {self.source} (expecting: {expected})")
