"""Address mapping: the addresses that a table has for an address, each in standard form, with the unmatched extension.

canonical(5) maps one address to one, virtual(5) one to many, both again and again (mail_addr_map(3), cleanup(8)).
"""

from __future__ import annotations

from collections.abc import Callable

from postconf.syntax.lines import encode

from ...errors import TlsproxyError
from .. import tokens
from ..addresses import NULL, fold, quoted, unquoted
from ..tables import Found, MapList, TableLookupError
from ..tokens import AddressTokens, parse
from ..view import MailView
from .rewriting import Rewriter

_CANONICAL_LIMIT = 10
"""Number of times that an address is mapped by one canonical table (MAX_RECURSION of cleanup_map11)."""

Note = Callable[[str, str, Found], None]
"""Receives each step: the address before, after, and the entry."""


class ExpansionError(TlsproxyError):
    """Aliases that grow beyond a limit; the message with them is deferred."""

    def __init__(self, parameter: str, address: str, problem: str) -> None:
        super().__init__(f"unreasonable virtual_alias_maps map {problem} for {address}")
        self.parameter = parameter
        """The limit."""
        self.address = address


class AddressMapper:
    """Maps addresses, in internal form, by the tables of a view."""

    def __init__(self, view: MailView, rewriter: Rewriter) -> None:
        self._view = view
        self._rewriter = rewriter
        self._expansion_limit = view.number("virtual_alias_expansion_limit")
        self._recursion_limit = view.number("virtual_alias_recursion_limit")
        self._length_limit = view.number("virtual_alias_address_length_limit")

    def map(self, maps: MapList, address: str, *, propagate: bool) -> tuple[Found, list[str]] | None:
        """Return the entry for an address, and the addresses in it; None without one. Raises `TableLookupError`.

        `propagate`: True if an extension that the key does not have is added to each address.
        """
        answer = self._view.addresses.find(maps, address, internal_form=False)
        if answer is None:
            return None
        found, extension = answer
        value = found.value
        if value.startswith("@"):
            local = address.rpartition("@")[0] if "@" in address else address
            value = quoted(local.removesuffix(extension) + value)
        results = [
            self._result(node, extension if propagate else "")
            for node in parse(_null_quoted(value))
            if isinstance(node, AddressTokens)
        ]
        if not results:
            raise TableLookupError(found.parameter, found.table, found.key, f'non-address result "{value}"')
        return found, results

    def map_once(self, maps: MapList, address: str, *, propagate: bool, note: Note) -> str:
        """Map an address to another one, until there is no entry or an address maps to itself (canonical(5))."""
        for _ in range(_CANONICAL_LIMIT):
            answer = self.map(maps, address, propagate=propagate)
            if answer is None:
                return address
            found, (result, *_) = answer
            if result != address:
                note(address, result, found)
            if self._same(result, address):
                return result
            address = result
        return address

    def expand(self, maps: MapList, address: str, *, propagate: bool, note: Note) -> list[str]:
        """Return the recursive expansion of an address (virtual(5)); raise `ExpansionError`, `TableLookupError`."""
        results = [address]
        complete: set[str] = set()  # those that expanded to themselves, too
        position = 0
        while position < len(results):
            if len(results) > self._expansion_limit:
                raise ExpansionError("virtual_alias_expansion_limit", address, "expansion size")
            depth = 0
            while self._folded(results[position]) not in complete:
                if depth >= self._recursion_limit:
                    raise ExpansionError("virtual_alias_recursion_limit", address, "nesting")
                answer = self.map(maps, results[position], propagate=propagate)
                if answer is None:
                    break
                depth += 1
                self._replace(results, position, answer, complete, note)
            position += 1
        return results

    def _replace(
        self, results: list[str], position: int, answer: tuple[Found, list[str]], complete: set[str], note: Note
    ) -> None:
        """Put addresses in the place of one, the first in its position and the others at the end."""
        found, addresses = answer
        before = results[position]
        for number, each in enumerate(addresses):
            if len(encode(each)) > self._length_limit:
                raise ExpansionError("virtual_alias_address_length_limit", before, "result length")
            if number == 0:
                results[position] = each
            else:
                results.append(each)
            if self._same(each, before):
                complete.add(self._folded(before))
            note(before, each, found)

    def _result(self, node: AddressTokens, extension: str) -> str:
        address = unquoted(self._rewriter.external(tokens.external(node.tokens)))
        if not extension:
            return address
        local, at, domain = address.rpartition("@")
        return f"{local}{extension}@{domain}" if at else address + extension

    def _folded(self, address: str) -> str:
        return fold(address, utf8=self._view.smtputf8)

    def _same(self, left: str, right: str) -> bool:
        return self._folded(left) == self._folded(right)


def _null_quoted(value: str) -> str:
    """Return the null address in a form that is parsed as an address."""
    return '""' if value in ("", NULL) else value
