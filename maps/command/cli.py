"""tlsproxy-postmap: postmap(1) for machines without Postfix (entry point)."""

from __future__ import annotations

import os
import stat
import sys

from postconf.config import DEFAULT_DIRECTORY, Config
from postconf.errors import ConfigError
from postconf.files.regular import read_file
from postconf.machine.installed import installed_release
from postconf.program.output import Output
from postconf.program.running import program
from postconf.syntax.expressions import ExpressionError
from postconf.syntax.lines import decode, encode
from postconf.syntax.maincf import Setting, add_settings
from postconf.syntax.mastercf import Master

from ..folding import APPLICATION_ERROR
from ..formats.indexed import reason, text
from ..registry import BUILDABLE, open_table, prepare_to_build
from ..table import Access, ConfigurationLookupError, Flags, Mode, Table, TableError, TemporaryLookupError
from .diagnostics import Diagnostics
from .usage import EVERYTHING_FROM_STDIN, OptionError, PostmapUsage, parse, usage_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from ..folding import WrappedTable
    from ..text.source import Plain, Record
    from .message import MessageKeys

_BATCH = 1 << 22
"""Size of a batch of keys in bytes."""
_PIECE = 1 << 18
"""Size of a piece of the source in bytes."""


class PostmapCommand:
    """One run of the command."""

    def __init__(self, program: str, arguments: list[str]) -> None:
        """`program`: first word of diagnostics."""
        self.program = program
        self.arguments = arguments
        self.diagnostics = Diagnostics(program)
        self.warn = self.diagnostics.warn
        self._output = Output()
        self.diagnostics.before = lambda: self._try(self._output.write_blocks)
        self._failure: OSError | None = None

    def run(self) -> int:
        """Execute the command line; return the exit status."""
        try:
            status = self._run()
        except OptionError as error:
            self.diagnostics.program, name = self.program, self.program
            self.diagnostics.say(str(error))
            self.diagnostics.say(f"fatal: {usage_text(name)}")
            status = 1
        except (ConfigError, ExpressionError, TableError) as error:
            self._try(self._output.flush)
            self.diagnostics.say(f"fatal: {error.message if isinstance(error, ConfigError) else error}")
            status = 1
        self._try(self._output.flush)
        if self._failure:
            self.diagnostics.say(f"fatal: write error: {reason(self._failure)}")
            return 1
        return status

    def _run(self) -> int:
        if self.arguments and self.arguments[0].startswith("--"):
            from .help import description

            if text := description(self.arguments):
                self._print(encode(text))
                return 0
        usage = parse(self.arguments)
        self._config = self._load(usage.directory)
        self._default_type = self._config["default_database_type"]
        if not self._default_type:
            raise TableError("bad string length 0 < 1: default_database_type = ")
        self.diagnostics.utf8 = self._config["smtputf8_enable"].lower() == "yes"
        self._import_environment()
        warning = usage.check()
        if warning:
            self.warn(warning)
        if usage.needs_table():
            raise TableError(usage_text(self.program))
        if usage.delete is not None:
            return self._delete(usage, encode(usage.delete))
        if usage.query == EVERYTHING_FROM_STDIN:
            return self._query_stdin(usage)
        if usage.query is not None:
            return self._query(usage, encode(usage.query))
        if "s" in usage:
            return self._list(usage)
        for operand in usage.operands:
            self._make(usage, operand)
        return 0

    # Parameters that Postfix reads first

    def _load(self, directory: str | None) -> Config:
        """Read the few relevant parameters of main.cf."""
        if directory is not None:
            os.environ["MAIL_CONFIG"] = directory
        path = os.environ.get("MAIL_CONFIG", DEFAULT_DIRECTORY)
        main: dict[str, Setting] = {}
        if path != DEFAULT_DIRECTORY:
            main["config_directory"] = Setting("config_directory", path, None)
        try:
            source = read_file(f"{path}/main.cf")
        except OSError as error:
            raise ConfigError(f"open {path}/main.cf: {reason(error)}") from None
        add_settings(main, source, f"{path}/main.cf", self.warn)
        config = Config(path, installed_release(), main, Master(f"{path}/master.cf", []))
        config.warn = self.warn
        return config

    def _import_environment(self) -> None:
        """Set the variables of import_environment, for tables of type environ."""
        for setting in self._config["import_environment"].replace(",", " ").split():
            name, assigned, value = setting.partition("=")
            if assigned:
                os.environ[name] = value

    # Tables

    def _access(self, usage: PostmapUsage, mode: Mode) -> Access:
        flags = usage.flags if mode in (Mode.BUILD, Mode.ADD) else usage.flags | Flags.LOCK
        return Access(mode, flags, config=self._config, warn=self.warn)

    def _rights(self, usage: PostmapUsage, operand: str) -> AbstractContextManager[object]:
        """Switch root's rights to the owner of a table's directory during a change; not with -o."""
        from contextlib import nullcontext

        kind, _, path = self._full_name(operand).partition(":")
        directory = os.path.dirname(path) or "."  # noqa: PTH120
        if "o" in usage or kind not in BUILDABLE or not os.path.isdir(directory):  # noqa: PTH112
            return nullcontext()
        from postconf.files.ownership import as_owner_of

        prepare_to_build(self._full_name(operand), self._access(usage, Mode.CHANGE))
        return as_owner_of(directory)

    def _full_name(self, operand: str) -> str:
        return operand if ":" in operand else f"{self._default_type}:{operand}"

    def _open(self, usage: PostmapUsage, operand: str, mode: Mode = Mode.READ) -> WrappedTable:
        return open_table(self._full_name(operand), self._access(usage, mode))

    def _lookup(self, table: Table, key: bytes, files: bool, reason: str = "") -> bytes | None:
        """Look up a key; decode a value that has the content of files.

        `reason`: message for an invalid value; Postfix has one for keys from a message.
        """
        name = f"table {table.type}:{table.name}"
        try:
            value = table.lookup(key)
        except ConfigurationLookupError:
            raise TableError(f"{name}: query error{reason}") from None
        except TemporaryLookupError as error:
            raise TableError(f"{name}: query error: {error}") from None
        return self._decoded(table, key, value) if files and value is not None else value

    def _decoded(self, table: Table, key: bytes, value: bytes) -> bytes:
        from ..file_values import FileValueError
        from ..file_values import decode as content

        try:
            return content(value)
        except FileValueError as error:
            name = f"table {table.type}:{table.name}"
            self.warn(f"{name}: key {decode(key)}: {error}")
            raise TableError(f"{name}: query error") from None

    def _warn_if_empty(self, name: str, key: bytes, value: bytes) -> None:
        if not value:
            self.warn(f"table {name}: key {decode(key)}: empty string result is not allowed")
            self.warn(f"table {name} should return NO RESULT in case of NOT FOUND")

    # -q KEY, -s

    def _query(self, usage: PostmapUsage, key: bytes) -> int:
        for operand in usage.operands:
            with self._open(usage, operand) as table:
                value = self._lookup(table, key, "F" in usage)
                if value is not None:
                    self._warn_if_empty(self._full_name(operand), key, value)
                    self._print(value)
                    return 0
        return 1

    def _list(self, usage: PostmapUsage) -> int:
        if not usage.operands:
            return 1
        name = self._full_name(usage.operands[0])
        if name.startswith("proxy:"):
            raise TableError("can't sequence maps via the proxy service")
        with self._open(usage, name) as table:
            try:
                for key, value in table.entries():
                    if not key:
                        self.warn(f"table {name}: empty lookup key value is not allowed")
                    else:
                        self._warn_if_empty(name, key, value)
                    self._print_entry(table, key, value, "F" in usage)
            except TemporaryLookupError as error:
                raise TableError(f"table {table.type}:{table.name}: sequence error: {error}") from None
        return 0

    def _print_entry(self, table: Table, key: bytes, value: bytes, files: bool) -> None:
        if files:
            try:
                value = self._decoded(table, key, value)
            except TableError:
                return  # the warning has been logged
        self._print(key + b"\t" + value)

    # -q -

    def _query_stdin(self, usage: PostmapUsage) -> int:
        queries = _Queries(self, usage)
        if usage.letters & {"b", "h"}:
            lines = (line for batch in _batches() for line in batch)
            for key in self._message_keys(usage).of(lines):
                queries.answer(key)
        else:
            for batch in _batches():
                queries.answer_all(batch)
        queries.close()
        return 0 if queries.found else 1

    def _message_keys(self, usage: PostmapUsage) -> MessageKeys:
        from .message import Limits, MessageKeys

        config = self._config
        limits = Limits(
            int(config["header_size_limit"]),
            int(config["mime_nesting_limit"]),
            int(config["mime_boundary_length_limit"]),
        )
        return MessageKeys(limits, headers="h" in usage, body="b" in usage, mime="m" in usage)

    # -d

    def _delete(self, usage: PostmapUsage, key: bytes) -> int:
        if usage.delete != EVERYTHING_FROM_STDIN:
            found = False
            for operand in usage.operands:
                with self._rights(usage, operand), self._open(usage, operand, Mode.CHANGE) as table:
                    found |= _delete(table, key)
            return 0 if found else 1
        tables = []
        for operand in usage.operands:
            with self._rights(usage, operand):
                tables.append(self._open(usage, operand, Mode.CHANGE))
        found = False
        try:
            for batch in _batches():
                for line in batch:
                    for table in tables:
                        found |= _delete(table, line)
        except BaseException:
            for table in tables:
                table.abandon()
            raise
        for operand, table in zip(usage.operands, tables, strict=True):
            with self._rights(usage, operand):
                table.close()
        return 0 if found else 1

    # Building, and -i

    def _make(self, usage: PostmapUsage, operand: str) -> None:
        from ..text.source import blocks, records

        if "F" in usage:
            from .. import file_values  # noqa: F401  now: later it may be beyond this process's reach
        name = self._full_name(operand)
        kind, _, path = name.partition(":")
        adding = "i" in usage
        if kind == "proxy" and not adding:
            raise TableError("can't create maps via the proxy service")
        descriptor, shown = (0, "stdin") if adding else (_open_source(path), path)
        try:
            access = self._access(usage, Mode.ADD if adding else Mode.BUILD)
            prepare_to_build(name, access)
            status = os.fstat(descriptor)
            masked = "p" not in usage and stat.S_ISREG(status.st_mode)
            saved = os.umask(0o22 | (~status.st_mode & 0o77)) if masked else None
            if "o" not in usage and os.getuid() == 0:
                _become(status.st_uid, status.st_gid)
            with self._rights(usage, operand), open_table(name, access) as table:
                if saved is not None:
                    os.umask(saved)
                if stat.S_ISDIR(status.st_mode):
                    return  # an empty table
                source = os.fdopen(descriptor, "rb", closefd=False)
                if "F" in usage:
                    self._fill(
                        table, [self._resolved(records(source, shown, self.warn, utf8=access.utf8), access, shown)]
                    )
                else:
                    pieces = iter(lambda: source.read(_PIECE), b"")
                    self._fill(table, blocks(pieces, shown, self.warn, utf8=access.utf8))
        finally:
            if not adding:
                os.close(descriptor)

    def _resolved(self, found: Iterable[Record], access: Access, shown: str) -> Iterator[Record]:
        """Yield entries with the content of the files that their values name."""
        from ..file_values import FileValueError, resolve

        for record in found:
            try:
                record.value = resolve(record.value, access)
                yield record
            except FileValueError as error:
                self.warn(f"{shown}, line {record.line}: {error}: skipping this entry")

    def _fill(self, table: Table, parts: Iterable[Plain | Iterator[Record]]) -> None:
        from ..text.source import Plain

        try:
            for part in parts:
                if isinstance(part, Plain):
                    table.update_many(part.entries)
                else:
                    for record in part:
                        table.update(record.key, record.value)
        except TemporaryLookupError as error:
            raise TableError(f"table {table.type}:{table.name}: write error: {error}") from None

    # Output

    def _print(self, line: bytes) -> None:
        self._output.write(line + b"\n")

    def _try(self, write: Callable[[], None]) -> None:
        """Write output; a failure is reported at the end of the command. Raise `BrokenPipeError`."""
        try:
            write()
        except BrokenPipeError:
            raise
        except OSError as error:
            self._failure = self._failure or error


