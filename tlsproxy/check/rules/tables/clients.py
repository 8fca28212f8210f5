"""Files of database tables (mysql_table(5), pgsql_table(5), sqlite_table(5), ldap_table(5)): names and templates."""

from __future__ import annotations

from collections.abc import Iterator

from maps.servers.database import QueryTemplates
from maps.table import Access, TableError
from postconf.spelling import nearest
from postconf.syntax.lines import decode

from ...context import Context
from ...facts.tables.contents import is_readable
from ...facts.tables.named import named_tables
from ...findings import Finding, Severity, Span
from ...rule import Rule
from ...text.sources import Assignment, MainFile

_COMMON = frozenset(("domain", "expansion_limit", "result_format", "query"))
_PARTS = frozenset(("table", "select_field", "where_field", "additional_conditions", "select_function"))
_SERVER = frozenset(("hosts", "user", "password", "dbname", "idle_interval", "retry_interval"))
_LDAP = (
    "server_host server_port timeout search_base query_filter result_filter result_attribute special_result_attribute "
    "leaf_result_attribute terminal_result_attribute scope bind bind_dn bind_pw cache cache_expiry cache_size "
    "recursion_limit size_limit dereference chase_referrals debuglevel version start_tls tls_ca_cert_dir "
    "tls_ca_cert_file tls_cert tls_key tls_require_cert tls_random_file tls_cipher_suite sasl_mechs sasl_realm "
    "sasl_authz_id sasl_minssf"
)
_MYSQL = (
    "option_file option_group tls_cert_file tls_key_file tls_CAfile tls_CApath tls_ciphers tls_verify_cert "
    "require_result_set charset"
)
_NAMES = {
    "mysql": _COMMON | _PARTS | _SERVER | set(_MYSQL.split()),
    "pgsql": _COMMON | _PARTS | _SERVER | {"encoding"},
    "sqlite": _COMMON | _PARTS | {"dbpath"},
    "ldap": (_COMMON - {"query"}) | set(_LDAP.split()),
}
"""The parameters of each type, by its manual page; Postfix ignores others."""
_NEEDED = {"mysql": "dbname", "pgsql": "dbname", "sqlite": "dbpath"}
_ELSEWHERE = {
    **dict.fromkeys(("database", "db", "db_name"), "dbname"),
    **dict.fromkeys(("host", "server"), "hosts"),
    **dict.fromkeys(("username", "login"), "user"),
    **dict.fromkeys(("passwd", "pass"), "password"),
    **dict.fromkeys(("filter", "search_filter"), "query_filter"),
    **dict.fromkeys(("base", "base_dn"), "search_base"),
    **dict.fromkeys(("path", "file"), "dbpath"),
    "select": "query",
}
"""Names in other programs → those here."""
_QUERIES = ("query", "query_filter", "result_format", "result_filter")
_LONGEST_NAME = 40
_LONGEST = 200_000


class TableClient(Rule):
    """Invalid parameter in the file of a mysql, pgsql, sqlite or ldap table.

    Postfix ignores unknown names. A missing dbname or query, or an invalid `%` in a template, ends the program that
    opens the table.
    """

    id = "T016"
    name = "table-client"
    needs_files = True
    effect = (
        'Without `dbname`: proxymap(8) is fatal, "bad string length 0 < 1: dbname ="; smtpd(8) does not answer. '
        'With `%e` in a query: fatal, "Invalid query template".'
    )
    bad = (
        "virtual_alias_maps = mysql:$config_directory/aliases.cf\n--- aliases.cf\nhosts = 127.0.0.1\n"
        "database = mail\nquery = SELECT goto FROM alias WHERE address = '%s'\n"
    )
    good = (
        "virtual_alias_maps = mysql:$config_directory/aliases.cf\n--- aliases.cf\nhosts = 127.0.0.1\n"
        "dbname = mail\nquery = SELECT goto FROM alias WHERE address = '%s'\n"
    )
    lookalike = (
        "virtual_alias_maps = ldap:$config_directory/ldap.cf\n--- ldap.cf\nserver_host = ldap.example.com\n"
        "query_filter = (&(mail=%s)(cn=a\\29b))\nresult_format = %u@%d\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[str] = set()
        for named in named_tables(context):
            if named.kind not in _NAMES or named.name in reported or not is_readable(context, named.name):
                continue
            reported.add(named.name)
            related = [(named.span(), "the table is used here")]
            try:
                text = decode(context.files.read(named.name)[:_LONGEST])
            except (OSError, ValueError):
                continue
            file = MainFile(context.files.outside(named.name), text)
            for span, message, hint, severity in _faults(named.kind, named.name, file):
                yield self.finding(span, message, hint, severity=severity, related=related)


def _faults(kind: str, name: str, file: MainFile) -> Iterator[tuple[Span, str, str, Severity]]:
    for line, error in file.broken:
        yield Span.at(line.place(0), len(line.text)), f"{error}: the table can't be opened", "", Severity.ERROR
    names = _NAMES[kind]
    needed, meant = _NEEDED.get(kind, ""), set()
    for each in file.assignments:
        if each.name in names:
            continue
        hint = _meant(each.name, names)
        meant.add(hint)
        effect = "it is ignored" if needed not in hint or not needed else f"without {needed}, programs are fatal"
        severity = Severity.ERROR if hint else Severity.WARNING
        yield each.name_span(), f"{kind} tables have no parameter {each.name}: {effect}", hint, severity
    for each in file.effective.values():
        if each.name in _QUERIES and each.name in names and (problem := _template(kind, name, each)):
            yield each.span(), problem, "write %% for a percent sign", Severity.ERROR
        if each.name == "query_filter" and kind == "ldap" and not _is_balanced(each.value):
            message = "the parentheses of this filter are not balanced: each lookup fails"
            yield each.span(), message, "add the missing one", Severity.ERROR
    if not needed or any(needed in hint for hint in meant if hint) or file.broken:
        return
    first = Span(file.path, 1)
    given = file.effective.get(needed)
    if given is None or not given.value:
        yield first, f"without {needed}, the program that opens the table is fatal", f"add {needed} = …", Severity.ERROR
    if not {"query", "table", "select_function"} & file.effective.keys() and not any("query" in hint for hint in meant):
        message = "without query, the program that opens the table is fatal"
        yield first, message, "add query = …", Severity.ERROR


def _meant(name: str, names: frozenset[str]) -> str:
    known = {**dict.fromkeys(sorted(names)), **{other: own for other, own in _ELSEWHERE.items() if own in names}}
    if len(name) > _LONGEST_NAME:
        return ""
    found = name.lower() if name.lower() in known else nearest(name.lower(), list(known))
    return f'did you mean "{known[found] or found}"?' if found else ""


def _template(kind: str, name: str, setting: Assignment) -> str:
    is_query = setting.name.startswith("query")
    try:
        QueryTemplates(kind, name, setting.value if is_query else "", "" if is_query else setting.value, Access())
    except TableError:
        position = setting.value.find("%")
        while setting.value[position + 1 : position + 2] in tuple("%sSuUdD123456789"):
            position = setting.value.find("%", position + 2)
        return f"{setting.value[position : position + 2]} means nothing in a template: programs are fatal"
    return ""


def _is_balanced(text: str) -> bool:
    """Return True if each parenthesis of an LDAP filter has its other one; one in a text is escaped (RFC 4515)."""
    depth = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            return False
    return depth == 0
