"""tlsproxy-postconf: postconf(1) for machines without Postfix (entry point)."""

from __future__ import annotations

import os
import sys

from ..config import DEFAULT_DIRECTORY, Config, apply_overrides
from ..errors import ConfigError
from ..files.regular import read_file
from ..machine.installed import installed_release
from ..names import Names
from ..program.output import Output
from ..syntax.lines import encode
from ..syntax.maincf import Setting, add_settings
from ..syntax.mastercf import Master, read_services
from .extensions import check, report, service_named, take
from .listing import Listing, selected
from .options import OptionError
from .usage import PostconfUsage, parse, usage_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..catalogue import Release
    from ..machine.host import Host
    from ..program.options import Option

LOCK_TYPES = ("flock", "fcntl", "dotlock")
SERVER_SASL_TYPES = ("cyrus", "dovecot")
CLIENT_SASL_TYPES = ("cyrus",)
PUBLIC_KEY_ALGORITHMS = ("dsa", "ecdsa", "rsa")
TABLE_TYPES = (
    *("btree", "cdb", "cidr", "environ", "fail", "hash", "inline", "internal", "ldap", "lmdb", "memcache", "mysql"),
    *("pcre", "pgsql", "pipemap", "proxy", "randmap", "regexp", "socketmap", "sqlite", "static", "tcp", "texthash"),
    *("unionmap", "unix"),
)
"""Table types with a driver in `maps`, a package that this one can't import."""


