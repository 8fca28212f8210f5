"""ldap: a search in a directory (ldap_table(5)); needs ldap3."""

from __future__ import annotations

import encodings.idna  # noqa: F401  for getaddrinfo(3): it can't be imported after chroot(2)
import ssl
from typing import NamedTuple
from urllib.parse import unquote

import ldap3
from ldap3.core.exceptions import LDAPException

from postconf.syntax.lines import decode

from ...folding import APPLICATION_ERROR
from ...naming import split_list
from ...servers.database import Domains, Parameters, QueryTemplates
from ...table import Flags, Table, TableError, TemporaryLookupError, require_reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Literal

    from ...table import Access

    Entry = dict[str, list[bytes]]
    Scope = Literal["BASE", "LEVEL", "SUBTREE"]

SCOPES: dict[str, Scope] = {"sub": "SUBTREE", "one": "LEVEL", "base": "BASE"}
DEREFERENCE = (ldap3.DEREF_NEVER, ldap3.DEREF_SEARCH, ldap3.DEREF_BASE, ldap3.DEREF_ALWAYS)
BIND = {"yes": True, "simple": True, "no": False, "none": False}
SUCCESS = 0
NO_SUCH_OBJECT = 32


def open_table(name: str, access: Access) -> Table:
    """Return a table that connects at the first lookup."""
    require_reading("ldap", name, access)
    return LdapTable(name, access)