class _Queries:
    """Lookups for keys from standard input, in the first table that has them; tables are opened when needed."""

    def __init__(self, command: PostmapCommand, usage: PostmapUsage) -> None:
        self.found = False
        self._command = command
        self._usage = usage
        from_message = bool(usage.letters & {"b", "h"})
        self._reason = f": {APPLICATION_ERROR}" if from_message else ""
        self._files = "F" in usage and not from_message
        self._tables: list[WrappedTable] = []

    def answer_all(self, keys: Sequence[bytes]) -> None:
        """Look up keys in order; in one batch if a single table can do that without warnings."""
        values = None if self._files or len(self._usage.operands) > 1 else self._values(keys)
        if values is None:
            for key in keys:
                self.answer(key)
            return
        if b"" in values:
            for key, value in zip(keys, values, strict=True):
                if value is not None:
                    self._print(self._tables[0], key, value)
            return
        lines = [b"%b\t%b" % (key, value) for key, value in zip(keys, values, strict=True) if value is not None]
        if lines:
            self.found = True
            self._command._print(b"\n".join(lines))

    def answer(self, key: bytes) -> None:
        """Look up one key."""
        for index in range(len(self._usage.operands)):
            table = self._table(index)
            value = self._command._lookup(table, key, self._files, self._reason)
            if value is not None:
                self._print(table, key, value)
                return

    def close(self) -> None:
        """Close the tables."""
        for table in self._tables:
            table.close()

    def _table(self, index: int) -> WrappedTable:
        if index == len(self._tables):
            self._tables.append(self._command._open(self._usage, self._usage.operands[index]))
        return self._tables[index]

    def _values(self, keys: Sequence[bytes]) -> list[bytes | None] | None:
        """Return the values of keys in one table; None if they must be looked up one by one, with warnings."""
        table = self._table(0)
        if not table.has_batches:
            return None
        self._command.diagnostics.hold()
        try:
            values = table.lookup_many(keys)
        except TableError:
            values = None
        return None if self._command.diagnostics.held() else values

    def _print(self, table: Table, key: bytes, value: bytes) -> None:
        self._command._warn_if_empty(f"{table.type}:{table.name}", key, value)
        self._command._print(key + b"\t" + value)
        self.found = True


def _delete(table: Table, key: bytes) -> bool:
    try:
        return table.delete(key)
    except TemporaryLookupError as error:
        raise TableError(f"table {table.type}:{table.name}: delete error: {error}") from None


def _batches() -> Iterator[list[bytes]]:
    """Yield the lines of standard input, each up to its newline or a NUL, in batches."""
    with os.fdopen(0, "rb", closefd=False) as source:
        while data := source.read(_BATCH):
            if not data.endswith(b"\n"):
                data += source.readline()
            lines = data.removesuffix(b"\n").split(b"\n")
            yield [text(line) for line in lines] if b"\0" in data else lines


def _open_source(path: str) -> int:
    try:
        return os.open(encode(path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise TableError(f"open {path}: {reason(error)}") from None


def _become(user: int, group: int) -> None:
    """Switch to the owner of the source, and future owner of the table (set_eugid(3))."""
    if os.geteuid() != 0:
        os.seteuid(0)
    os.setegid(group)
    os.setgroups([group])
    if user != 0:
        os.seteuid(user)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    os.umask(0o022)
    return PostmapCommand(program(), sys.argv[1:] if arguments is None else arguments).run()
