"""Templates: the markup of files that still have to be rendered, and the lines that can't be judged before that.

`Rule.in_templates` is True for a rule that can be checked in a template, line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from postconf.syntax.lines import SPACE

from ..context import Context
from ..findings import Finding, Span
from .sources import Assignment, Source

UNRENDERED = "S013"
"""The rule that reports templates."""

_MARKUP = re.compile(
    r"""
      \{% (?:(?!\{%).)*? %\}                 # Jinja, Twig, Django: statements
    | \{\# (?:(?!\{\#).)*? \#\}               # and comments
    | (?<!\$) \{\{ [-~{#^/>]? \s* ['"(]      # expressions, which begin with a constant
    | (?<!\$) (?<!regexp:) (?<!pcre:) \{\{ [-~{#^/>]? \s* [A-Za-z_.$] [^{}=]* \}\}  # or a name: no inline:{{key=value}}
    | \[% (?:(?!\[%).)*? %\]                 # Template Toolkit
    | <% (?:(?!<%).)*? %>                    # ERB, EPP, Mako
    | <\?(?:php\b|=)                         # PHP
    | %%[\w :.-]+%%                          # Zimbra and others
    | %\{\w+\} | %\(\w+\)s                   # Python, Modoboa
    | (?<![\w%']) %[a-z]+_[a-z_]+\b
    | (?<![\w.@]) @@?[A-Za-z_][\w.-]*@@?     # Autoconf, CMake, Maven
    | (?<![\w$?(P*+]) <[A-Za-z][\w .-]*>      # for people to replace
    | (?<![?:]) \{=[A-Za-z_][\w.]*\}
    | (?<![\w$]) _[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+_ (?!\w)
    | /(?:PATH/TO|path/to)/
    | \b__[A-Z][A-Z0-9_]*__\b                # sed
    | \bPH_[A-Z][A-Z0-9_]*\b                         # iRedMail
    """,
    re.VERBOSE,
)
_SIGN = re.compile(r"%|@|<|\{[{#=]|_[A-Z0-9]*_|PH_|PATH/TO|path/to")
"""Part of all markup. Its branches begin with different characters, so that it is found much faster."""
_OPENING = re.compile(r"\s*(\{%|\{#|<%)")
"""A statement or comment that goes on on the next lines."""
_CLOSINGS = {"{%": "%}", "{#": "#}", "<%": "%>"}
_LONGEST_LINE = 10_000
"""Characters of a line in which markup is looked for: the expression is quadratic."""
_TABLE = re.compile(r".*\b(?:cidr|inline|pcre|pipemap|randmap|regexp|static|unionmap):", re.DOTALL)
"""The text up to a type whose tables can be written in braces."""
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]+")
"""A name as variables of the environment have it, which envsubst(1) replaces."""


@dataclass
class Markup:
    """The markup of a configuration; false if it has none."""

    first: list[tuple[Span, str]] = field(default_factory=list)
    """Of each file the first one."""
    lines: dict[str, set[int]] = field(default_factory=dict)
    """Of each file the physical lines that mean something else once they are rendered."""

    def __bool__(self) -> bool:
        return bool(self.first)

    def hides(self, finding: Finding) -> bool:
        """Return True if a finding depends on text that replaces markup."""
        return finding.rule != UNRENDERED and finding.span.line in self.lines.get(finding.span.path, ())


def templates(context: Context) -> Markup:
    """Return the unrendered parts of a configuration."""
    return context.keep(_templates)


def _templates(context: Context) -> Markup:
    found = Markup()
    of_sources = [(source, sorted({*_markup(source), *_variables(context, source)})) for source in context.sources]
    if all(_is_in_table(source, *each) for source, markup in of_sources for each in markup):
        return found  # nothing else is marked: these braces are Postfix's
    for source, markup in of_sources:
        if not markup:
            continue
        line, start, end = markup[0]
        found.first.append((Span(source.path, line, start + 1, end + 1), source.line(line)[start:end]))
        marked = {number for number, _, _ in markup}
        found.lines[source.path] = {
            number
            for logical in source.logical
            if marked.intersection(numbers := range(logical.number, logical.last_number + 1))
            for number in numbers
        }
    if found:
        _follow_references(context, found)
    return found


def _markup(source: Source) -> Iterator[tuple[int, int, int]]:
    """Line, begin and end of all that is marked, outside comments."""
    after = 0
    for number in _lines_with_signs(source.text):
        text = source.line(number)
        if number <= after or text.lstrip(SPACE).startswith("#"):
            continue
        if match := _MARKUP.search(text, 0, _LONGEST_LINE):
            yield number, *match.span()
        elif opening := _OPENING.match(text, 0, _LONGEST_LINE):
            yield number, opening.start(1), len(text)
            for after in range(number + 1, len(source.lines) + 1):
                text = source.line(after)
                yield after, 0, max(1, len(text))
                if _CLOSINGS[opening[1]] in text:
                    break


def _lines_with_signs(text: str) -> Iterator[int]:
    number, position = 1, 0
    last = 0
    for match in _SIGN.finditer(text):
        number += text.count("\n", position, match.start())
        position = match.start()
        if number != last:
            yield number
            last = number


def _is_in_table(source: Source, number: int, start: int, end: int) -> bool:
    """Return True for doubled braces inside of a table that is written in main.cf, without blanks as templates have."""
    text = source.line(number)
    table = _TABLE.search(text[:start])
    inside = text[start:end]
    if table is None or not inside.startswith("{{") or inside[2:3].isspace():
        return False
    before = text[table.end() : start]
    return not before or before.count("{") > before.count("}")


def _variables(context: Context, source: Source) -> Iterator[tuple[int, int, int]]:
    """Return the same for references to names in capitals that are set nowhere."""
    for each in context.everywhere:
        if each.source is source and "$" in each.value:
            for name in context.undefined(each):
                if _VARIABLE.fullmatch(name):
                    span = each.word(name)
                    yield span.line, span.column - 1, span.end_column - 1


def _follow_references(context: Context, found: Markup) -> None:
    """Add values that refer to others with markup: they mean nothing yet, either."""
    users: dict[str, list[Assignment]] = {}
    waiting: list[str] = []
    for each in context.everywhere:
        for name in context.names_in(each):
            users.setdefault(name, []).append(each)
        if each.line.number in found.lines.get(each.source.path, ()):
            waiting.append(each.name)
    marked = set(waiting)
    while waiting:
        for each in users.get(waiting.pop(), ()):
            numbers = range(each.line.number, each.line.last_number + 1)
            found.lines.setdefault(each.source.path, set()).update(numbers)
            if each.name not in marked:
                marked.add(each.name)
                waiting.append(each.name)
