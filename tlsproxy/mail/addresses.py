"""Mail addresses: SMTP paths, quoting, address extensions, domains and address literals (RFC 5321, RFC 822).

Texts are `str` as configuration is, with surrogate escapes for bytes that are not UTF-8. An address in internal form
has no quotes (`a b@example.org`), in external form it has those that it needs (`"a b"@example.org`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from postconf.syntax.lines import encode

from ..hostnames import is_hostname
from . import tokens
from .tokens import AddressTokens, is_control, parse

NULL = "<>"
_ATOM = r"[A-Za-z0-9_+=-]+"
_STANDARD = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_PLAIN = re.compile(r"[A-Za-z0-9._+-]*")
_NOT_IN_ATOMS = frozenset(' ()<>@,;:\\"[]')
_IPV6_PREFIX = "ipv6:"
_LONGEST_LITERAL = 45
"""Bytes in an address literal, without the brackets (INET6_ADDRSTRLEN)."""


class SmtpPath(NamedTuple):
    """The text between `<` and `>` in MAIL FROM or RCPT TO."""

    address: str
    """Internal form; empty for the null address, and where there is no address in it."""
    addresses: int
    """The number of addresses; no more than one is allowed."""
    has_extras: bool
    """True if there is more than an address: comments, phrases, punctuation (strict_rfc821_envelopes)."""


def parse_path(text: str) -> SmtpPath:
    """Parse a path as smtpd(8) does: comments, blanks outside quotes and source routes are dropped."""
    if is_standard(text):
        return SmtpPath(text, 1, False)
    if text.startswith("@"):
        _, colon, rest = text.partition(":")
        text = rest if colon else text
    nodes = parse(text)
    addresses = [node for node in nodes if isinstance(node, AddressTokens)]
    extras = [node for node in nodes if not isinstance(node, AddressTokens) and node.kind not in ("<", ">")]
    return SmtpPath(tokens.internal(addresses[-1].tokens) if addresses else "", len(addresses), bool(extras))


def is_standard(address: str) -> bool:
    """Return True for user@example.com without quotes or routing, as most are: there is nothing to parse or rewrite."""
    return _STANDARD.fullmatch(address) is not None


def split(address: str) -> tuple[str, str]:
    """Split an address in internal form at its last `@`; the domain may be empty."""
    local, at, domain = address.rpartition("@")
    return (local, domain) if at else (address, "")


def quoted(address: str, *, bare: bool = False) -> str:
    """Return the external form: the local part in quotes, where RFC 822 wants them (quote_822_local(3)).

    `bare`: True if it is a local part without a domain. Other characters than ASCII need no quotes.
    """
    start = 0
    if address.startswith("@"):
        start = address.find(":") + 1
    end = -1 if bare else address.rfind("@", start)
    if end < 0:
        end = len(address)
    local = address[start:end]
    if _is_dot_string(local):
        return address
    escaped = "".join(f"\\{each}" if each in '"\\\r' else each for each in local)
    return f'{address[:start]}"{escaped}"{address[end:]}'


def unquoted(address: str) -> str:
    """Return the internal form of an address in external form (unquote_822_local(3))."""
    if '"' not in address and "\\" not in address:
        return address
    position = address.find(":") + 1 if address.startswith("@") else 0
    pieces = [address[:position]]
    in_quotes = False
    before_domain, domain = 0, -1
    while position < len(address):
        character = address[position]
        if character == '"':
            in_quotes = not in_quotes
        else:
            if character == "@" and not in_quotes:
                before_domain, domain = len(pieces), position
            elif character == "\\":
                position += 1
                character = address[position : position + 1]
            pieces.append(character)
        position += 1
    if domain >= 0:
        return "".join(pieces[:before_domain]) + address[domain:]
    return "".join(pieces)


class Delimiters(NamedTuple):
    """The characters that begin an address extension, and the names that have none."""

    characters: str = ""
    """recipient_delimiter: any of these characters begins an extension."""
    double_bounce_sender: str = "double-bounce"
    owner_request_special: bool = True
    """True if `-` begins no extension in owner-list and list-request."""

    def split_local(self, local: str) -> tuple[str, str]:
        """Split a local part into user and extension, which keeps its delimiter; empty without one (split_addr(3))."""
        if not self.characters:
            return local, ""
        index = next((index for index, each in enumerate(local) if each in self.characters), -1)
        if index <= 0 or self._is_whole(local):
            return local, ""
        return local[:index], local[index:]

    def split(self, address: str) -> tuple[str, str]:
        """Split an address into itself without extension, and the extension with its delimiter (strip_addr(3))."""
        local, at, domain = address.rpartition("@")
        if not at:
            return self.split_local(address)
        user, extension = self.split_local(local)
        return (f"{user}@{domain}", extension) if extension else (address, "")

    def _is_whole(self, local: str) -> bool:
        name = ascii_lower(local)
        if name in ("postmaster", "mailer-daemon") or same(local, self.double_bounce_sender):
            return True
        if "-" not in self.characters or not self.owner_request_special:
            return False
        return name.startswith("owner-") or (len(name) > len("-request") and name.endswith("-request"))


def parent_domains(name: str, *, dotted: bool) -> Iterator[str]:
    """Yield the parents of a domain, up to the top-level domain; `dotted`: with a dot in front (access(5))."""
    position = 0
    while (position := name.find(".", position + 1)) >= 0:
        parent = name[position if dotted else position + 1 :]
        if not parent:
            break
        yield parent
        if not dotted:
            position += 1


def is_domain(name: str, *, smtputf8: bool) -> bool:
    """Return True for a host name, with `smtputf8` also for an internationalized one (valid_utf8_hostname(3))."""
    if name.isascii() or not smtputf8:
        return bool(name) and is_hostname(name)
    ascii_name = _with_ascii_labels(name)
    return ascii_name is not None and is_hostname(ascii_name)


def to_ascii(domain: str) -> str:
    """Return the ASCII form of an internationalized domain; the domain itself if it has none."""
    return domain if domain.isascii() else _with_ascii_labels(domain) or domain


def _with_ascii_labels(name: str) -> str | None:
    """Return a name with A-labels, None if it can't have them; symbols are allowed as in UTS 46, unlike IDNA 2008."""
    import idna

    try:
        mapped = idna.uts46_remap(name, std3_rules=False, transitional=False)
        return ".".join(map(_ascii_label, mapped.split(".")))
    except (idna.IDNAError, UnicodeError):
        return None


