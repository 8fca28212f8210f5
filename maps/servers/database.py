"""Common parts of database tables: parameters, and templates of queries and results.

`%s` and its relatives are those of the manual pages: ldap_table(5), mysql_table(5), pgsql_table(5), sqlite_table(5),
memcache_table(5). All text is bytes, as keys and values are.
"""

from __future__ import annotations

from postconf.errors import ConfigError
from postconf.files.regular import read_file
from postconf.syntax.expressions import ExpressionError, expand
from postconf.syntax.lines import decode, encode
from postconf.syntax.maincf import Setting, add_settings

from ..formats.indexed import reason
from ..naming import split_list
from ..table import OpenError, Table, TableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..table import Access

    Quote = Callable[[bytes], bytes]

_LABELS = b"123456789"
_MOST_FILES = 10


class Parameters:
    """The parameters of one table: from a file of its own in main.cf format, or main.cf's `NAME_parameter`."""

    def __init__(self, name: str, access: Access) -> None:
        """`name` is a file if it begins with `/` or `.`; raises `OpenError`."""
        self._config = access.config
        self._warn = access.warn
        self._own: dict[str, Setting] | None = None
        self._prefix = f"{name}_"
        self._place = ""
        if name.startswith(("/", ".")):
            self._own = {}
            self._prefix, self._place = "", f"{name}: "
            try:
                add_settings(self._own, read_file(name), name, access.warn)
            except OSError as error:
                raise OpenError(f"open {name}: {reason(error)}") from error
            except ConfigError as error:
                raise TableError(error.message) from error

    def text(self, name: str, default: str = "", *, needed: bool = False) -> str:
        """Return the value of a parameter; with `needed` an empty one is a `TableError`."""
        value = self._value(name)
        if value is None:
            value = default
        if needed and not value:
            raise self._bad("string length 0 < 1", name, value)
        return value

    def number(self, name: str, default: int, least: int = 0) -> int:
        """Return the value of a parameter that is a number; raises `TableError`."""
        value = self.text(name, str(default))
        try:
            number = int(value)
        except ValueError:
            raise self._bad("numerical configuration", name, value) from None
        if number < least:
            raise TableError(f"{self._place}invalid {self._prefix}{name} parameter value {number} < {least}")
        return number

    def flag(self, name: str, default: bool) -> bool:
        """Return True for yes, False for no; raise `TableError` for another value."""
        value = self.text(name, "yes" if default else "no")
        if value.lower() not in ("yes", "no"):
            raise self._bad("boolean configuration", name, value)
        return value.lower() == "yes"

    def _bad(self, what: str, name: str, value: str) -> TableError:
        return TableError(f"{self._place}bad {what}: {self._prefix}{name} = {value}")

    def _value(self, name: str) -> str | None:
        try:
            if self._own is None:
                return None if self._config is None else self._config.get(self._prefix + name)
            setting = self._own.get(name)
            return None if setting is None else expand(setting.value, self._look_up, self._warn)
        except (ConfigError, ExpressionError) as error:
            raise TableError(str(error)) from error

    def _look_up(self, name: str) -> str | None:
        setting = None if self._own is None else self._own.get(name)
        return None if setting is None else setting.value


