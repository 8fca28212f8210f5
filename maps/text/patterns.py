"""Tables of regular expressions: the rules of regexp and pcre (regexp_table(5), pcre_table(5)).

The engine gives a pattern its meaning, a library with a little around it: see `regexp`
and `pcre` in `drivers.patterns`. Everything here is bytes, as it is for these libraries.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from postconf.syntax.lines import decode

from .. import file_values
from ..errors import MapsError
from ..table import Flags, Table
from .faultless import LONGEST, faultless
from .rule_tables import Rules, TableRule, Unkept, rule_parts
from .source import SPACE
from .substitution import Substitution, SubstitutionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..table import Access
    from .rule_tables import Plain

_BACKSLASH = ord("\\")
WARM = 8
"""Number of lookups after which screens are made; a single lookup ends before they pay."""


class PatternError(MapsError, ValueError):
    """A pattern that does not compile; the message is the library's."""


class MatchError(MapsError):
    """The library has given up on a key; the message is its own."""


class Compiled(Protocol):
    """A pattern that a library has compiled."""

    groups: int
    """Number of groups."""

    def match(self, key: bytes, groups: int) -> Sequence[bytes] | None:
        """Return the first `groups` groups of a match, those that are not set as empty; None without a match."""


class Syntax(NamedTuple):
    """The syntax of a pattern, and options that change its meaning."""

    perl: bool
    """True for PCRE2, False for an extended regular expression of the C library."""
    ignore_case: bool
    multiline: bool
    """True if `^` and `$` match at lines."""


class Engine(NamedTuple):
    """Pattern engine of a table type: syntax and compiler."""

    kind: str
    compile: Callable[[bytes, int, bool], Compiled]
    """Takes a pattern, options, and True if groups are wanted. Raises `PatternError`."""
    default: int
    """Options before flags toggle them."""
    flags: Mapping[int, int]
    """The options that flags toggle."""
    syntax: Callable[[int], Syntax | None]
    """Returns the syntax of patterns with some options; None if they can't be outlined."""
    obsolete: bytes = b""
    """Flags that mean nothing any more."""
    negations_follow: bool = False
    """True if a second, negated pattern may follow: /one/!/two/."""
    backslash_closes: bool = False
    """True if a backslash at the end of a line counts as the closing delimiter."""
    unclosed: str = "skipping this rule"
    """Consequence of a missing delimiter, for messages."""
    zero: str = "out of range"
    """Description of the number 0, for messages."""


class PatternTable(Table):
    """Rules in the order of the file; keys are matched as they come."""

    def __init__(self, engine: Engine, name: str, access: Access) -> None:
        super().__init__(engine.kind, name, access.flags | Flags.PATTERN)
        self._rules: Rules[bytes] = Rules()
        self._cold = WARM
        read_patterns(engine, name, access, self._rules)

    def lookup(self, key: bytes) -> bytes | None:
        if self._cold > 0:
            self._cold -= 1
            if not self._cold:
                from .screening import screened

                self._rules.steps = screened(self._rules.steps)
        return self._rules.lookup(key)

    def line(self, key: bytes) -> int | None:
        found = self._rules.find(key)
        return None if found is None else found[0].line


def read_patterns(
    engine: Engine,
    name: str,
    access: Access,
    rules: Rules[bytes],
    is_faultless: Callable[[bytes], object] | None = None,
) -> None:
    """Read a file, or the rules in the name; leave out short lines that are faultless."""
    for lines, numbers in rule_parts(engine.kind, name, access):
        for number, line in zip(numbers, lines, strict=True):
            if is_faultless and len(line) < LONGEST and is_faultless(line):
                continue
            rule = line.rstrip(SPACE)
            if rule:  # else it began with a NUL
                _Reader(engine, name, number, access).read(rule, rules)
    for number in rules.unfinished():
        _Reader(engine, name, number, access).warn("IF has no matching ENDIF")


def examine_patterns(engine: Engine, name: str, access: Access) -> None:
    """Read a file, or the rules in the name, with the warnings of opening it, without storing it."""
    read_patterns(engine, name, access, Unkept(), None if access.values_are_files else faultless().fullmatch)


class _SkipRuleError(Exception):
    """Rule that is skipped, with the reason."""


class _Pattern(NamedTuple):
    text: bytes
    options: int
    positive: bool


class _Condition(NamedTuple):
    """A pattern that a key matches, or does not match if it is negated."""

    compiled: Compiled
    positive: bool
    warn: Callable[[str], None]

    def match(self, key: bytes, groups: int = 0) -> Sequence[bytes] | None:
        """Return groups if the condition holds. When the library gives up it does not, be it negated or not."""
        try:
            found = self.compiled.match(key, groups)
        except MatchError as failure:
            self.warn(str(failure))
            return None
        if self.positive:
            return found
        return () if found is None else None

    def holds(self, key: bytes) -> bool:
        return self.match(key) is not None


