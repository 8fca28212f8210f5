"""Local routing: an address without the local domains that it is routed through.

user%other@local becomes user@other, which may be local again; quoted local parts are opened, since others do so.
"""

from __future__ import annotations

from typing import NamedTuple

from ...errors import TlsproxyError
from .. import tokens
from ..addresses import quoted
from ..matching import PatternMatch
from ..tokens import QUOTED, Token, append, find_last, operator, scan
from ..view import MailView
from .rewriting import Rewriter


class Stripped(NamedTuple):
    """An address without local domains."""

    parts: list[Token]
    domain: list[Token] | None
    """The local domain that was stripped last, with its `@`; None if the address has a remote domain."""
    match: PatternMatch | None
    """The pattern that made it local."""


class EndlessRoutingError(TlsproxyError, ValueError):
    """An address that never comes to an end; mail to it is deferred."""


class LocalRouting:
    """Strips local domains by the settings of a view."""

    def __init__(self, view: MailView, rewriter: Rewriter) -> None:
        self._view = view
        self._rewriter = rewriter
        self._dequotes = view.yes("resolve_dequoted_address")
        self._null_domain = view.yes("resolve_null_domain")

    def strip(self, address: str) -> Stripped:
        """Strip local domains off an address in internal form; raise `TableLookupError`, `EndlessRoutingError`."""
        parts = scan(quoted(address))
        saved: list[Token] | None = None
        match: PatternMatch | None = None
        for _ in range(len(address) + 101):
            self._strip_empty_domain(parts)
            at = find_last(parts, "@")
            if at >= 0:
                match = None
                if at < len(parts) - 1:
                    match = self._view.local(tokens.internal(parts[at + 1 :]))
                    if match is None:
                        return Stripped(parts, None, None)
                saved = parts[at:]
                del parts[at:]
            if self._has_routing(parts):
                self._rewriter.rewrite(parts)
            elif self._can_be_opened(parts):
                self._open_quotes(parts)
            elif not parts or (len(parts) == 1 and parts[0].kind == QUOTED and not parts[0].text):
                parts = scan(self._view.text("empty_address_recipient"))
            elif saved is None:
                append(parts, [operator("@"), *scan(self._view.text("myhostname"))])
            else:
                return Stripped(parts, saved, match)
        raise EndlessRoutingError(f"resolve_addr: <{address}>: giving up after {len(address) + 101} iterations")

    def _strip_empty_domain(self, parts: list[Token]) -> None:
        if len(parts) > 1 and parts[-1].kind == "." and parts[-2].kind not in (".", "@") and find_last(parts, "@") >= 0:
            del parts[-1]
        if self._null_domain and parts and parts[-1].kind == "@":
            del parts[-1]

    def _has_routing(self, parts: list[Token]) -> bool:
        return (
            find_last(parts, "@") >= 0
            or (self._rewriter.swap_bangpath and find_last(parts, "!") >= 0)
            or (self._rewriter.allow_percent_hack and find_last(parts, "%") >= 0)
        )

    def _can_be_opened(self, parts: list[Token]) -> bool:
        """Return True for a quoted local part with routing in it."""
        return self._dequotes and len(parts) == 1 and parts[0].kind == QUOTED and self._operator(parts[0].text) >= 0

    def _operator(self, local: str) -> int:
        """Return the position of the effective routing operator, or -1."""
        position = local.rfind("@")
        if position < 0 and self._rewriter.allow_percent_hack:
            position = local.rfind("%")
        if position < 0 and self._rewriter.swap_bangpath:
            position = local.rfind("!")
        return position

    def _open_quotes(self, parts: list[Token]) -> None:
        local = parts[0].text
        position = self._operator(local)
        if local[position] != "!":
            local = quoted(f"{local[:position]}@{local[position + 1 :]}")
        parts[:] = scan(local)
        if parts:
            self._rewriter.rewrite(parts)
