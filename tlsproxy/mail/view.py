"""A configuration as one mail daemon sees it: typed settings, and its tables and match lists, each opened once.

Different daemons see different values: smtpd(8) has the `-o` settings of its service in master.cf, trivial-rewrite(8)
and cleanup(8) have theirs, or those of main.cf.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import cached_property
from typing import Self

from maps import Flags, open_table
from postconf import ConfigError, Place, View
from postconf.files.regular import read_regular
from postconf.machine.host import own_addresses, protocol_families
from postconf.origins import place_of
from postconf.syntax.lines import decode
from postconf.values import InvalidValueError, boolean, integer, words

from . import addresses
from .addresses import Delimiters, literal_address
from .lookup import AddressLookup
from .matching import MatchList, PatternMatch, client_list, domain_list, matches_parents, string_list
from .tables import MAIL_FLAGS, MapList, Opener, Tables


class MailView:
    """Settings, tables and lists of a daemon; `view` is `config`, or `config.service(name, type)` for its settings."""

    def __init__(self, view: View, *, warn: Callable[[str], None] | None = None, opener: Opener = open_table) -> None:
        """`warn` receives Postfix's warnings; `opener` opens a table, by default `maps.open_table`."""
        self.view = view
        self.tables = Tables(view, warn=warn, opener=opener)
        self.warn = warn or _ignore
        self._booleans: dict[str, bool] = {}
        self._texts: dict[str, str] = {}
        self._lists: dict[tuple[str, str], MatchList] = {}
        self._parents: dict[str, bool] = {}

    def text(self, name: str) -> str:
        """Return an expanded value; raise `ConfigError` if it can't be expanded, KeyError for an unknown name."""
        if name not in self._texts:
            text = self.view[name]
            self._texts[name] = self._mail_name(text) if name == "myorigin" and text.startswith("/") else text
        return self._texts[name]

    def yes(self, name: str) -> bool:
        """Return True for yes, False for no; raise `ConfigError` for another value."""
        if name not in self._booleans:
            try:
                self._booleans[name] = boolean(name, self.text(name))
            except InvalidValueError as error:
                raise ConfigError(error.message, self.place(name), error.remedy) from None
        return self._booleans[name]

    def number(self, name: str) -> int:
        """Return the value of a numerical parameter; raise `ConfigError` if it is invalid or out of range."""
        try:
            return integer(self.view.config.release.parameter(name), self.text(name))
        except InvalidValueError as error:
            raise ConfigError(error.message, self.place(name), error.remedy) from None

    def words(self, name: str) -> tuple[str, ...]:
        """Return the elements of a list without tables."""
        return words(self.text(name))

    def place(self, name: str) -> Place | None:
        """Return the place of a parameter's setting; None for a built-in default."""
        return place_of(self.view, name)

    def maps(self, name: str, flags: Flags = MAIL_FLAGS) -> MapList:
        """Return the tables of a parameter."""
        return self.tables.maps(name, flags)

    def strings(self, name: str) -> MatchList:
        """Return a list of exact strings."""
        return self._list(string_list, name)

    def domains(self, name: str) -> MatchList:
        """Return a list of domains and their subdomains."""
        return self._list(domain_list, name)

    def clients(self, name: str) -> MatchList:
        """Return a list of names and addresses of clients."""
        return self._list(client_list, name)

    def matches_parents(self, name: str) -> bool:
        """Return True if domains in this parameter match subdomains (parent_domain_matches_subdomains)."""
        if name not in self._parents:
            self._parents[name] = matches_parents(self.tables, name)
        return self._parents[name]

    @cached_property
    def smtputf8(self) -> bool:
        """True if other characters than ASCII are UTF-8 (smtputf8_enable)."""
        return self.yes("smtputf8_enable")

    @cached_property
    def delimiters(self) -> Delimiters:
        """The rules for address extensions."""
        return Delimiters(
            self.text("recipient_delimiter"), self.text("double_bounce_sender"), self.yes("owner_request_special")
        )

    @cached_property
    def addresses(self) -> AddressLookup:
        """The lookup of addresses in tables."""
        return AddressLookup(self.delimiters, self._is_local_for_lookups)

    @cached_property
    def own_addresses(self) -> dict[tuple[str, bytes], str]:
        """The addresses of inet_interfaces and proxy_interfaces, as (family, bytes), with the parameter's name.

        An address that no interface of this machine has counts too: the configuration may be another machine's.
        Raises `ConfigError` for a name without address.
        """
        host, interfaces, protocols = self.view.config.host, self.text("inet_interfaces"), self.text("inet_protocols")
        families = protocol_families(protocols)
        if interfaces in ("all", "loopback-only"):
            own = [(each.family, each.address) for each in own_addresses(host, interfaces, protocols)]
        else:
            own = self._resolved("inet_interfaces", families)
        proxied = self._resolved("proxy_interfaces", families)
        return dict.fromkeys(proxied, "proxy_interfaces") | dict.fromkeys(own, "inet_interfaces")

    def local(self, domain: str) -> PatternMatch | None:
        """Return the match that makes a domain local: in mydestination, or an address literal of an own interface.

        Raises `TableLookupError` (resolve_local(3)).
        """
        domain = domain.removesuffix(".")
        if not domain or domain.endswith("."):
            return None
        match = self.strings("mydestination").match(domain)
        return match if match else self._own_literal(domain)

    def close(self) -> None:
        """Close the tables."""
        self.tables.close()

    def _mail_name(self, path: str) -> str:
        """Return the name in a file such as /etc/mailname, which Debian's Postfix takes for myorigin."""
        remedy = f"write the name that mail comes from to the first line of {path}"
        try:
            name = decode(read_regular(path)).partition("\n")[0].strip()
        except OSError as error:
            raise ConfigError(f"myorigin: open {path}: {error.strerror}", self.place("myorigin"), remedy) from None
        if not addresses.is_domain(name, smtputf8=False):
            raise ConfigError(f'myorigin: no host name in {path}: "{name}"', self.place("myorigin"), remedy)
        return name

    def _own_literal(self, domain: str) -> PatternMatch | None:
        address = literal_address(domain)
        if address is None:
            return None
        family, name = ("ipv6", socket.AF_INET6) if ":" in address else ("ipv4", socket.AF_INET)
        try:
            packed = socket.inet_pton(name, address)
        except OSError:
            return None
        parameter = self.own_addresses.get((family, packed))
        return PatternMatch(True, domain, address, self.place(parameter), parameter) if parameter else None

    def _is_local_for_lookups(self, domain: str) -> bool:
        return addresses.same(domain, self.text("myorigin")) or self.local(domain) is not None

    def _resolved(self, name: str, families: list[str]) -> list[tuple[str, bytes]]:
        found: list[tuple[str, bytes]] = []
        for word in self.words(name):
            resolved = [each for each in self.view.config.host.resolve(word.strip("[]")) if each[0] in families]
            if not resolved:
                message = f"config variable {name}: host not found: {word}"
                raise ConfigError(message, self.place(name), "specify names or addresses of network interfaces")
            found += resolved
        return found

    def _list(self, make: Callable[[Tables, str], MatchList], name: str) -> MatchList:
        key = (make.__name__, name)
        if key not in self._lists:
            self._lists[key] = make(self.tables, name)
        return self._lists[key]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _ignore(_warning: str) -> None:
    """Take a warning that has no receiver."""