class _Reader:
    """Reads one logical line."""

    def __init__(self, engine: Engine, name: str, number: int, access: Access) -> None:
        self._engine = engine
        self._name = name
        self._number = number
        self._access = access

    def warn(self, text: str) -> None:
        self._access.warn(f"{self._engine.kind} map {self._name}, line {self._number}: {text}")

    def read(self, line: bytes, rules: Rules[bytes]) -> None:
        try:
            if not line[:1].isalnum():
                self._add(line, rules)
            elif line[:2].lower() == b"if" and not line[2:3].isalnum():
                self._begin(line[2:], rules)
            elif line[:5].lower() == b"endif" and not line[5:6].isalnum():
                if not rules.end():
                    raise _SkipRuleError("ignoring ENDIF without matching IF")
                if line[5:].strip(SPACE):
                    self.warn("ignoring extra text after ENDIF")
            else:
                raise _SkipRuleError("ignoring unrecognized request")
        except _SkipRuleError as reason:
            self.warn(str(reason))

    def _add(self, line: bytes, rules: Rules[bytes]) -> None:
        pattern, rest = self._pattern(line)
        second = None
        if self._engine.negations_follow and rest.startswith(b"!"):
            second, rest = self._pattern(rest)
        replacement = self._replacement(rest.lstrip(SPACE))
        wanted = replacement.highest
        if wanted and not pattern.positive:
            raise _SkipRuleError("$number found in negative match replacement text: skipping this rule")
        if wanted and self._access.flags & Flags.NO_REGSUB:
            raise _SkipRuleError("regular expression substitution is not allowed: skipping this rule")
        first = self._compile(pattern, bool(wanted))
        if wanted > first.compiled.groups:
            shown = (wanted + 2**31) % 2**32 - 2**31
            raise _SkipRuleError(f'out of range replacement index "{shown}": skipping this rule')
        also = second and self._compile(second, False)

        def rule(key: bytes) -> bytes | None:
            groups = first.match(key, wanted)
            if groups is None or (also and not also.holds(key)):
                return None
            return replacement.expand(groups)

        rules.add(TableRule(rule, self._plain(pattern) if pattern.positive else None, self._number))

    def _begin(self, text: bytes, rules: Rules[bytes]) -> None:
        pattern, rest = self._pattern(text)
        extra = rest.lstrip(SPACE)
        if extra:
            self.warn(f'ignoring extra text after IF statement: "{decode(extra)}"')
            self.warn("do not prepend whitespace to statements between IF and ENDIF")
        condition = self._compile(pattern, True)
        rules.begin(self._number, condition.holds, self._plain(pattern), positive=pattern.positive)

    def _plain(self, pattern: _Pattern) -> Plain | None:
        """Return the parts of a pattern that its outline is made of."""
        syntax = self._engine.syntax(pattern.options)
        return syntax and (pattern.text, syntax)

    def _pattern(self, text: bytes) -> tuple[_Pattern, bytes]:
        """Take the pattern that a text begins with, with its flags, and return the rest of the text."""
        start = text.lstrip(SPACE + b"!")
        positive = text[: len(text) - len(start)].count(b"!") % 2 == 0
        if not start:
            raise _SkipRuleError("no regexp: skipping this rule")
        end = self._delimiter(start)
        options = self._engine.default
        position = end + 1
        while position < len(start):
            flag = start[position]
            if flag in SPACE or (self._engine.negations_follow and flag == ord("!")):
                break
            shown = decode(bytes([flag]))
            if flag in self._engine.obsolete:
                self.warn(f'ignoring obsolete regexp option "{shown}"')
            elif flag not in self._engine.flags:
                raise _SkipRuleError(f'unknown regexp option "{shown}": skipping this rule')
            else:
                options ^= self._engine.flags[flag]
            position += 1
        return _Pattern(start[1:end], options, positive), start[position:]

    def _delimiter(self, text: bytes) -> int:
        """Return the offset of the second delimiter: the byte that the text begins with, not behind a backslash."""
        delimiter = text[:1]
        position = text.find(delimiter, 1) if delimiter != b"\\" else -1
        while position > 0:
            if not _is_escaped(text, position):
                return position
            position = text.find(delimiter, position + 1)
        if self._engine.backslash_closes and _is_escaped(text, len(text)):
            return len(text) - 1
        raise _SkipRuleError(f'no closing regexp delimiter "{decode(text[:1])}": {self._engine.unclosed}')

    def _replacement(self, text: bytes) -> Substitution:
        if not text:
            self.warn("no replacement text: using empty string")
        try:
            return Substitution(file_values.resolve(text, self._access), self._access.warn, self._warn_of_number)
        except file_values.FileValueError as error:
            raise _SkipRuleError(f"{error}: skipping this rule") from error
        except SubstitutionError:
            raise _SkipRuleError("bad replacement syntax: skipping this rule") from None

    def _warn_of_number(self, problem: str, number: str) -> None:
        if problem == "out of range":
            problem = self._engine.zero
        self.warn(f'{problem} replacement index "{number}"')

    def _compile(self, pattern: _Pattern, groups: bool) -> _Condition:
        try:
            compiled = self._engine.compile(pattern.text, pattern.options, groups)
        except PatternError as error:
            raise _SkipRuleError(str(error)) from None
        return _Condition(compiled, pattern.positive, self.warn)


def _is_escaped(text: bytes, position: int) -> bool:
    """Return True if a backslash protects a position: behind the first byte, an odd number of them is before it."""
    start = position
    while start > 1 and text[start - 1] == _BACKSLASH:
        start -= 1
    return (position - start) % 2 == 1