class _SearchError(Exception):
    """Failed search; `code` is the server's, -1 without an answer."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


class _Search(NamedTuple):
    """Parameters of a search (RFC 4511, section 4.5)."""

    base: str
    scope: Scope
    filter: str
    attributes: list[str]


class LdapTable(Table):
    """Directory on one of several servers."""

    def __init__(self, name: str, access: Access) -> None:
        super().__init__("ldap", name, access.flags | Flags.FIXED)
        parameters = Parameters(name, access)
        self._warn = access.warn
        self._directory = _Directory(name, parameters, access)
        self._scope = self._choice(parameters.text("scope", "sub", needed=True))
        base, query = parameters.text("search_base"), parameters.text("query_filter", "(mailacceptinggeneralid=%s)")
        result = parameters.text("result_format") or parameters.text("result_filter", "%s", needed=True)
        self._base = QueryTemplates("ldap", name, base, result, access)
        self._templates = QueryTemplates("ldap", name, query, result, access)
        if not self._templates.depends_on_key:
            self._warn(f"dict_ldap_open: {name}: Fixed query_filter {query} is probably useless")
        self._domains = Domains(parameters, access)
        names = [f"{kind}result_attribute" for kind in ("terminal_", "leaf_", "", "special_")]
        defaults = ("", "", "maildrop", "")
        lists = [split_list(parameters.text(each, default)) for each, default in zip(names, defaults, strict=True)]
        self._terminal, self._leaf, self._regular, self._special = lists
        self._wanted = [attribute for each in lists for attribute in each]
        self._recursion_limit = parameters.number("recursion_limit", 1000, 1)
        self._limit = parameters.number("expansion_limit", 0)
        self._size_limit = parameters.number("size_limit", self._limit)

    def lookup(self, key: bytes) -> bytes | None:
        if not _is_valid(key) or not self._domains.allow(key):
            return None
        base = self._base.query(key, _quoted_in_name)
        query = None if base is None else self._templates.query(key, _quoted_in_filter)
        if base is None or query is None:
            return None
        try:
            entries = self._search(_Search(decode(base), self._scope, decode(query), self._wanted))
        except _SearchError as error:
            if error.code != NO_SUCH_OBJECT:
                self._warn(f"dict_ldap_lookup: Search error {error}")
            elif self._base.depends_on_key:
                return None
            else:
                self._warn(f"dict_ldap_lookup: {self.name}: Search base '{decode(base)}' not found: {error}")
            raise TemporaryLookupError(APPLICATION_ERROR) from error
        return b",".join(self._results(entries, key)) or None

    def close(self) -> None:
        self._directory.close()

    def _search(self, search: _Search) -> list[Entry]:
        return self._directory.search(search, self._size_limit)

    def _choice(self, scope: str) -> Scope:
        if scope.lower() not in SCOPES:
            self._warn(f"dict_ldap_open: {self.name}: Unrecognized value {scope} specified for scope; using sub")
        return SCOPES.get(scope.lower(), "SUBTREE")

    def _results(self, entries: list[Entry], key: bytes) -> list[bytes]:
        """Return the results of the entries; results of referenced entries are at the place of the reference."""
        results: list[bytes] = []
        pending = [self._values(entries, 1)]
        while pending:
            item = next(pending[-1], None)
            if item is None:
                pending.pop()
            elif isinstance(item, list):
                pending.append(self._values(item, len(pending) + 1))
            elif (result := self._templates.result(item, key)) is not None:
                results.append(result)
                if self._limit and len(results) > self._limit:
                    raise self._failure(len(pending), f"Expansion limit exceeded for key: '{decode(key)}'")
        return results

    def _values(self, entries: list[Entry], depth: int) -> Iterator[bytes | list[Entry]]:
        """Yield the values of entries, and lists of entries for references."""
        is_terminal, is_leaf = False, True  # as in Postfix, an entry also affects the entries after it
        for number, entry in enumerate(entries, 1):
            if self._size_limit and number > self._size_limit:
                raise self._failure(depth, f"Query size limit ({self._size_limit}) exceeded")
            is_terminal = is_terminal or _has(entry, self._terminal)
            is_leaf = is_leaf and (is_terminal or not _has(entry, self._special))
            for attribute, values in entry.items():
                if not values:
                    continue
                if _is_any(attribute, self._terminal):
                    yield from values
                elif is_terminal:
                    continue
                elif _is_any(attribute, self._leaf):
                    if is_leaf:
                        yield from values
                elif _is_any(attribute, self._regular):
                    yield from values
                elif _is_any(attribute, self._special):
                    if depth >= self._recursion_limit:
                        what = f"{attribute}={decode(values[0])}"
                        raise self._failure(depth, f"Recursion limit exceeded for special attribute {what}")
                    for value in values:
                        yield self._referred(value, depth)

    def _referred(self, value: bytes, depth: int) -> list[Entry]:
        """Return the entries for a name or a URL."""
        text, place = decode(value), f"dict_ldap_get_values[{depth}]"
        search: _Search | None = _Search(text, "BASE", "(objectclass=*)", self._wanted)
        if text.lower().startswith(("ldap://", "ldaps://", "ldapi://")):
            search = _search_of_url(text, self._wanted)
            if search is None:
                self._warn(f"{place}: malformed URL {text}")
                raise TemporaryLookupError(APPLICATION_ERROR)
        if search is None or not search.attributes:
            return []
        try:
            return self._search(search)
        except _SearchError as error:
            if error.code == NO_SUCH_OBJECT:
                self._warn(f"{place}: DN {text} not found, skipping ")
                return []
            self._warn(f"{place}: search error {error}")
            raise TemporaryLookupError(APPLICATION_ERROR) from error

    def _failure(self, depth: int, text: str) -> TemporaryLookupError:
        self._warn(f"dict_ldap_get_values[{depth}]: {self.name}: {text}")
        return TemporaryLookupError(APPLICATION_ERROR)


class _Directory:
    """Servers of a table, with the connection to one of them."""

    def __init__(self, name: str, parameters: Parameters, access: Access) -> None:
        self._warn = access.warn
        self._timeout = parameters.number("timeout", 10)
        self._start_tls = parameters.flag("start_tls", False)
        bind = parameters.text("bind", "yes", needed=True).lower()
        if bind not in BIND:
            raise TableError(f"{name}: unsupported parameter value: bind = {bind}")
        dereference = parameters.number("dereference", 0)
        self._dereference = DEREFERENCE[dereference if dereference < len(DEREFERENCE) else 0]
        port = parameters.number("server_port", 389)
        hosts = split_list(parameters.text("server_host", "localhost", needed=True))
        self._urls = [_url(host, port) for host in hosts]
        self._bind_dn = parameters.text("bind_dn") if BIND[bind] else ""
        version = parameters.number("version", 2, 2)
        self._version = 3 if self._start_tls or any(not url.startswith("ldap:") for url in self._urls) else version
        self._options: dict[str, Any] = {
            "authentication": ldap3.SIMPLE if self._bind_dn else ldap3.ANONYMOUS,
            "user": self._bind_dn or None,
            "password": parameters.text("bind_pw") if self._bind_dn else None,
            "auto_referrals": parameters.flag("chase_referrals", False),
        }
        self._binds = BIND[bind]
        self._tls = _tls_options(parameters)
        self._connection: ldap3.Connection | None = None

    def search(self, search: _Search, limit: int) -> list[Entry]:
        """Search, on a new connection if needed; raise `_SearchError` or `TemporaryLookupError`."""
        if self._connection:
            try:
                return self._search(self._connection, search, limit)
            except LDAPException:
                self.close()
        self._connection = self._connect()
        try:
            return self._search(self._connection, search, limit)
        except LDAPException as error:
            self.close()
            raise _SearchError(-1, str(error)) from error

    def close(self) -> None:
        if self._connection:
            _end(self._connection)
            self._connection = None

    def _search(self, connection: ldap3.Connection, search: _Search, limit: int) -> list[Entry]:
        connection.search(
            search.base,
            search.filter if search.filter.lstrip().startswith("(") else f"({search.filter})",
            search.scope,
            dereference_aliases=self._dereference,
            attributes=search.attributes,
            size_limit=limit,
            time_limit=self._timeout,
        )
        result = connection.result
        if result["result"] != SUCCESS:
            raise _SearchError(result["result"], result["description"])
        return [entry["raw_attributes"] for entry in connection.response or () if entry["type"] == "searchResEntry"]

    def _connect(self) -> ldap3.Connection:
        text = "no server"
        for url in self._urls:
            try:
                connection = self._connected(url)
            except (LDAPException, OSError) as error:
                text = f"-1 ({error})"
            else:
                if connection.result is None or connection.result["result"] == SUCCESS:
                    return connection
                text = f"{connection.result['result']} ({connection.result['description']})"
                _end(connection)
        dn = self._bind_dn or "empty or implicit"
        self._warn(f"dict_ldap_connect: Unable to bind to server {' '.join(self._urls)} with dn {dn}: {text}")
        raise TemporaryLookupError(APPLICATION_ERROR)

    def _connected(self, url: str) -> ldap3.Connection:
        uses_tls = self._start_tls or url.startswith("ldaps:")
        server = ldap3.Server(
            url,
            get_info=ldap3.NONE,
            tls=ldap3.Tls(**self._tls) if uses_tls else None,
            connect_timeout=self._timeout or None,
            allowed_referral_hosts=[("*", False)],
        )
        connection = ldap3.Connection(
            server,
            auto_bind=ldap3.AUTO_BIND_NONE,
            version=self._version,
            check_names=False,
            auto_escape=False,
            receive_timeout=self._timeout or None,
            **self._options,
        )
        connection.open(read_server_info=False)
        if self._start_tls:
            connection.start_tls(read_server_info=False)
        if self._binds:
            connection.bind(read_server_info=False)
        return connection


def _end(connection: ldap3.Connection) -> None:
    try:
        connection.unbind()
    except (LDAPException, OSError):
        return  # already closed


def _url(host: str, port: int) -> str:
    if "://" in host:
        scheme, _, rest = host.partition("://")
        return f"{scheme.lower()}://{rest.rstrip('/')}"
    return f"ldap://{host}" if ":" in host else f"ldap://{host}:{port}"


def _search_of_url(url: str, wanted: list[str]) -> _Search | None:
    """Return the search of a URL (RFC 4516), limited to these attributes; None if it is malformed."""
    _, _, rest = url.partition("://")
    base, attributes, scope, condition, *_ = f"{rest.partition('/')[2]}????".split("?")
    if scope.lower() not in ("", *SCOPES):
        return None
    offered = [unquote(attribute) for attribute in attributes.split(",") if attribute]
    return _Search(
        unquote(base),
        SCOPES[scope.lower() or "base"],
        unquote(condition) or "(objectclass=*)",
        _common(offered, wanted) if offered else wanted,
    )


def _tls_options(parameters: Parameters) -> dict[str, Any]:
    needed = parameters.flag("tls_require_cert", False)
    return {
        "validate": ssl.CERT_REQUIRED if needed else ssl.CERT_NONE,
        "ca_certs_file": parameters.text("tls_ca_cert_file") or None,
        "ca_certs_path": parameters.text("tls_ca_cert_dir") or None,
        "local_certificate_file": parameters.text("tls_cert") or None,
        "local_private_key_file": parameters.text("tls_key") or None,
        "ciphers": parameters.text("tls_cipher_suite") or None,
    }


def _has(entry: Entry, attributes: list[str]) -> bool:
    return any(values and _is_any(attribute, attributes) for attribute, values in entry.items())


def _is_any(attribute: str, wanted: list[str]) -> bool:
    """Return True for one of these attributes, with or without options (`mail;lang-de`), in any case."""
    return any(_is_kind_of(attribute, each) for each in wanted)


def _is_kind_of(attribute: str, general: str) -> bool:
    return f"{attribute};".lower().startswith(f"{general};".lower())


def _common(offered: list[str], wanted: list[str]) -> list[str]:
    """Return the attributes in both lists; of two that differ in options, the one with more options."""
    pairs = [(one, other) for one in offered for other in wanted]
    return [
        other if _is_kind_of(other, one) else one
        for one, other in pairs
        if _is_kind_of(other, one) or _is_kind_of(one, other)
    ]


def _quoted_in_name(text: bytes) -> bytes:
    return _escaped(text, b' \t"#+,;<>\\')


def _quoted_in_filter(text: bytes) -> bytes:
    return _escaped(text, b"*()\\")


def _escaped(text: bytes, special: bytes) -> bytes:
    return b"".join(b"\\%02X" % byte if byte in special else bytes((byte,)) for byte in text)


def _is_valid(key: bytes) -> bool:
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True
