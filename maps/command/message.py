"""Lookup keys of a message: headers and body lines (postmap(1), options -h, -b and -m).

Messages are parsed like in header_checks(5) and body_checks(5), including malformed ones.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BLANK = b" \t"
_SPACE = b" \t\r\n"
_SPECIALS = frozenset(b'()<>@,;:\\"/[]?=')
_CONTROL = frozenset([*range(32), 127])
_CONTENT_TYPE = b"content-type"
# Relevant content types of a part.
_LEAF, _MESSAGE, _MULTIPART = "leaf", "message", "multipart"

Token = tuple[bytes, bytes]
"""Kind (`token`, `quoted`, or a special character) and text."""


class Limits:
    """Limits: bytes of a header, levels of nested parts, bytes of a boundary. The excess is ignored."""

    __slots__ = ("boundary", "header", "nesting")

    def __init__(self, header: int, nesting: int, boundary: int) -> None:
        self.header = header
        self.nesting = nesting
        self.boundary = boundary


class MessageKeys:
    """Lookup keys of one message.

    `headers` and `body` select keys. Without `mime` everything after the first header block is body; with it the
    headers of parts and of enclosed messages count as headers.
    """

    def __init__(self, limits: Limits, *, headers: bool, body: bool, mime: bool) -> None:
        self._limits = limits
        self._headers = headers
        self._body = body
        self._mime = mime
        self._in_header = True
        self._primary = True
        self._content = _LEAF
        self._header: bytearray = bytearray()
        self._boundaries: list[tuple[bytes, str]] = []
        """Boundary and default content type of each open multipart."""

    def of(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the keys of a message given as lines, without their newlines."""
        for line in lines:
            yield from self._feed(line)
            if not self._in_header and not self._body and not self._mime:
                return
        yield from self._end_header()

    def _feed(self, line: bytes) -> Iterator[bytes]:
        if self._in_header:
            if self._header and line[:1] and line[0] in _BLANK:
                if len(self._header) < self._limits.header:
                    self._header += b"\n" + line
                return
            yield from self._end_header()
            name = _header_name(line)
            if name:
                self._header += name + line[len(name) :].lstrip(_BLANK)
                return
            yield from self._end_headers(line)
        self._cross_boundary(line)
        if self._body:
            yield line

    def _end_header(self) -> Iterator[bytes]:
        """Finish the current header, if there is one."""
        if not self._header:
            return
        header = bytes(self._header)
        self._header.clear()
        name, _, content = header.partition(b":")
        if self._mime and name.lower() == _CONTENT_TYPE:
            self._notice_content(content)
        if self._headers:
            yield header

    def _end_headers(self, line: bytes) -> Iterator[bytes]:
        """Process the end of a header block, which `line` ends."""
        if line and self._primary and self._body:
            yield b""
        self._primary = False
        self._in_header = not line and self._content == _MESSAGE
        if self._in_header or self._content == _MULTIPART:
            self._content = _LEAF

    def _notice_content(self, header: bytes) -> None:
        items = _items(header)
        first = next(items, [])
        kind, subtype = (_words(first, 0), _words(first, 2) if first[1:2] == [(b"/", b"/")] else b"")
        if kind == b"message":
            self._content = _MESSAGE if subtype in (b"rfc822", b"global") else _LEAF
        elif kind == b"multipart":
            self._content = _MULTIPART
            inside = _MESSAGE if subtype == b"digest" else _LEAF
            for item in items:
                if len(item) > 2 and _words(item, 0) == b"boundary" and item[1][0] == b"=":
                    self._open(item[2][1], inside)
        else:
            self._content = _LEAF

    def _open(self, boundary: bytes, inside: str) -> None:
        if len(self._boundaries) - 1 <= self._limits.nesting:
            self._boundaries.append((boundary[: self._limits.boundary], inside))

    def _cross_boundary(self, line: bytes) -> None:
        if not line.startswith(b"--") or len(line) <= 2:
            return
        for level in range(len(self._boundaries) - 1, -1, -1):
            boundary, inside = self._boundaries[level]
            if line.startswith(boundary, 2):
                del self._boundaries[level + 1 :]
                if line.startswith(b"--", 2 + len(boundary)):
                    del self._boundaries[level]
                    self._in_header, self._content = False, _LEAF
                else:
                    self._in_header, self._content = True, inside
                return


def _header_name(line: bytes) -> bytes:
    """Return the name of a header line, before blanks and a colon; empty if the line is not a header."""
    name = line.partition(b":")[0] if b":" in line else b""
    name = name.rstrip(_BLANK)
    return b"" if any(byte in _BLANK or byte in _CONTROL or byte > 127 for byte in name) else name


def _words(tokens: list[Token], index: int) -> bytes:
    """Return the token at `index` in lowercase; empty for other kinds."""
    return tokens[index][1].lower() if index < len(tokens) and tokens[index][0] == b"token" else b""


def _items(text: bytes) -> Iterator[list[Token]]:
    """Yield the tokens of a structured header between semicolons, without comments (RFC 2045, section 5.1)."""
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        byte = text[at]
        start = at
        at += 1
        if byte in _SPACE:
            continue
        if byte == ord(";"):
            yield tokens
            tokens = []
        elif byte == ord("("):
            at = _behind_comment(text, at)
        elif byte == ord('"'):
            value, at = _quoted(text, at)
            tokens.append((b"quoted", value))
        elif byte in _SPECIALS or byte in _CONTROL:
            tokens.append((text[start:at], text[start:at]))
        else:
            while at < len(text) and not (text[at] in _SPECIALS or text[at] in _CONTROL or text[at] in _SPACE):
                at += 1
            tokens.append((b"token", text[start:at]))
    if tokens:
        yield tokens


def _behind_comment(text: bytes, at: int) -> int:
    level = 1
    while at < len(text):
        byte = text[at]
        at += 2 if byte == ord("\\") else 1
        level += (byte == ord("(")) - (byte == ord(")"))
        if level == 0:
            break
    return at


def _quoted(text: bytes, at: int) -> tuple[bytes, int]:
    """Return the unfolded text in quotes, and the position after it."""
    value = bytearray()
    while at < len(text):
        byte = text[at]
        at += 1
        if byte == ord('"'):
            break
        if byte == ord("\n"):
            value = value.rstrip(_SPACE)
            continue
        if byte == ord("\\"):
            if at == len(text):
                break
            byte = text[at]
            at += 1
        value.append(byte)
    return bytes(value), at
