"""tlsproxy-postmap: postmap(1) for machines without Postfix (entry point)."""

from __future__ import annotations

import os
import sys

from postconf.config import DEFAULT_DIRECTORY, Config
from postconf.errors import ConfigError
from postconf.files.regular import read_file
from postconf.machine.installed import installed_release
from postconf.program.output import Output
from postconf.program.running import program
from postconf.syntax.expressions import ExpressionError
from postconf.syntax.lines import encode
from postconf.syntax.maincf import Setting, add_settings
from postconf.syntax.mastercf import Master

from ..formats.indexed import reason
from ..table import TableError
from .diagnostics import Diagnostics
from .tables import CommandTables
from .usage import OptionError, parse, usage_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


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
                self._output.write(encode(text) + b"\n")
                return 0
        usage = parse(self.arguments)
        config = self._load(usage.directory)
        tables = CommandTables(usage, config, self.diagnostics, self._output)
        self.diagnostics.utf8 = config["smtputf8_enable"].lower() == "yes"
        _import_environment(config)
        warning = usage.check()
        if warning:
            self.warn(warning)
        if usage.needs_table():
            raise TableError(usage_text(self.program))
        if usage.delete is None and (usage.query is not None or "s" in usage):
            from .queries import answer

            return answer(tables, usage.query)
        from .changes import delete, make

        if usage.delete is not None:
            return delete(tables, encode(usage.delete))
        for operand in usage.operands:
            make(tables, operand)
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

    def _try(self, write: Callable[[], None]) -> None:
        """Write output; a failure is reported at the end of the command. Raise `BrokenPipeError`."""
        try:
            write()
        except BrokenPipeError:
            raise
        except OSError as error:
            self._failure = self._failure or error


def _import_environment(config: Config) -> None:
    """Set the variables of import_environment, for tables of type environ."""
    for setting in config["import_environment"].replace(",", " ").split():
        name, assigned, value = setting.partition("=")
        if assigned:
            os.environ[name] = value


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    os.umask(0o022)
    return PostmapCommand(program(), sys.argv[1:] if arguments is None else arguments).run()