class PostconfCommand:
    """One run of the command, with its output and diagnostics."""

    def __init__(self, program: str, arguments: list[str], host: Host | None = None) -> None:
        """`program`: first word of diagnostics; `host`: the machine on which defaults depend."""
        self.program = program
        self.arguments = arguments
        self.host = host
        self.release: Release | None = None
        self.output: list[str] = []
        self._passed_on = 0
        self._stream = Output()
        self._failure: OSError | None = None

    def run(self) -> int:
        """Execute the command line; return the exit status."""
        try:
            return self._run()
        except OptionError as error:
            if str(error):
                self.diagnose(encode(f"{self.program}: {error}\n"))
            self._say(f"fatal: {usage_text(self.program, self.release or _release(''))}")
        except ConfigError as error:
            self._try(self.flush)
            self._say(f"fatal: {error.message}")
        return 1

    def print(self, line: str) -> None:
        """Buffer a line of output until a diagnostic or the end of the command."""
        self.output.append(line)

    def flush(self) -> None:
        """Write all lines. Raise OSError."""
        self._pass_on()
        self._stream.flush()

    def _pass_on(self) -> None:
        lines, self._passed_on = self.output[self._passed_on :], len(self.output)
        self._stream.write(b"".join(encode(f"{line}\n") for line in lines))

    def warn(self, text: str) -> None:
        """Write a warning immediately."""
        self._say(f"warning: {text}")

    def _say(self, text: str) -> None:
        """Write a diagnostic, unprintable bytes as question marks."""
        self._try(self._write_blocks)
        data = encode(f"{self.program}: {text}")
        self.diagnose(bytes(byte if 32 <= byte < 127 else 63 for byte in data) + b"\n")

    def end(self, status: int) -> int:
        """Write buffered output; return the exit status. Raise `BrokenPipeError`."""
        self._try(self.flush)
        if self._failure is None:
            return status
        self.warn(f"write error: {self._failure.strerror}")
        return 1

    def _write_blocks(self) -> None:
        self._pass_on()
        self._stream.write_blocks()

    def _try(self, write: Callable[[], None]) -> None:
        """Write output; a failure is reported at the end of the command. Raise `BrokenPipeError`."""
        try:
            write()
        except BrokenPipeError:
            raise
        except OSError as error:
            self._failure = self._failure or error

    def diagnose(self, line: bytes) -> None:
        """Write a line of diagnostics, and ignore a full disk. Raise `BrokenPipeError`."""
        try:
            sys.stderr.buffer.write(line)
            sys.stderr.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError:
            pass

    def _run(self) -> int:
        options, arguments = take(self.arguments)
        version = options.get("postfix-version", "")
        if options.keys() & {"help", "version", "completion"}:
            self._describe(options, version)
            return 0
        self.release = _release(version)
        usage = parse(arguments, self.release)
        check(options, usage)
        if options.keys() & {"json", "origin"}:
            self._report(usage, options, version)
        elif usage.flags & {"b", "t"}:
            self._run_bounce(usage, version)
        elif "m" in usage:
            from ..startup_parameters import evaluate

            evaluate(self._load_main(usage, version))
            self.output += TABLE_TYPES
        elif "l" in usage:
            self.output += LOCK_TYPES
        elif "a" in usage:
            self.output += SERVER_SASL_TYPES
        elif "A" in usage:
            self.output += CLIENT_SASL_TYPES
        elif "T" in usage:
            return self._show_library(usage.tls_mode)
        elif usage.flags & set("eX#"):
            self._edit(usage, version)
        elif usage.flags & set("MFP"):
            self._list(usage, self._load(usage, version, master_first=True)).services()
        else:
            config = self._load(usage, version, master_first=False)
            if "service" in options:
                _see_as(config, options["service"])
            self._list(usage, config).parameters()
        return 0

    def _describe(self, options: dict[str, str], version: str) -> None:
        """Print the command's help, its version or its completion script."""
        from . import help

        if "help" in options:
            self.print(help.text())
        elif "version" in options:
            from ..program.versions import version_text

            self.print(version_text(help.PROGRAM))
        else:
            from ..program.completion import script

            names = sorted(_release(version).defaults)
            try:
                self.print(script(options["completion"], help.PROGRAM, _completed(), names).rstrip("\n"))
            except ValueError as error:
                raise ConfigError(str(error)) from None

    def _list(self, usage: PostconfUsage, config: Config) -> Listing:
        return Listing(usage, config, self.print, self.warn, lambda: self._try(self.flush))

    def _run_bounce(self, usage: PostconfUsage, version: str) -> None:
        """Execute bounce(8) for -b and -t, because it has the templates."""
        from ..startup_parameters import evaluate

        if len(usage.operands) > 1:
            raise ConfigError("options -b and -t require at most one template file")
        directory = evaluate(self._load_main(usage, version))["daemon_directory"]
        arguments = ["bounce", "-SVnexpand_templates" if "b" in usage else "-SVndump_templates"]
        for name in usage.operands:
            arguments += ["-o", f"bounce_template_file={name}"]
        path = f"{directory}/bounce"
        if usage.directory is not None:
            os.environ["MAIL_CONFIG"] = usage.directory
        try:
            os.execv(path, [*arguments, "-o", "queue_directory=."])  # noqa: S606  as postconf(1) does
        except OSError as error:
            raise ConfigError(f"execv {path}: {error.strerror}") from None

    def _show_library(self, mode: str) -> int:
        if mode == "public-key-algorithms":
            self.output += PUBLIC_KEY_ALGORITHMS
        elif mode in ("compile-version", "run-version"):
            from cryptography.hazmat.backends.openssl import backend

            self.print(backend.openssl_version_text())
        else:
            self.warn(f"unknown 'postconf -T' mode: {mode}")
            return 1
        return 0

    def _edit(self, usage: PostconfUsage, version: str) -> None:
        from ..editing import editor

        if not usage.operands:
            raise ConfigError("missing service argument")
        directory = _directory(usage)
        if sys.stderr.isatty() and usage.flags & set("e") and not usage.flags & set("MF"):
            self._hint_at_names(usage.operands, _release(version))
        editor.run(
            next(letter for letter in "eX#" if letter in usage),
            usage.operands,
            subject=next((letter for letter in "MFP" if letter in usage), ""),
            directory=DEFAULT_DIRECTORY if directory is None else directory,
            release=_release(version),
            warn=self.warn,
        )

    def _hint_at_names(self, assignments: list[str], release: Release) -> None:
        """Warn of probably misspelled names at a terminal only, so that scripts see the output of postconf(1)."""
        from ..spelling import nearest

        for assignment in assignments:
            name = assignment.partition("=")[0].rpartition("/")[2].strip()
            if name and name not in release.defaults and (near := nearest(name, release.defaults)):
                self.warn(f'{name}: unknown parameter, which is set all the same; did you mean "{near}"?')

    def _report(self, usage: PostconfUsage, options: dict[str, str], version: str) -> None:
        config = self._load(usage, version, master_first=False)
        names = Names(config, self.warn)
        names.register_user_names()
        listed = selected(names, usage)
        self.output += report(options, usage, config, listed=listed, is_known=names.is_known, warn=self.warn)

    def _load(self, usage: PostconfUsage, version: str, *, master_first: bool) -> Config:
        """Read the files in the order of the mode, which also decides on missing files."""
        directory = _directory(usage)
        path = DEFAULT_DIRECTORY if directory is None else directory
        master = self._read_master(path, required=True) if master_first else None
        main = {} if "d" in usage else self._read_main(path, usage)
        if master is None:
            master = self._read_master(path, required=False)
        return self._config(path, version, main, master)

    def _load_main(self, usage: PostconfUsage, version: str) -> Config:
        """Read main.cf alone."""
        directory = _directory(usage)
        path = DEFAULT_DIRECTORY if directory is None else directory
        return self._config(path, version, self._read_main(path, usage), Master(f"{path}/master.cf", []))

    def _read_main(self, directory: str, usage: PostconfUsage) -> dict[str, Setting]:
        main: dict[str, Setting] = {}
        if _directory(usage) is not None:
            main["config_directory"] = Setting("config_directory", directory, None)
        path = f"{directory}/main.cf"
        try:
            text = read_file(path)
        except IsADirectoryError as error:
            raise ConfigError(f"read {path}: {error.strerror}") from None
        except OSError as error:
            raise ConfigError(f"open {path}: {error.strerror}") from None
        add_settings(main, text, path, self.warn, warn_of_nul=self._warns_of_nul)
        apply_overrides(main, usage.overrides)
        return main

    @property
    def _warns_of_nul(self) -> bool:
        return self.release is not None and self.release.since("3.9")

    def _config(self, directory: str, version: str, main: dict[str, Setting], master: Master) -> Config:
        config = Config(directory, _release(version), main, master, host=self.host)
        config.warn = self.warn
        config.process["process_name"] = "postconf"  # as in postconf(1)
        return config

    def _read_master(self, directory: str, *, required: bool) -> Master:
        path = f"{directory}/master.cf"
        try:
            text = read_file(path)
        except IsADirectoryError:
            text = ""
        except OSError as error:
            if required:
                raise ConfigError(f"open {path}: {error.strerror}") from None
            self.warn(f"open {path}: {error.strerror}")
            text = ""
        return read_services(text, path, self.warn, warn_of_nul=self._warns_of_nul)


