"""Lookup of mail addresses in tables: the keys that are derived from an address, in the order of mail_addr_find(3).

An address is looked up whole, then without its extension, then by parts of it: which parts, and in which order, depends
on the use (`Order`).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from .addresses import Delimiters, parent_domains, quoted
from .tables import Found, MapList


class Order(Enum):
    """The parts of an address that are looked up after it, first one first."""

    MAIL = "the user if the domain is local, @domain"
    """canonical(5), virtual(5), relocated(5), smtpd_sender_login_maps and others."""
    DOMAINS = "the domain, its parents"
    """transport(5)."""
    ACCESS = "the domain, its parents, user@"
    """access(5)."""


class MailFound(NamedTuple):
    """The answer for an address."""

    found: Found
    extension: str
    """The extension with its delimiter, if the key does not contain it; otherwise empty."""


class AddressLookup:
    """Looks addresses up, all of them in internal form."""

    def __init__(self, delimiters: Delimiters, is_local: Callable[[str], bool]) -> None:
        """`is_local(domain)`: True for domains whose users are looked up without it; may raise `TableLookupError`."""
        self.delimiters = delimiters
        self._is_local = is_local

    def find(
        self,
        maps: MapList,
        address: str,
        order: Order = Order.MAIL,
        *,
        parents: bool = True,
        internal_form: bool = True,
    ) -> MailFound | None:
        """Return the first answer, or None; raise `TableLookupError`.

        `parents`: True if a domain matches its subdomains, else `.domain` does. `internal_form`: True if each key that
        needs quotes is looked up without them, too.
        """
        if not maps:
            return None
        query = _Query(maps, internal_form)
        bare, extension = self.delimiters.split(address)
        found = query.find(address, partial=False)
        if found is not None:
            return MailFound(found, "")
        if extension:
            found = query.find(bare)
            if found is not None:
                return MailFound(found, extension)
        local, at, domain = address.rpartition("@")
        if not at:
            return None
        users = (address[: len(local)], bare[: len(bare) - len(domain) - 1]) if extension else (local,)
        if order is Order.MAIL:
            if self._is_local(domain):
                for user, unmatched in zip(users, ("", extension), strict=False):
                    found = query.find(user, bare=True)
                    if found is not None:
                        return MailFound(found, unmatched)
            found = maps.find(f"@{domain}", partial=True)
            return None if found is None else MailFound(found, "")
        if domain:
            for name in (domain, *parent_domains(domain, dotted=not parents)):
                found = maps.find(name, partial=True)
                if found is not None:
                    return MailFound(found, "")
        if order is Order.ACCESS:
            for user, unmatched in zip(users, ("", extension), strict=False):
                found = query.find(f"{user}@")
                if found is not None:
                    return MailFound(found, unmatched)
        return None


class _Query(NamedTuple):
    maps: MapList
    internal_form: bool

    def find(self, key: str, *, partial: bool = True, bare: bool = False) -> Found | None:
        """Look a key up in external form first, then in internal form if that is another one."""
        outer = quoted(key, bare=bare)
        found = self.maps.find(outer, partial=partial)
        if found is None and self.internal_form and outer != key:
            return self.maps.find(key, partial=partial)
        return found
