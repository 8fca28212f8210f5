"""Lookup tables: their types, their files, and the text in them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from maps.file_values import FileValueError, decode
from maps.folding import WrappedTable
from maps.naming import braced_list
from maps.table import Flags, TableError
from maps.text.source import Record, records
from postconf.config import DEFAULT_DIRECTORY
from postconf.kinds.tables import TABLE_TYPES
from postconf.spelling import did_you_mean, nearest
from postconf.syntax.lines import encode
from tlsproxy.policy.entry import parse_entry
from tlsproxy.policy.errors import PolicyError, Where
from tlsproxy.policy.per_site import parse_site

from ...context import Context, words_of
from ...facts.tables.contents import contents, span_of
from ...facts.tables.named import (
    FILES,
    Named,
    entries_of,
    named_tables,
    open_table,
    place_of_warning,
    source_of,
)
from ...facts.tables.surveys import faults_of
from ...findings import Edit, Finding, Fix, Severity, Span
from ...rule import Rule

_PLUGINS = ("cdb", "ldap", "lmdb", "mongodb", "mysql", "pcre", "pgsql", "sdbm", "sqlite")
_ALIASES = ("alias_maps", "alias_database")
_MOST_POLICIES = 100_000
"""TLS policies of one table that are parsed."""


class UnknownType(Rule):
    """Unknown table type.

    The table fails each time it is asked, and mail is deferred.
    """

    id = "T001"
    name = "unknown-map-type"
    in_templates = True
    effect = '`tls_server_sni_maps = hsh:…`: "unsupported dictionary type"; lookups fail.'
    bad = "transport_maps = hsh:/etc/postfix/transport\nalias_maps = /etc/aliases\n"
    good = "transport_maps = hash:/etc/postfix/transport\n"
    lookalike = (
        "transport_maps = proxy:unionmap:{static:x,inline:{a=b}}\n"
        "local_recipient_maps = unix:passwd.byname $alias_maps\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for table in named_tables(context):
            if not table.name:
                if ":" not in table.text and _is_in_restrictions(context, table):
                    continue  # R002 reports a check without a table
                missing = "name" if ":" in table.text else "type"
                yield self.finding(
                    table.span(),
                    f'"{table.text}" has no {missing}',
                    "write type:name, for example hash:/etc/postfix/NAME",
                )
            elif table.kind not in TABLE_TYPES:
                meant = nearest(table.kind, TABLE_TYPES)
                fix = None
                if meant and table.text in table.assignment.value:
                    span = table.assignment.word(table.text)
                    end = span.column + len(table.kind)
                    if table.text.startswith(table.kind):
                        edit = Edit(span.path, span.line, span.column, span.line, end, meant)
                        fix = Fix(f"write {meant}", (edit,), safe=False)
                hint = f'did you mean "{meant}"?' if meant else did_you_mean(table.kind, sorted(TABLE_TYPES), 0.6)
                yield self.finding(
                    table.span(), f'there is no table type "{table.kind}"', hint or "postconf -m lists them", fix=fix
                )


def _is_in_restrictions(context: Context, table: Named) -> bool:
    """Return True for a table in a list of restrictions or in a restriction class."""
    name = table.assignment.name
    return name.endswith("_restrictions") or name not in context.release.kinds


class TypeNotAvailable(Rule):
    """Table type that this build of Postfix lacks, or whose package is not installed."""

    id = "T002"
    name = "type-not-available"
    needs_files = True
    bad = (
        "transport_maps = mysql:/etc/postfix/transport.cf\n--- dynamicmaps.cf\npcre postfix-pcre.so dict_pcre_open\n"
        "--- makedefs.out\n# CCARGS=-DHAS_MYSQL\n# dynamicmaps=yes\n"
    )
    good = (
        "header_checks = pcre:/etc/postfix/headers\n--- dynamicmaps.cf\npcre postfix-pcre.so dict_pcre_open\n"
        "--- makedefs.out\n# CCARGS=-DHAS_MYSQL\n# dynamicmaps=yes\n"
    )
    lookalike = "transport_maps = mysql:/etc/postfix/transport.cf\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        directory = context.options.directory or "/etc/postfix"
        build = self._read(context, f"{directory}/makedefs.out")
        if not build:
            return
        plugins = {line.split()[0] for line in self._read(context, f"{directory}/dynamicmaps.cf").split("\n") if line}
        for table in named_tables(context):
            if table.kind in ("hash", "btree") and "-DNO_DB" in build:
                yield self.finding(
                    table.span(),
                    f"this Postfix was built without Berkeley DB, and has no {table.kind}",
                    f"use lmdb:{table.name}",
                )
            elif (
                table.kind in _PLUGINS
                and "# dynamicmaps=yes" in build
                and f"-DHAS_{table.kind.upper()}" in build
                and plugins
                and table.kind not in plugins
            ):
                yield self.finding(
                    table.span(),
                    f"the part of Postfix for {table.kind} is not installed",
                    f"install postfix-{table.kind}",
                )

    @staticmethod
    def _read(context: Context, path: str) -> str:
        try:
            return context.files.read(path).decode("utf-8", "replace")
        except OSError:
            return ""


class NotCompiled(Rule):
    """Table file that is missing, or older than its source."""

    id = "T003"
    name = "not-compiled"
    needs_files = True
    bad = "transport_maps = hash:$config_directory/transport\n--- transport\nexample.com smtp:\n"
    good = "transport_maps = texthash:$config_directory/transport\n--- transport\nexample.com smtp:\n"
    lookalike = "smtp_tls_session_cache_database = btree:$data_directory/smtp_scache\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[str] = set()
        for table in named_tables(context):
            suffix = FILES.get(table.kind, "")
            if not suffix or not table.name.startswith("/") or table.is_written_by_daemons or table.text in reported:
                continue
            reported.add(table.text)
            is_alias = table.assignment.name in _ALIASES
            command = "newaliases" if is_alias else f"postmap {table.kind}:{table.name}"
            file = table.name + suffix
            if not context.files.exists(file):
                there = context.files.exists(table.name)
                yield self.finding(
                    table.span(),
                    f"there is no {file}: lookups fail" + ("" if there else f", and no {table.name} to make it from"),
                    f"run {command}" if there else f"write {table.name}, and run {command}",
                )
                continue
            try:
                made, changed = context.files.stat(file).st_mtime, context.files.stat(table.name).st_mtime
            except OSError:
                continue
            if changed > made:
                yield self.finding(
                    table.span(),
                    f"{table.name} was changed after {file} was made of it",
                    f"run {command}",
                    severity=Severity.WARNING,
                )


class NamesWithoutContent(Rule):
    """SNI table without certificates, or with outdated ones.

    The values of tls_server_sni_maps are names of files in the source, and the files' content in the table:
    `postmap -F` copies it. A renewed certificate needs another `postmap -F`; a restart is not enough. A table in
    main.cf itself has absolute paths: neither names nor base64.
    """

    id = "T004"
    name = "sni-map-not-f"
    effect = "a value that is no path of a file: a warning, and the table is not used."
    bad = "tls_server_sni_maps = inline:{mail.example.com=chain.pem}\n"
    good = "tls_server_sni_maps = texthash:$config_directory/sni\n--- sni\n"
    lookalike = "tls_server_sni_maps = inline:{mail.example.com=$config_directory/chain.pem}\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for table in named_tables(context):
            if table.assignment.name != "tls_server_sni_maps":
                continue
            unusable = list(self._not_files(context, table))
            yield from unusable
            if unusable or not context.files.enabled:
                continue
            warnings: list[str] = []
            flags = Flags.LOCK | Flags.FOLD_FIX | Flags.SRC_RHS_IS_FILE
            with_files = table.kind not in FILES
            opened = open_table(context, table, warnings, flags)
            if opened is None:
                if with_files and warnings:
                    yield self.finding(table.span(), warnings[-1], "correct the table")
                continue
            if not with_files:
                yield from self._compare(context, table, dict(opened.entries()))
            opened.close()

    def _not_files(self, context: Context, table: Named) -> Iterator[Finding]:
        """Yield the values of a table in main.cf itself that are no paths."""
        if table.kind not in ("inline", "static"):
            return
        for entry in contents(context, table):
            for path in words_of(entry.value.decode("utf-8", "surrogateescape")):
                if not path.startswith("/"):
                    message = f'"{path}" is no file with a key and its certificate: the table can\'t be opened'
                    yield self.finding(span_of(context, table, entry), message, "write the path of the file")
                    break

    def _compare(self, context: Context, table: Named, entries: dict[bytes, bytes]) -> Iterator[Finding]:
        command = f"run postmap -F {table.kind}:{table.name}"
        sources = {record.key.lower(): record for record in self._records(context, table)}
        for key, value in entries.items():
            name = key.decode("utf-8", "replace")
            try:
                content = decode(value)
            except FileValueError:
                content = b""
            if b"PRIVATE KEY-----" not in content:
                yield self.finding(table.span(), f"the value of {name} is no key with its certificate", command)
                return
            record = sources.get(key.lower())
            if record is None:
                continue
            paths = record.value.decode("utf-8", "surrogateescape").replace(",", " ").split()
            try:
                current = b"\n".join(context.files.read(path) for path in paths)
            except OSError:
                continue
            if current != content:
                span = Span(context.files.outside(table.name), record.line)
                yield self.finding(span, f"the certificate of {name} was changed after the table was made", command)

    @staticmethod
    def _records(context: Context, table: Named) -> Iterator[Record]:
        source = source_of(context, table) or b""
        return records(source.split(b"\n"), table.name, lambda _: None, utf8=False)


class DefaultNotNamed(Rule):
    """Names of the server's certificate that are missing in the SNI table.

    Clients get that certificate all the same, and each of them leaves a line in the log.
    """

    id = "T005"
    name = "sni-missing-default"
    severity = Severity.INFO
    needs_files = True
    optional = True
    effect = '"TLS SNI … not matched, using default chain" in the log, for each such client.'
    bad = (
        "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/chain.pem\n"
        "tls_server_sni_maps = inline:{www.example.net=$config_directory/elsewhere.pem}\n"
    )
    good = (
        "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/chain.pem\n"
        "tls_server_sni_maps = inline:{mail.example.com=$config_directory/chain.pem}\n"
    )
    lookalike = (
        "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/chain.pem\n"
        "tls_server_sni_maps = inline:{.example.com=$config_directory/chain.pem}\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        from ...facts.tls.certificates import leaves, names_of

        tables = [each for each in named_tables(context) if each.assignment.name == "tls_server_sni_maps"]
        flags = Flags.LOCK | Flags.FOLD_FIX
        opened = [open_table(context, each, [], flags) for each in tables]
        names = {name for _, leaf in leaves(context) for name in names_of(leaf) if not name.startswith("*")}
        if tables and all(opened):
            for name in sorted(names):
                if not any(table and self._has(table, name) for table in opened):
                    yield self.finding(
                        tables[0].span(), f"{name} is not in the table, and its clients get the default", "add it"
                    )
        for table in opened:
            if table:
                table.close()

    @staticmethod
    def _has(table: WrappedTable, name: str) -> bool:
        """Return True if there is an entry for a name, or for a parent domain."""
        labels = name.split(".")
        keys = [name, *("." + ".".join(labels[at:]) for at in range(1, len(labels)))]
        try:
            return any(table.lookup(encode(key)) is not None for key in keys)
        except TableError:
            return True


class BrokenTable(Rule):
    """Unreadable table, or invalid lines in it, which Postfix skips."""

    id = "T006"
    name = "table-error"
    bad = "header_checks = regexp:{{/^Subject: (x/ REJECT}}\n"
    good = "header_checks = regexp:{{/^Subject: (x)/ REJECT}}\n"
    lookalike = "mynetworks = cidr:{{192.0.2.0/24 OK}}\nheader_checks = pcre:{{/^Subject: (?!x)/ IGNORE}}\n"

    _KINDS = ("cidr", "inline", "pcre", "regexp", "static", "texthash")
    _COMBINED = ("pipemap", "randmap", "unionmap")

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[str] = set()
        for table in named_tables(context):
            if table.kind in self._COMBINED and table.text not in reported and braced_list(table.name) is None:
                reported.add(table.text)
                message = f"{table.kind}: has no tables in balanced braces: lookups fail"
                yield self.finding(table.span(), message, f"write {table.kind}:{{type:name, type:name}}")
            if table.kind not in self._KINDS or table.text in reported:
                continue
            if table.assignment.name == "tls_server_sni_maps":
                continue  # T004
            reported.add(table.text)
            if table.name.startswith("/") and context.files.enabled and not context.files.exists(table.name):
                yield self.finding(table.span(), f"there is no {table.name}: lookups fail", "correct the name")
                continue
            faults = faults_of(context, table)
            for warning in faults.first:
                span, problem = place_of_warning(context, table, warning)
                yield self.finding(span, problem, "correct it", related=[(table.span(), "the table is used here")])
            if faults.more:
                yield self.finding(table.span(), f"{faults.more} more faults are in {table.name}", "correct them, too")


class DynamicMapsOwner(Rule):
    """Plug-in list that users other than root can change: Postfix ignores it."""

    id = "T007"
    name = "dynamicmaps-ownership"
    needs_files = True
    effect = 'the file is skipped with a warning; its types are "unsupported dictionary type".'
    bad = ""
    good = ""

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        setting = context.main.effective.get("meta_directory")
        if setting is None and context.options.directory != DEFAULT_DIRECTORY:
            return
        path = f"{context.value('meta_directory')}/dynamicmaps.cf"
        try:
            facts = context.files.stat(path)
        except OSError:
            return
        if facts.st_uid != 0 or facts.st_mode & 0o022:
            yield self.finding(
                setting.span() if setting else Span(context.main.path),
                f"users other than root can change {path}: its table types are lost",
                f"chown root {path}; chmod 644 {path}",
            )


class InvalidPolicyEntry(Rule):
    """TLS policy entry that smtp(8) can't use: mail for that destination is deferred.

    The daemon's own parser decides.
    """

    id = "L010"
    name = "policy-entry-invalid"
    bad = "smtp_tls_policy_maps = inline:{ {example.com = encrypt protocols=TLSv1.2,TLSv1.3 ciphers=strong} }\n"
    good = "smtp_tls_policy_maps = inline:{ {example.com = encrypt protocols=TLSv1.2:TLSv1.3} }\n"
    lookalike = (
        "smtp_tls_policy_maps = inline:{ {example.com = secure match=.example.com:example.net} }\n"
        "smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[str] = set()
        for table in named_tables(context):
            parameter = table.assignment.name
            if not parameter.endswith(("_tls_policy_maps", "_client_policy_maps", "_tls_per_site")):
                continue
            if table.text in reported:
                continue
            reported.add(table.text)
            for key, value, line, column in islice(entries_of(context, table), _MOST_POLICIES):
                where = Where(parameter, key.decode("utf-8", "replace"))
                try:
                    if parameter.endswith("_per_site"):
                        parse_site(value, where)
                    else:
                        parse_entry(value, where, context.release)
                except PolicyError as error:
                    span = table.span()
                    if line:
                        at = column + max(error.column, 1) - 1
                        path = context.files.outside(table.name)
                        span = Span(path, line, at, at + 1) if column else Span(path, line)
                    yield self.finding(
                        span,
                        f"{where.key}: {error.message}: mail for it is deferred",
                        "see TLS policies in postconf(5); lists of protocols have colons, not commas",
                        related=[(table.span(), "the table is used here")] if line else (),
                    )