def _ascii_label(label: str) -> str:
    if label.isascii() and not label.startswith("xn--"):
        return label
    text = label[4:].encode().decode("punycode") if label.isascii() else label
    has_bad_hyphens = text[:1] == "-" or text[-1:] == "-" or text[2:4] == "--"
    if not text or has_bad_hyphens or unicodedata.category(text[0]).startswith("M"):
        raise UnicodeError("no label of a domain name (UTS 46, section 4.1)")
    return label if label.isascii() else "xn--" + label.encode("punycode").decode()


def literal_address(literal: str) -> str | None:
    """Return the IP address in an address literal, `[192.0.2.1]` or `[IPv6:2001:db8::1]`; None if invalid."""
    if not literal.startswith("[") or literal.find("]") != len(literal) - 1:
        return None
    return mailhost_address(literal[1:-1]) if len(encode(literal)) - 2 <= _LONGEST_LITERAL else None


def mailhost_address(text: str) -> str | None:
    """Return the IP address in the text between the brackets of an address literal, or None."""
    if ascii_lower(text).startswith(_IPV6_PREFIX):
        address = text[len(_IPV6_PREFIX) :]
        return address if is_ipv6(address) else None
    return text if is_ipv4(text) else None


def is_address(text: str) -> bool:
    """Return True for an IPv4 or IPv6 address (valid_hostaddr(3))."""
    return is_ipv6(text) if ":" in text else is_ipv4(text)


_OCTET = re.compile(r"[0-9]+")
_FIELD = re.compile(r"[0-9a-fA-F]{1,4}")


def is_ipv4(text: str) -> bool:
    """Return True for an IPv4 address; leading zeroes are allowed, a first octet of zero only in 0.0.0.0."""
    octets = text.split(".")
    if len(octets) != 4 or not all(_OCTET.fullmatch(each) for each in octets):
        return False
    values = [int(each.lstrip("0")[:4] or "0") for each in octets]
    return max(values) <= 255 and (values[0] != 0 or not text.strip("0."))


def is_ipv6(text: str) -> bool:
    """Return True for an IPv6 address, perhaps with an IPv4 address at its end; fields may be missing, as in 1:2:3."""
    head, dot, _ = text.partition(".")
    colons = head.count(":")
    if not 2 <= colons <= (6 if dot else 7):
        return False
    if dot:
        last = head.rpartition(":")[2]
        if len(last) > 4 or not is_ipv4(text[len(head) - len(last) :]):
            return False
        head = head[: len(head) - len(last)] + "0"
    if ":::" in head or head.count("::") > 1:
        return False
    if (head[0] == ":" and head[1] != ":") or (head[-1] == ":" and head[-2] != ":"):
        return False
    return all(not field or _FIELD.fullmatch(field) for field in head.split(":"))


def fold(text: str, *, utf8: bool = True) -> str:
    """Fold case, of other characters than ASCII only with `utf8` (casefold(3))."""
    if text.isascii() or not utf8:
        return ascii_lower(text)
    return text.casefold()


def same(left: str, right: str) -> bool:
    """Return True if two texts differ in nothing but case (strcasecmp_utf8(3))."""
    return fold(left) == fold(right)


_LOWER = {ord(each): each.lower() for each in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def ascii_lower(text: str) -> str:
    """Fold the case of ASCII letters only."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def _is_dot_string(local: str) -> bool:
    """Return True if a local part needs no quotes: atoms with dots between them."""
    if not local or local[0] == "." or local[-1] == "." or ".." in local:
        return False
    return _PLAIN.fullmatch(local) is not None or not any(each in _NOT_IN_ATOMS or is_control(each) for each in local)
