"""Command tlsproxy-check. Exit status: 0 no findings, 1 findings, 2 usage, 3 a file can't be read or written."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from postconf import ConfigError
from postconf.catalogue import Release, UnknownReleaseError, release
from postconf.machine.installed import installed_release
from postconf.program.parser import Parser
from postconf.spelling import suggestion

from ...errors import TlsproxyError
from .. import fixes, reports
from ..context import Context, Options
from ..engine import Checked, check
from ..facts.filesystem import FileSystem
from ..facts.live import name_server, served_by
from ..findings import Severity
from ..rule import Rule, all_rules
from ..text.sources import MainFile, MasterFile
from ..tls_report.command import Compliance, Offering, TlsReport, require_moderate
from ..tls_report.guidelines.profiles import profile_names
from ..upgrade.command import Upgrade
from ..upgrade.systems import system_names
from .inputs import DEFAULT_DIRECTORY, Input, InputError, directories_of, read_inputs
from .project import Project, find_project

FINE, FOUND, USAGE, FAILED = range(4)
_LEVELS = {each.word: each for each in Severity}
_LONGEST_NUMBER = 5
_LONGEST_PROBLEM = 5000
"""Characters of an error that are shown: it can quote a project file of a stranger."""
_SHOWN = 4
"""Files that are named where there are more."""
_NEW_OBJECTS = 10_000
"""Objects after which the garbage collector looks for cycles: those of some twenty configurations."""
_EXAMPLES = """\
examples:
  tlsproxy-check                                     /etc/postfix, with the keys and tables that it names
  tlsproxy-check --no-fs -c ./postfix                a copy, on a machine that is not the mail server
  tlsproxy-check --explain R011                      describe a rule
  tlsproxy-check --tls-report                        the TLS that each service offers
  tlsproxy-check --upgrade debian13                  changes by another Postfix for this configuration
  tlsproxy-check -c ./postfix --format sarif:out.sarif --format text

exit status: 0 no finding as severe as --fail-on; 1 findings; 2 usage; 3 a file can't be read or written
"""
_PASSES = 10
"""Maximum number of rounds of fixes. One fix can make another possible; more rounds mean a defect in a rule."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status. `argv` is without the program's name."""
    parser = _parser()
    arguments = parser.parse(argv)
    try:
        project = find_project(Path.cwd())
        return _Run(arguments, project).run()
    except (InputError, ConfigError) as error:
        _complain(str(error))
        return FAILED
    except (TlsproxyError, UnknownReleaseError, _UsageError) as error:
        _complain(str(error))
        return USAGE
    except BrokenPipeError:
        raise
    except OSError as error:
        _complain(f"{error.filename or 'write error'}: {error.strerror}")
        return FAILED


def _complain(problem: str) -> None:
    """Print an error; names in it may be a stranger's."""
    from ..reports.text import printable

    print(f"tlsproxy-check: {printable(problem[:_LONGEST_PROBLEM])}", file=sys.stderr)


class _UsageError(Exception):
    """Invalid arguments."""


