"""Files that are no main.cf or master.cf at all: binary data, HTML, scripts, and one of the two in place of the other.

Such a file has a syntax error on nearly every line; one finding with the reason replaces all of them.
"""

from __future__ import annotations

from typing import NamedTuple

from postconf.syntax.maincf import AssignmentError, split_assignment
from postconf.syntax.mastercf import FIELDS, TYPES

from ..context import Context
from ..findings import Span
from .sources import MainFile, Source
from .templates import templates

FOREIGN = "S015"
"""The rule that reports such files."""
_LEAST_LINES = 5
_MOST_UNKNOWN = 20
"""Settings of a file without a parameter of Postfix, up to which it can be a part of main.cf."""
_SCRIPT = "#!"
_SAMPLE = 4096
_MARKUP = ("<!doctype", "<html", "<?xml", "<svg")


class Foreign(NamedTuple):
    """A file that is something else."""

    span: Span
    name: str
    """`main.cf` or `master.cf`: the file that it should be."""
    reason: str


def foreign(context: Context) -> list[Foreign]:
    """Return the files of a configuration that are something else."""
    return context.keep(_foreign)


def _foreign(context: Context) -> list[Foreign]:
    found = []
    for source in context.sources:
        name, judge = ("main.cf", _of_main) if isinstance(source, MainFile) else ("master.cf", _of_master)
        reason = _of_bytes(source)
        if not reason and (source.text.startswith(_SCRIPT) or not templates(context)):
            reason = judge(context)
        if reason:
            found.append(Foreign(Span(source.path, 1, 1, 2), name, reason))
    return found


def _of_bytes(source: Source) -> str:
    """Return the reason if a file is not even text, or markup; empty if it may be a configuration."""
    sample = source.text[:_SAMPLE]
    if "\0" in sample and sum(not (each.isprintable() or each.isspace()) for each in sample) * 10 > len(sample):
        return "it has binary data"
    return "it is HTML or XML" if sample.lstrip()[:9].lower().startswith(_MARKUP) else ""


def _of_main(context: Context) -> str:
    main = context.main
    if not main.logical or any(_is_parameter(context, each.name) for each in main.assignments):
        return ""
    services = sum(_is_service(line.text) for line, _ in main.broken)
    if services * 2 >= len(main.logical):
        return "its lines are services, as in master.cf"
    lines = len(main.logical)
    is_broken = len(main.broken) >= _LEAST_LINES and len(main.broken) * 3 >= lines
    if is_broken or (main.broken and lines > _MOST_UNKNOWN):
        return _kind(main) or f"none of its {lines} lines sets a parameter of Postfix"
    return ""


def _of_master(context: Context) -> str:
    master = context.master
    if master is None or master.services or not master.entries:
        return ""
    settings = sum(_is_setting(context, entry.line.text) for entry in master.entries)
    if settings * 2 > len(master.entries):
        return "its lines are settings, as in main.cf"
    if len(master.entries) < _LEAST_LINES:
        return ""
    return _kind(master) or f"none of its {len(master.entries)} lines is a service"


def _kind(source: Source) -> str:
    if source.text.startswith(_SCRIPT):
        return "it begins with #!, as a script does"
    begin = source.logical[0].text.rstrip()
    if begin == "{":
        return "it is JSON"
    if begin == "---":
        return "it is YAML"
    return "it has sections" if begin.startswith("[") and begin.endswith("]") and " " not in begin else ""


def _is_parameter(context: Context, name: str) -> bool:
    return name in context.release.kinds or name in context.release.legacy() or name in context.release.deprecated()


def _is_service(text: str) -> bool:
    words = text.split(None, len(FIELDS))
    return len(words) >= len(FIELDS) and words[1] in TYPES


def _is_setting(context: Context, text: str) -> bool:
    try:
        name, _, _ = split_assignment(text)
    except AssignmentError:
        return False
    return _is_parameter(context, name)
