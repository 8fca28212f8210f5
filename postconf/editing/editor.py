"""Editing of main.cf and master.cf, for programs and for postconf(1)'s options -e, -X and -#.

    with postconf.edit_main("/etc/postfix") as main:
        main.set("smtpd_tls_security_level", "may")
        main.comment_out("smtpd_use_tls")

Files are replaced as a whole if there was no error, and are locked against other editors (`files.replacement`).
"""

from __future__ import annotations

import os
from contextlib import contextmanager

from ..errors import ConfigError
from ..files.replacement import LockedFile
from ..htable_order import table_order
from ..syntax.lines import BLANK, SPACE, encode
from ..syntax.maincf import AssignmentError, split_assignment
from ..syntax.patterns import ANY, check_field, parse_pattern
from .main import MainCf
from .master import COMMENT_OUT, ENTRY, FIELD, PARAMETER, REMOVE, SET, EditRequest, MasterCf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..catalogue import Release

# First release of each branch in which an edit …
_COMPLETES_LAST_LINE = ("3.7.15", "3.8.10", "3.9.4", "3.10.2")
_APPENDS_SORTED = ("3.7.17", "3.8.12", "3.9.6", "3.10.5")
_KNOWS_HARMLESS_REPETITION = ("3.7.18", "3.8.13", "3.9.7", "3.10.6", "3.11.0")

_ACTIONS = {"e": SET, "X": REMOVE, "#": COMMENT_OUT}
_SUBJECTS = {"M": ENTRY, "F": FIELD, "P": PARAMETER}
_PATTERN_PROBLEMS = {
    ENTRY: "-Me, -MX or -M# requires service_name/type",
    FIELD: "-Fe or -FX requires service_name/type/field_name",
    PARAMETER: "-Pe or -PX requires service_name/type/parameter",
}


@contextmanager
def edit_main(directory: str | os.PathLike[str]) -> Iterator[MainCf]:
    """Edit the main.cf of a directory, with a `MainCf` as the target of `with`.

    The file is locked against postconf(1) and other editors, and is replaced as a whole at the end. An exception in the
    block leaves it unchanged. In the block, root has only the rights of the directory's owner. Raise `ConfigError` if
    the file can't be read, locked or written.
    """
    path = f"{os.fspath(directory)}/main.cf"
    with LockedFile(path) as file:
        main = MainCf(file.read(), path)
        yield main
        file.replace(main.text)


@contextmanager
def edit_master(directory: str | os.PathLike[str]) -> Iterator[MasterCf]:
    """Edit the master.cf of a directory, with a `MasterCf` as the target of `with`; in all else like `edit_main`."""
    path = f"{os.fspath(directory)}/master.cf"
    with LockedFile(path) as file:
        master = MasterCf(file.read(), path)
        yield master
        file.replace(master.text)


def run(
    option: str,
    arguments: list[str],
    *,
    subject: str,
    directory: str,
    release: Release,
    warn: Callable[[str], None],
) -> None:
    """Edit a file like postconf(1) with option `e`, `X` or `#`, and `M`, `F` or `P` (`subject`; empty for main.cf).

    Raise `ConfigError`; the files are unchanged then.
    """
    action = _ACTIONS[option]
    if subject in _SUBJECTS:
        requests = [_master_request(action, _SUBJECTS[subject], argument) for argument in arguments]
        path = f"{directory}/master.cf"

        def change(text: str) -> str:
            master = MasterCf(text, path, warn)
            master.change(requests)
            return master.text
    else:
        values = _main_requests(action, arguments, release, warn)
        path = f"{directory}/main.cf"

        def change(text: str) -> str:
            main = MainCf(text, path, warn)
            if action == SET:
                main.set_all(values)
            elif action == REMOVE:
                main.remove(*values)
            else:
                main.comment_out(*values)
            return main.text

    with LockedFile(path) as file:
        text = change(file.read())
        if text and not text.endswith("\n") and release.since(*_COMPLETES_LAST_LINE):
            text += "\n"
        file.replace(text)


def _main_requests(action: str, arguments: list[str], release: Release, warn: Callable[[str], None]) -> dict[str, str]:
    """Return the values by name (empty to remove one), in the order in which new entries are appended."""
    values: dict[str, str] = {}
    for argument in arguments:
        if "\n" in argument:
            raise ConfigError("-e, -X, or -# accepts no multi-line input")
        text = argument.lstrip(SPACE)
        if text.startswith("#"):
            raise ConfigError("-e, -X, or -# accepts no comment input")
        if action == SET:
            name, value = _split(text, text)
        else:
            name, value = text, ""
            if not name:
                raise ConfigError("-X or -# requires non-blank parameter names")
            if "=" in name:
                raise ConfigError("-X or -# requires parameter names without value")
        earlier = values.pop(name, None)
        is_harmless = action != SET or (earlier == value and release.since(*_KNOWS_HARMLESS_REPETITION))
        if earlier is not None and not is_harmless:
            warn(f"ignoring earlier request: '{name} = {earlier}'")
        values[name] = value
    in_order = (
        sorted(values, key=encode) if release.since(*_APPENDS_SORTED) else table_order(values, release, len(arguments))
    )
    return {name: values[name] for name in in_order}


def _master_request(action: str, what: str, argument: str) -> EditRequest:
    if "\n" in argument:
        raise ConfigError("-Me, -Fe, -Pe, -X, or -# accept no multi-line input")
    text = argument.lstrip(SPACE)
    if text.startswith("#"):
        raise ConfigError("-Me, -Fe, -Pe, -X, or -# accept no comment input")
    if action == SET:
        pattern, value = _split(text, argument)
    else:
        pattern, value = text, ""
        if "=" in text:
            raise ConfigError("-X or -# requires names without value")
    size = 2 if what == ENTRY else 3
    parts = parse_pattern(pattern, size, size)
    if parts is None:
        raise ConfigError(_PATTERN_PROBLEMS[what])
    service, type, *names = parts
    name = "".join(names)
    has_blank = any(blank in value for blank in BLANK)
    if what == FIELD:
        if check_field(name) == ANY:
            raise ConfigError("-Fe does not accept wild-card field name")
        if name != "command" and has_blank:
            raise ConfigError("-Fe does not accept whitespace in non-command field")
    elif what == PARAMETER:
        if name == ANY:
            raise ConfigError("-Pe does not accept wild-card parameter name")
        if has_blank:
            raise ConfigError("-Pe does not accept whitespace in parameter value")
    return EditRequest(action, what, service, type, name=name, value=value, text=argument)


def _split(text: str, shown: str) -> tuple[str, str]:
    try:
        name, value, _ = split_assignment(text)
    except AssignmentError as error:
        raise ConfigError(f'{error}: "{shown}"', None, "write NAME=VALUE") from None
    return name, value