def _see_as(config: Config, text: str) -> None:
    """Apply the -o settings of a service to those of main.cf."""
    view = service_named(config, text)
    service = view.service
    config.main.update(config.master.settings.get(service.key, {}))
    config.process |= {"process_name": service.command.rpartition("/")[2], "service_name": service.name}


def _completed() -> list[Option]:
    """Return all options, with the releases that --postfix-version takes."""
    from ..catalogue import upstream_releases
    from ..program.options import Option
    from .help import OWN, POSTFIX

    branches = dict.fromkeys(".".join(name.split(".")[:2]).partition("-")[0] for name in upstream_releases())
    own = [Option(each.names, each.help, each.value, branches if each.value == "V" else each.choices) for each in OWN]
    return [*POSTFIX, *own]


def _directory(usage: PostconfUsage) -> str | None:
    """Return the configuration directory of the command line."""
    return os.environ.get("MAIL_CONFIG") if usage.directory is None else usage.directory


def _release(version: str) -> Release:
    if not version:
        return installed_release()
    from ..catalogue import UnknownReleaseError, release

    try:
        return release(version)
    except UnknownReleaseError as error:
        raise ConfigError(str(error)) from None


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    os.umask(0o022)
    command = PostconfCommand(sys.argv[0], sys.argv[1:] if arguments is None else arguments)
    return command.end(command.run())