class QueryTemplates:
    """The templates of one table, for the request (`query`) and for the value made of an answer (`result`)."""

    def __init__(self, kind: str, name: str, query: str, result: str, access: Access) -> None:
        """Parse the templates; raise `TableError` for an invalid one."""
        self._table = f"{kind}:{name}"
        self._warn = access.warn
        self._query = encode(query)
        self._result = encode(result)
        used = _fields(name, "query", self._query)
        self.depends_on_key = bool(used - {ord("%")})
        """True if the query has a part of the key."""
        of_result = _fields(name, "result", self._result)
        self._labels = max((field - ord("0") for field in used | of_result if field in _LABELS), default=0)
        of_key = used | of_result & frozenset(b"UD" + _LABELS)
        self._key_needs_user = bool(of_key & frozenset(b"uU"))
        self._key_needs_domain = bool(of_key & frozenset(b"dD" + _LABELS))
        self._value_needs_user = ord("u") in of_result
        self._value_needs_domain = ord("d") in of_result

    def query(self, key: bytes, quote: Quote) -> bytes | None:
        """Return the query for a key; None if the template needs parts that the key lacks."""
        if not key:
            self._warn(f'table "{self._table}": empty query string -- ignored')
            return None
        user, domain = _halves(key, self._key_needs_user or self._key_needs_domain)
        if not self._is_complete(user, domain, self._key_needs_user, self._key_needs_domain):
            return None
        labels = self._split(domain)
        if labels is None:
            return None
        fields = {b"s": key, b"S": key, b"u": user, b"U": user, b"d": domain, b"D": domain, **labels}
        return _expanded(self._query, {field: quote(text) for field, text in fields.items() if text is not None})

    def result(self, value: bytes, key: bytes) -> bytes | None:
        """Return the result for one value of an answer; None if it is left out."""
        if not value:
            self._warn(f'table "{self._table}": empty lookup result for: "{decode(key)}" -- ignored')
            return None
        user, domain = _halves(value, self._value_needs_user or self._value_needs_domain)
        if not self._is_complete(user, domain, self._value_needs_user, self._value_needs_domain):
            return None
        key_user, key_domain = _halves(key, self._key_needs_user or self._key_needs_domain)
        labels = self._split(key_domain)
        if labels is None:
            return None
        fields = {b"s": value, b"S": key, b"u": user, b"U": key_user, b"d": domain, b"D": key_domain, **labels}
        return _expanded(self._result, {field: text for field, text in fields.items() if text is not None})

    def join(self, values: list[bytes | None], key: bytes, limit: int) -> bytes | None:
        """Return the answer made of several values, or None without a value.

        Raise OverflowError for more than `limit` values; 0 means no limit.
        """
        results = [result for value in values if value is not None and (result := self.result(value, key)) is not None]
        if limit and len(results) > limit:
            raise OverflowError
        return b",".join(results) or None

    @staticmethod
    def _is_complete(user: bytes, domain: bytes | None, needs_user: bool, needs_domain: bool) -> bool:
        return not (needs_domain and not domain) and not (needs_user and domain is not None and not user)

    def _split(self, domain: bytes | None) -> dict[bytes, bytes] | None:
        """Return the labels of a domain from its end; None when there are not enough."""
        if not self._labels:
            return {}
        labels = (domain or b"").split(b".")[::-1]
        if len(labels) < self._labels or not all(labels[: self._labels]):
            return None
        return {b"%d" % number: label for number, label in enumerate(labels[: self._labels], 1)}


def _parts(template: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the fields of a template, each with the text before it; the last one is empty."""
    while b"%" in template:
        text, _, template = template.partition(b"%")
        yield text, template[:1]
        template = template[1:]
    yield template, b""


def _fields(name: str, what: str, template: bytes) -> frozenset[int]:
    """Return the characters behind percent signs; raise `TableError` for an invalid one."""
    fields = [field for _, field in _parts(template)][:-1]
    if not all(field and field in b"%sSuUdD" + _LABELS for field in fields):
        raise TableError(f"db_common_parse: {name}: Invalid {what} template: {decode(template)}")
    return frozenset(b"".join(fields))


def _expanded(template: bytes, fields: dict[bytes, bytes]) -> bytes:
    fields = {**fields, b"%": b"%", b"": b""}
    return b"".join(text + fields[field] for text, field in _parts(template))


def _halves(address: bytes, wanted: bool) -> tuple[bytes, bytes | None]:
    """Return local part and domain; all of it and None if there is no `@`."""
    user, at, domain = address.rpartition(b"@")
    return (user, domain) if at and wanted else (address, None)


class Domains:
    """The domains in which a table is asked (its parameter `domain`): names, `!name`, files of them, tables of them."""

    def __init__(self, parameters: Parameters, access: Access) -> None:
        self._patterns: list[tuple[bool, bytes | Table]] = []
        self._add(parameters.text("domain"), access, 0)

    def allow(self, key: bytes) -> bool:
        """Return True if the key's domain is among them; without domains, always."""
        if not self._patterns:
            return True
        _, at, domain = key.rpartition(b"@")
        if not at or not domain:
            return False
        domain = domain.lower()
        for wanted, pattern in self._patterns:
            if pattern.lookup(domain) is not None if isinstance(pattern, Table) else pattern == domain:
                return wanted
        return False

    def _add(self, text: str, access: Access, level: int) -> None:
        from ..registry import open_table

        for element in split_list(text):
            pattern = element.lstrip("!")
            wanted = (len(element) - len(pattern)) % 2 == 0
            if pattern.startswith("/"):
                if level == _MOST_FILES:
                    raise TableError(f"{pattern}: too many files in files")
                try:
                    self._add(read_file(pattern), access, level + 1)
                except OSError as error:
                    raise TableError(f"open file {pattern}: {reason(error)}") from error
            elif ":" in pattern:
                self._patterns.append((wanted, open_table(pattern, access)))
            else:
                self._patterns.append((wanted, encode(pattern).lower()))


def sql_query(parameters: Parameters) -> str:
    """Return the query of a table, also when it is given in parts as it was before Postfix 2.2."""
    query = parameters.text("query")
    if query:
        return query
    table, selected, where = (parameters.text(name, needed=True) for name in ("table", "select_field", "where_field"))
    return f"SELECT {selected} FROM {table} WHERE {where}='%s' {parameters.text('additional_conditions')}"  # noqa: S608  values are quoted
