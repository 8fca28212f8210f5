"""Replies of smtpd(8): code, enhanced status (RFC 3463) and text, made to fit each other, and the reject footer.

All functions are pure. Their results are those that the client sees, byte for byte. So smtpd(8)'s own corrections are
made here: of bad codes, of status codes that do not fit the rejected part, and of long or non-printing text.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from postconf.syntax.expressions import ExpressionError, expand
from postconf.syntax.lines import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_DSN = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?=[ \t\n\v\f\r]|$)")
_SPACE = " \t\n\v\f\r"
_MAX_LENGTH = 510
"""Bytes of a reply, without the end of the line (RFC 5321, section 4.5.3.1.5)."""
_SENDER_STATUS = {"1": "7", "2": "8", "3": "7", "4": "7", "5": "0", "6": "7", "7": "7", "8": "8"}
_RECIPIENT_STATUS = {"1": "1", "2": "2", "3": "3", "4": "4", "5": "5", "6": "6", "7": "3", "8": "2"}
SENDER_CLASS = "Sender address"
RECIPIENT_CLASS = "Recipient address"
_UNAVAILABLE = "450 4.7.1 Service unavailable"
_ENDS_SESSION = (421, 521)
_UNPRINTABLE = re.compile(rb"([\xc2-\xfe][\x80-\xbf]+)|[^ -~]")
_UNPRINTABLE_ASCII = re.compile(rb"(?!)()|[^ -~]")
"""The first group is for text that looks unprintable and is not."""


class Reply(NamedTuple):
    """One reply. `text` is all behind the code of each line, the lines joined with a newline."""

    code: int
    text: str

    @property
    def is_good(self) -> bool:
        """True for 2xx and 3xx."""
        return self.code < 400

    @property
    def ends_session(self) -> bool:
        """True if smtpd(8) hangs up behind it."""
        return self.code in _ENDS_SESSION

    def __str__(self) -> str:
        lines = self.text.split("\n")
        return "\n".join([*(f"{self.code}-{line}" for line in lines[:-1]), f"{self.code} {lines[-1]}"])


def split_status(default: str, text: str) -> tuple[str, str]:
    """Split text that may begin with an enhanced status code; return the code, or the default, and the rest."""
    text = text.lstrip(_SPACE)
    match = _DSN.match(text)
    if match is None:
        return default, text
    return match.group(), text[match.end() :].lstrip(_SPACE)


def fix_status(status: str, subject: str) -> str:
    """Make an address status (x.1.y) fit the class of the rejected part, as smtpd_dsn_fix does."""
    if status[1:4] != ".1.":
        return status
    if subject == SENDER_CLASS:
        return f"{status[0]}.1.{_SENDER_STATUS.get(status[4:], '0')}"
    if subject == RECIPIENT_CLASS:
        return f"{status[0]}.1.{_RECIPIENT_STATUS.get(status[4:], '0')}"
    return f"{status[0]}.0.0"


def rejection(code: int, status: str, text: str, *, utf8: bool = True) -> str:
    """Put the parts of a rejection together: `CODE STATUS TEXT`, corrected where smtpd(8) would not send it.

    `utf8`: True if other characters than ASCII are printable (smtputf8_enable).
    """
    reply = f"{code} {status} {text}"
    if not 400 <= code <= 599 or not _DSN.match(status):
        reply = _UNAVAILABLE
    if len(reply) > _MAX_LENGTH or not reply.isascii():
        reply = decode(encode(reply)[:_MAX_LENGTH])
    reply = printable(reply, " ", utf8=utf8)
    return f"{reply[:4]}{reply[0]}{reply[5:]}"


def soften(reply: str) -> str:
    """Turn a 5xx reply into a 4xx one, for soft_bounce."""
    if not reply.startswith("5"):
        return reply
    return f"4{reply[1:4]}{'4' if reply[4:5] == '5' else reply[4:5]}{reply[5:]}"


def printable(text: str, replacement: str, *, utf8: bool = True) -> str:
    """Replace each byte that is not printable: control characters, and bytes that are not UTF-8 (printable(3))."""
    if text.isascii():
        return text if text.isprintable() else "".join(each if each.isprintable() else replacement for each in text)
    pattern = _UNPRINTABLE if utf8 else _UNPRINTABLE_ASCII
    return decode(pattern.sub(lambda match: match.group(1) or encode(replacement), encode(text)))


def with_footer(reply: str, footer: str, expand_text: Callable[[str], str]) -> str:
    r"""Add the text of smtpd_reject_footer to a reply of one line; return its lines, joined with CR LF.

    `\n` in the footer begins a new line, `\c` at its begin continues the reply. `expand_text` expands the attributes in
    a part; if it raises `ExpressionError`, the footer is left out.
    """
    status = _DSN.match(reply, 4)
    prefix = f"{status.group()} " if status else ""
    lines = [reply]
    for index, part in enumerate(footer.split("\\n")):
        joins = index == 0 and part.startswith("\\c")
        try:
            text = expand_text(part[2:] if joins else part)
        except ExpressionError:
            return reply
        if joins:
            lines[-1] += text
        else:
            lines.append(f"{reply[:3]} {prefix}{text}")
    return "\r\n".join([*(f"{line[:3]}-{line[4:]}" for line in lines[:-1]), lines[-1]])


def expand_attributes(text: str, lookup: Callable[[str], str | None], warn: Callable[[str], None]) -> str:
    """Expand `$name` in a template; values are not expanded in turn, since clients choose them. `ExpressionError`."""
    return expand(text, lookup, warn, is_verbatim=lambda _name: True)


def parse(reply: str) -> Reply:
    """Turn the text of a reply, perhaps of several lines, into a `Reply`."""
    lines = reply.split("\r\n")
    return Reply(int(lines[-1][:3]), "\n".join(line[4:] for line in lines))