class _Run:
    """One run of the command."""

    def __init__(self, arguments: argparse.Namespace, project: Project) -> None:
        self.arguments = arguments
        rules = all_rules()
        _require_rules(rules, [*project.select, *project.extend_select, *project.ignore], f"{project.path}: ")
        _require_rules(rules, [*arguments.select, *arguments.extend_select, *arguments.ignore])
        self.rules = _selected(
            rules,
            arguments.select or project.select,
            [*arguments.extend_select, *project.extend_select],
            [*arguments.ignore, *project.ignore],
        )
        self.fail_on = _LEVELS.get(arguments.fail_on or project.fail_on)
        version = arguments.postfix_version or project.postfix_version
        self.release = _release(version)
        self.upgrade = Upgrade(arguments.upgrade, arguments.from_, self.release) if arguments.upgrade else None
        if arguments.from_ and not self.upgrade:
            raise _UsageError("--from needs --upgrade")
        if arguments.unsafe_fixes and not (arguments.fix or arguments.diff):
            raise _UsageError("--unsafe-fixes needs --diff, which shows the changes, or --fix, which makes them")
        self.tls_report = TlsReport(arguments.openssl) if arguments.tls_report else None
        self.compliance = Compliance(arguments.profile, arguments.openssl) if arguments.profile else None
        if sum(map(bool, (self.upgrade, self.tls_report, self.compliance))) > 1:
            raise _UsageError("--upgrade, --tls-report and --profile are different reports")
        if arguments.openssl and not (self.tls_report or self.compliance):
            raise _UsageError("--openssl needs --tls-report or --profile")
        days = project.expiry_days if arguments.expiry_days is None else arguments.expiry_days
        self.options = Options(
            directories=directories_of(arguments.config_directory, arguments.files),
            expiry_days=days,
            known=frozenset([*project.known, *arguments.known]),
            served=served_by(arguments.status) if arguments.status else {},
            resolver=name_server() if arguments.dns else None,
        )
        self.files = FileSystem(arguments.root, enabled=not arguments.no_fs)

    def run(self) -> int:
        """Run the command; return the exit status."""
        arguments = self.arguments
        if arguments.list_rules:
            for rule in all_rules():
                note = " (only if selected)" if rule.optional else ""
                print(f"{rule.id} {rule.name:28} {rule.severity.word:8} {rule.title()}{note}")
            return FINE
        if arguments.explain:
            return self._explain(arguments.explain)
        targets = [reports.Target.parse(each) for each in arguments.format or ["text"]]
        formats = (self.upgrade or self.tls_report or reports).FORMATS
        for target in targets:
            if target.format not in formats:
                meant = suggestion(target.format, formats)
                report = " of this report" if formats is not reports.FORMATS else ""
                raise _UsageError(f"unknown format {target.format}{meant}; formats{report} are {', '.join(formats)}")
        directories = arguments.config_directory
        if not directories and not arguments.files:
            root = arguments.root.rstrip("/")
            directories = [root + DEFAULT_DIRECTORY]
        inputs: list[Input] = []
        results: list[Checked] = []
        edits = arguments.diff or arguments.fix
        for each in read_inputs(directories, arguments.files, arguments.root):
            results.append(self._check(each))
            if edits:
                inputs.append(each)
            elif not (self.upgrade or self.tls_report):
                each.forget()
            if len(results) == 1:
                _settle_garbage()
        if arguments.diff:
            for each, result in zip(inputs, results, strict=True):
                self._show_diff(result, self._fixed(each, result))
        elif edits:
            results = [self._fix(each, result) for each, result in zip(inputs, results, strict=True)]
        if edits and not arguments.unsafe_fixes and not arguments.quiet:
            self._name_unsafe(results)
        for target in targets:
            if not (arguments.diff and not target.path):
                target.write(self._report(target, results))
        if self.compliance and not arguments.quiet:
            print(f"tlsproxy-check: {self.compliance.summary(results)}", file=sys.stderr)
        shows_text = any(target.format == "text" and not target.path for target in targets)
        is_silent = (
            arguments.quiet
            or arguments.diff
            or self.upgrade
            or self.compliance
            or any(result.findings for result in results)
        )
        if shows_text and sys.stdout.isatty() and not is_silent:
            print(self._summary(results))
        return self._status(results)

    def _name_unsafe(self, results: list[Checked]) -> None:
        """Print the options with which fixes that are left out are made, too."""
        unsafe = [
            each
            for result in results
            for each in result.findings
            if each.fix and not each.suppressed and not each.fix.safe
        ]
        if unsafe:
            are = "1 fix is" if len(unsafe) == 1 else f"{len(unsafe)} fixes are"
            print(
                f"tlsproxy-check: {are} left out, because the intention is a guess; see --diff --unsafe-fixes",
                file=sys.stderr,
            )

    def _summary(self, results: list[Checked]) -> str:
        """Return the line on the files that were checked, for a run without findings."""
        files = [source.path for result in results for source in result.sources]
        shown = ", ".join(files[:_SHOWN]) + (f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else "")
        looked = "and the files that they name" if self.files.enabled and self.arguments.files != ["-"] else "alone"
        return f"nothing found in {shown} {looked}, by {len(self.rules)} rules for Postfix {self.release.name}"

    def _report(self, target: reports.Target, results: list[Checked]) -> str:
        if other := self.upgrade or self.tls_report:
            return other.report(target.format, results, colour=target.wants_colour())
        rules = self.compliance.rules if self.compliance else self.rules
        return reports.render(target.format, reports.Run(results, rules), colour=target.wants_colour())

    def _check(self, each: Input) -> Checked:
        files = self.files if each.directory else FileSystem(enabled=False)
        options = replace(self.options, directory=each.directory)
        if self.upgrade or self.tls_report or self.compliance:
            for source in filter(None, (each.main, each.master)):
                if source.is_too_long or source.rest:
                    raise InputError(f"{source.path}: too large to be reported; the check without this option says why")
        if self.upgrade:
            return self.upgrade.compare(each.main, each.master, files, options)
        if self.tls_report or self.compliance:
            context = Context(each.main, each.master, self.release, files, options)
            require_moderate(context)
            return self.compliance.check(context) if self.compliance else Offering(context.texts, context=context)
        return check(
            each.main,
            each.master,
            self.rules,
            self.release,
            files,
            options=options,
            pragmas=not self.arguments.disable_ignore_pragma,
        )

    def _status(self, results: list[Checked]) -> int:
        level = self.fail_on
        if level is None:
            return FINE
        failed = any(
            finding.severity >= level and finding.suppressed is None
            for result in results
            for finding in result.findings
        )
        return FOUND if failed else FINE

    @staticmethod
    def _show_diff(before: Checked, after: Checked) -> None:
        for source, fixed in zip(before.sources, after.sources, strict=True):
            if fixed.text != source.text:
                print(fixes.diff(source, fixed.text), end="")

    def _fix(self, each: Input, result: Checked) -> Checked:
        """Apply the fixes, and write each file once."""
        if not each.directory:
            raise _UsageError("standard input can't be fixed; --diff shows the changes")
        fixed = self._fixed(each, result)
        for before, after in zip(result.sources, fixed.sources, strict=True):
            if after.text == before.text:
                continue
            real = self.files.locate_outside(before.path)
            if not fixes.write(real, before.text, after.text):
                raise InputError(
                    f"{before.path}: another process has changed the file; it was not written, run the command again"
                )
        return fixed

    def _fixed(self, each: Input, result: Checked) -> Checked:
        """Return the result after all fixes, applied in rounds and checked after each; nothing is written."""
        first = result
        for _ in range(_PASSES):
            edits = fixes.usable(result.findings, unsafe=self.arguments.unsafe_fixes)
            if not edits:
                break
            main = MainFile(each.main.path, fixes.apply(each.main, edits)) if each.main else None
            master = MasterFile(each.master.path, fixes.apply(each.master, edits)) if each.master else None
            each = Input(each.directory, main, master)
            result = self._check(each)
        if result.count(Severity.ERROR) > first.count(Severity.ERROR):
            path = first.sources[0].path
            raise InputError(f"{path}: after all fixes there would be more errors than before; nothing was written")
        return result

    def _explain(self, name: str) -> int:
        from ..tls_report.guidelines.rules import RULES

        rule = next((each for each in (*all_rules(), *RULES) if name in (each.id, each.name)), None)
        if rule is None:
            raise _UsageError(f"unknown rule {name}{_near_rule(name)}; --list-rules shows all")
        print(rule.page(), end="")
        return FINE


