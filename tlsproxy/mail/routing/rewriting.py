"""Address rewriting: to the standard form user@domain, as trivial-rewrite(8) does it for local clients.

Source routes are stripped, site!user and user%domain become user@domain, and incomplete addresses get $myorigin and
$mydomain.
"""

from __future__ import annotations

from .. import tokens
from ..addresses import is_standard, quoted, unquoted
from ..tokens import LITERAL, QUOTED, Token, append, find, find_last, operator, prepend, scan
from ..view import MailView

_AT, _DOT = operator("@"), operator(".")


class Rewriter:
    """Rewrites addresses by the settings of a view: main.cf's, or that of the rewrite service."""

    def __init__(self, view: MailView) -> None:
        """Raise `ConfigError` for a bad setting."""
        self.swap_bangpath = view.yes("swap_bangpath")
        self.allow_percent_hack = view.yes("allow_percent_hack")
        self._origin = view.text("myorigin") if view.yes("append_at_myorigin") else ""
        self._domain = view.text("mydomain") if view.yes("append_dot_mydomain") else ""

    def internal(self, address: str) -> str:
        """Rewrite an address in internal form."""
        if is_standard(address):
            return address
        return unquoted(self.external(quoted(address)))

    def external(self, address: str) -> str:
        """Rewrite an address in external form."""
        parts = scan(address)
        if not parts:
            return address
        self.rewrite(parts)
        return quoted(tokens.internal(parts))

    def rewrite(self, parts: list[Token]) -> None:
        """Rewrite the tokens of an address, of which there is at least one, in place."""
        if len(parts) == 1 and parts[0].kind == QUOTED and not parts[0].text:
            return
        if len(parts) == 1 and parts[0].kind == "@":
            parts[:] = [Token(QUOTED, tight=True)]
            return
        if parts[0].kind == "@" and 0 <= (colon := find(parts, ":")) < len(parts) - 1:
            del parts[: colon + 1]
        if find_last(parts, "@") < 0:
            self._add_domain(parts)
        at = find_last(parts, "@")
        if self._domain and 0 <= at < len(parts) - 1 and find(parts, LITERAL, at) < 0 and find(parts, ".", at) < 0:
            append(parts, [_DOT, *scan(self._domain)])
        if len(parts) > 1 and parts[-1].kind == "." and parts[-2].kind not in (".", "@"):
            del parts[-1]

    def _add_domain(self, parts: list[Token]) -> None:
        """Make user@domain of an address without `@`."""
        if self.swap_bangpath and (bang := find(parts, "!")) >= 0:
            user = parts[bang + 1 :]
            del parts[bang:]
            prepend(parts, [_AT])
            prepend(parts, user)
        elif self.allow_percent_hack and (percent := find_last(parts, "%")) >= 0:
            parts[percent] = parts[percent]._replace(kind="@")
        elif self._origin:
            append(parts, [_AT, *scan(self._origin)])