def _settle_garbage() -> None:
    """Keep the garbage collector from walking over modules and data, again and again, in a run over many files."""
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)


def _near_rule(name: str) -> str:
    rules = all_rules()
    if any(rule.id.startswith(name.upper()) for rule in rules):
        return f' (did you mean "{name.upper()}"?)'
    return suggestion(name, [rule.name for rule in rules])


def _release(version: str) -> Release:
    return release(version) if version else installed_release()


def _selected(rules: list[Rule], select: Sequence[str], extend: Sequence[str], ignore: Sequence[str]) -> list[Rule]:
    """Return the rules by the beginnings of their ids: `select` in place of the usual ones, `extend` besides."""
    chosen = [
        rule
        for rule in rules
        if any(rule.id.startswith(each) for each in (*select, *extend)) or (not select and not rule.optional)
    ]
    return [rule for rule in chosen if not any(rule.id.startswith(each) for each in ignore)]


def _require_rules(rules: list[Rule], prefixes: Sequence[str], where: str = "") -> None:
    """Raise `_UsageError` for a beginning that no rule has; `where`: the file that names it."""
    for prefix in dict.fromkeys(prefixes):
        if not any(rule.id.startswith(prefix) for rule in rules):
            named = next((rule.id for rule in rules if rule.name == prefix), "")
            meant = f' (did you mean "{named}"?)' if named else _near_rule(prefix)
            raise _UsageError(f"{where}no rule begins with {prefix}{meant}; --list-rules shows all")


class _Words(argparse.Action):
    """Option that may be repeated, and whose value is a list separated by commas."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,  # noqa: ARG002
    ) -> None:
        words = [word for word in str(values).replace(",", " ").split() if word]
        setattr(namespace, self.dest, [*getattr(namespace, self.dest), *words])


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
        raise argparse.ArgumentTypeError(f"{text} is not a number of days")
    return int(text)


def _parser() -> Parser:
    parser = Parser(
        "tlsproxy-check",
        description="Find mistakes in Postfix's main.cf and master.cf, without Postfix. Only --fix changes files.",
        epilog=_EXAMPLES,
        operands="FILE",
    )
    add = parser.add_argument
    add("files", nargs="*", metavar="FILE", help="main.cf, master.cf, their directory, or - for standard input")
    add(
        "-c",
        dest="config_directory",
        action="append",
        default=[],
        metavar="DIR",
        help="configuration directory; default: /etc/postfix",
    )
    add(
        "--postfix-version",
        default="",
        metavar="V",
        help="Postfix release, such as 3.10; default: the installed one, or 3.7",
    )
    add(
        "--upgrade",
        default="",
        metavar="TO",
        help="show the changes by an upgrade; TO is a release or system: 3.10, 3.8.4, debian13, ...",
    )
    add(
        "--from",
        dest="from_",
        default="",
        metavar="FROM",
        help="release or system to upgrade from; default: as --postfix-version",
    )
    add(
        "--root",
        default="/",
        metavar="IMAGE",
        help="directory that holds the file system to check, such as a mounted image",
    )
    add("--no-fs", action="store_true", help="don't read certificates, tables and other files")
    add("--select", action=_Words, default=[], metavar="RULES", help="run only these rules: ids or prefixes of ids")
    add("--extend-select", action=_Words, default=[], metavar="RULES", help="run these rules besides the default ones")
    add("--ignore", action=_Words, default=[], metavar="RULES", help="skip these rules")
    add(
        "--known", action=_Words, default=[], metavar="NAMES", help="accept these parameters, which other programs read"
    )
    add(
        "--fail-on",
        default="",
        choices=[*_LEVELS, "never"],
        help="lowest severity that causes exit status 1; default: error",
    )
    add("--tls-report", action="store_true", help="show the TLS settings that each service offers, and their origin")
    add("--profile", default="", metavar="NAME", help="report TLS settings of servers that violate a guideline")
    add("--openssl", default="", metavar="PROGRAM", help="report for this openssl(1), such as the distribution's")
    add(
        "--format",
        action="append",
        default=[],
        metavar="FORMAT[:FILE]",
        help=f"{', '.join(reports.FORMATS)}; html only with --tls-report",
    )
    add(
        "--status", default="", metavar="SOCKET", help="compare with the certificates of the running tlsproxy(8) (K014)"
    )
    add("--dns", action="store_true", help="compare certificates with TLSA records in DNS (D005)")
    add("--expiry-days", type=_days, metavar="N", help="warn of certificates that expire within N days; default: 21")
    add("--diff", action="store_true", help="show the changes of --fix without making them")
    add("-q", "--quiet", action="store_true", help="print nothing on a terminal for a clean result")
    add("--fix", action="store_true", help="apply safe fixes")
    add(
        "--unsafe-fixes",
        action="store_true",
        help="with --fix or --diff: include fixes that are probably, but not certainly, right",
    )
    add("--disable-ignore-pragma", action="store_true", help="ignore suppression comments")
    add("--explain", metavar="RULE", help="describe one rule")
    add("--list-rules", action="store_true", help="list all rules")
    parser.suggest("--profile", profile_names)
    for option in ("--upgrade", "--from"):
        parser.suggest(option, system_names)
    return parser
