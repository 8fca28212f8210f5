"""`$name` and its relatives in values: expansion, and the names in a value (mac_expand(3), mac_parse(3)).

    $name  ${name}  $(name)      the value of name, itself expanded
    ${name?text}  ${name:text}   text if name has a non-empty value / if it has none
    ${name?{text}:{text}}        both
    ${{a} == {b}?{text}:{text}}  the same for a comparison: == != < <= > >=, each optionally followed by `level`
    ${function{text}}            result of the function (`functions`, since Postfix 3.11)
    $$                           a dollar sign

`references` parses conditions and calls inside ${…}. Warnings and their repetitions are those of Postfix: text around
an error is still walked. Every expansion ends soon, even if Postfix's would not: the value of a name is expanded once
and then copied, and the output of an expansion is limited.
"""

from __future__ import annotations

from ..errors import ConfigError, PostconfError
from .lines import BLANK
from .pieces import BRACED, BROKEN, EMPTY, LAST, LITERAL, PLAIN, pieces_of
from .references import NAME, Reference, parse_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Known = tuple[str, int, int]
    """Expanded value of a name, and the number of nested levels and operands in it."""

_MAX_LEVEL = 100
_MAX_NESTED_OPERANDS = 20
"""Maximum depth of operands. Postfix has no limit for a loop through an operand, and crashes."""
_MAX_WORK = 32 << 20
"""Characters that one expansion may copy. Postfix has no limit for a value that doubles at each level."""
_WORK_OF_PIECE = 100
_MAX_WARNINGS = 1000
_ORDERS = {"==": (0,), "!=": (-1, 1), "<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1)}
"""Of each operator the orders of its operands for which it is true: -1 if the left one is less."""
_LONGEST_KEPT = 500
"""Characters of a text whose names are cached."""
_MOST_KEPT = 4096
_named: dict[tuple[str, bool], tuple[tuple[str, ...], tuple[str, ...]]] = {}
_INT64_MAX = 9223372036854775807
_MAX_MAJOR = 8796093022207
_MAX_MINOR = 1023


class ExpressionError(PostconfError, ValueError):
    """Value that can't be expanded; `warn` has received the reasons."""


class OperandError(ConfigError):
    """Comparison that is a fatal error in Postfix, with its message."""


class _ExhaustedError(Exception):
    """Walk that has reached its limit."""


class Budget:
    """Limit of the work of many expansions, for programs that read untrusted configurations.

    `left`: number of characters that may still be copied; a reference counts as 100. Negative if exhausted.
    """

    __slots__ = ("left", "most")

    def __init__(self, left: int) -> None:
        self.left = left
        self.most = left // 2
        """The work of one expansion, so that those before a value that is too large still have some."""


def expand(
    text: str,
    lookup: Callable[[str], str | None],
    warn: Callable[[str], None],
    *,
    calls: bool = False,
    is_verbatim: Callable[[str], bool] | None = None,
    known: dict[str, Known] | None = None,
    budget: Budget | None = None,
) -> str:
    """Expand a value. `lookup` returns the unexpanded value of a name, or None. Raise errors of this module.

    `calls`: True if functions can be called. `is_verbatim`: returns True for a name whose value is not expanded
    recursively. `known`: cache of values for the same `lookup`. `budget`: shared by several expansions.
    """
    if "$" not in text:
        return text
    if text[0] == "$" and len(text) > 1 and NAME.issuperset(text[1:]):
        # Fast path: most defaults are the name of another parameter with a plain value.
        value = lookup(text[1:]) or ""
        if "$" not in value:
            return value
    if budget is not None and budget.left < 0:
        raise ExpressionError("the values of this configuration expand to more than can be looked at")
    walk = _Expansion(lookup, warn, calls=calls, is_verbatim=is_verbatim, known=known)
    if budget is not None:
        walk.progress.limit = min(walk.progress.limit, budget.most, budget.left)
    failed = walk.run(text)
    if budget is not None:
        budget.left -= walk.progress.work
    if failed:
        raise ExpressionError("macro processing error")
    return "".join(walk.output)


def visit_names(text: str, visit: Callable[[str], None], warn: Callable[[str], None], *, calls: bool = False) -> None:
    """Call `visit` with each name in a value, in both branches of conditions, without expanding them."""
    if "$" in text:
        _Scan(visit, warn, calls=calls).run(text)


def names_in(text: str, *, calls: bool = False) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names in a value, each once, and the problems with its references; cached if the text is short."""
    key = text, calls
    if (found := _named.get(key)) is None:
        names: dict[str, None] = {}
        problems: list[str] = []
        visit_names(text, names.setdefault, problems.append, calls=calls)
        found = tuple(names), tuple(problems)
        if len(text) < _LONGEST_KEPT:
            if len(_named) > _MOST_KEPT:
                _named.clear()
            _named[key] = found
    return found


class _Progress:
    """State of a walk that the walks over its operands share."""

    __slots__ = ("limit", "operands", "warnings", "work")

    def __init__(self) -> None:
        self.work = 0
        self.limit = _MAX_WORK
        self.operands = 0
        """Maximum depth of operands so far."""
        self.warnings = 0


class _Walk:
    """Walk over a value, with its error state and nesting level."""

    def __init__(self, warn: Callable[[str], None], *, calls: bool, outer: _Walk | None = None) -> None:
        """`outer`: walk over the value that has this text as an operand."""
        self._warn = warn
        self.calls = calls
        self.nested: int = outer.nested + 1 if outer else 0
        self.progress: _Progress = outer.progress if outer else _Progress()
        self.progress.operands = max(self.progress.operands, self.nested)
        self.level = 0
        self.deepest = 0
        """Maximum level so far."""
        self.error = False

    def warn(self, warning: str) -> None:
        """Report a warning, and record it."""
        self.progress.warnings += 1
        self._warn(warning)
        if self.progress.warnings >= _MAX_WARNINGS:
            raise _ExhaustedError

    def run(self, text: str) -> bool:
        """Walk over a whole value; return True if it has an error."""
        try:
            return self.parse(text)
        except RecursionError:  # deeply nested operands
            self._warn(f'unreasonable macro call nesting: "{text}"')
            return True
        except _ExhaustedError:
            return True

    def parse(self, text: str) -> bool:
        """Walk over text; return True if it has an error."""
        if "$" not in text:
            return self._enter(text, self.literal) if text else False
        bad = False
        for content, kind in pieces_of(text):
            if kind == LITERAL:
                bad |= self._enter(content, self.literal)
            elif kind == PLAIN or (kind == BRACED and not bad):
                bad |= self._enter(content, self._reference)
            elif kind == LAST:
                return bad or self._enter(content, self.literal)
            else:
                if kind == BROKEN or (kind == EMPTY and not bad):
                    self.warn(content)
                return True
        return bad

    def _enter(self, piece: str, action: Callable[[str], bool]) -> bool:
        level = self.level
        self.level += 1
        self.deepest = max(self.deepest, level)
        progress = self.progress
        progress.work += _WORK_OF_PIECE
        if progress.work > progress.limit:
            self._warn(f'unreasonable macro call nesting: "{piece}"')
            raise _ExhaustedError
        if level > _MAX_LEVEL:
            self.warn(f'unreasonable macro call nesting: "{piece}"')
            self.error = True
        # In Postfix an aborted piece still counts as a nesting level afterwards.
        if not self.error and action(piece):
            self.level -= 1
        return self.error

    # The following return True if a piece was walked to its end, even with errors inside.

    def literal(self, text: str) -> bool:
        """Process text without references."""
        raise NotImplementedError

    def _reference(self, content: str) -> bool:
        name = content.strip(BLANK)
        if NAME.issuperset(name):
            return self.name(name)
        condition = parse_reference(content, calls=self.calls)
        if condition.problem:
            return self.fail(condition.problem)
        if condition.argument is not None:
            self._call(condition.name, condition.argument)
            return False
        return self.condition(condition)

    def _call(self, name: str, argument: str) -> None:
        from .functions import FUNCTIONS

        if name in FUNCTIONS:
            self.call(name, argument)
        else:
            self.fail(f'unknown function "{name}" at"...>>>{name}{{{argument}}}"')

    def fail(self, problem: str) -> bool:
        """Report a syntax error."""
        self.warn(problem)
        self.error = True
        return False

    def branch(self, text: str) -> None:
        """Walk over a branch as a part of this walk."""
        if self.parse(text):
            self.error = True

    def name(self, name: str) -> bool:
        """Process a plain reference."""
        raise NotImplementedError

    def condition(self, condition: Reference) -> bool:
        """Process a conditional reference."""
        raise NotImplementedError

    def call(self, name: str, argument: str) -> None:
        """Process a call of a known function."""
        raise NotImplementedError


class _Expansion(_Walk):
    def __init__(
        self,
        lookup: Callable[[str], str | None],
        warn: Callable[[str], None],
        *,
        calls: bool,
        is_verbatim: Callable[[str], bool] | None = None,
        known: dict[str, Known] | None = None,
        outer: _Walk | None = None,
    ) -> None:
        super().__init__(warn, calls=calls, outer=outer)
        self.lookup = lookup
        self.is_verbatim = is_verbatim
        self.known = {} if known is None else known
        self.output: list[str] = []

    def literal(self, text: str) -> bool:
        self.output.append(text)
        self.progress.work += len(text)
        return True

    def name(self, name: str) -> bool:
        progress, start = self.progress, len(self.output)
        if name in self.known:
            text, levels, operands = self.known[name]
            if self.level + levels <= _MAX_LEVEL and self.nested + operands <= _MAX_NESTED_OPERANDS:
                self.deepest = max(self.deepest, self.level + levels)
                progress.operands = max(progress.operands, self.nested + operands)
                return self.literal(text)
        before, warnings = (self.deepest, progress.operands), progress.warnings
        self.deepest, progress.operands = self.level, self.nested
        self._value_of(name, self.lookup(name) or "")
        if not self.error and progress.warnings == warnings:
            text = "".join(self.output[start:])
            self.output[start:] = [text]
            self.known[name] = text, self.deepest - self.level, progress.operands - self.nested
        self.deepest, progress.operands = max(self.deepest, before[0]), max(progress.operands, before[1])
        return True

    def _value_of(self, name: str, value: str) -> None:
        if value and self.is_verbatim is not None and self.is_verbatim(name):
            self.literal(value)
        elif value:
            self.branch(value)

    def condition(self, condition: Reference) -> bool:
        value = self._value(condition)
        if self.error:
            return False
        if not condition.branches:
            self._value_of(condition.name, value)
        elif value and condition.then is not None:
            self.branch(condition.then)
        elif not value and condition.otherwise is not None:
            self.branch(condition.otherwise)
        return not condition.trailing or self.fail(condition.trailing)

    def _value(self, condition: Reference) -> str:
        if condition.comparison is None:
            return self.lookup(condition.name) or ""
        left, operator, suffix, right = condition.comparison
        # The rest of an invalid operand is still compared, as in Postfix: there may be more warnings.
        result = self._compare(self._operand(left), operator, suffix, self._operand(right))
        return "true" if result and not self.error else ""

    def _operand(self, text: str) -> str:
        if self.nested >= _MAX_NESTED_OPERANDS:
            self.fail(f'unreasonable macro call nesting: "{text}"')
            return ""
        if "$" not in text:
            self.progress.operands = max(self.progress.operands, self.nested + 1)
            self.progress.work += _WORK_OF_PIECE + len(text)
            return text
        known = self.known if self.is_verbatim is None else None
        walk = _Expansion(self.lookup, self._warn, calls=self.calls, known=known, outer=self)
        if walk.parse(text):
            self.error = True
        return "".join(walk.output)

    def call(self, name: str, argument: str) -> None:
        from .functions import FUNCTIONS, FunctionArgumentError

        text = self._operand(argument)
        if self.error:
            return
        try:
            self.output.append(FUNCTIONS[name](text))
        except FunctionArgumentError as error:
            self.warn(str(error))
            self.fail(f"bad domain argument in: '{name}{{{text}}}'")

    def _compare(self, left: str, operator: str, suffix: str, right: str) -> bool:
        a: object
        b: object
        if suffix:
            a = self._level(left)
            b = self._level(right) if a is not None else None
            if b is None:
                self.error = True
                return False
        elif _is_number(left) and _is_number(right):
            a, b = _number(left), _number(right)
        else:
            a, b = left.encode("utf-8", "surrogateescape"), right.encode("utf-8", "surrogateescape")
        return (a > b) - (a < b) in _ORDERS[operator]  # type: ignore[operator]  # both are of one type

    def _level(self, text: str) -> tuple[int, ...] | None:
        level = compatibility_level(text)
        if level is None:
            self.warn(f'malformed compatibility level syntax: "{text}"')
        return level


class _Scan(_Walk):
    def __init__(
        self, visit: Callable[[str], None], warn: Callable[[str], None], *, calls: bool, outer: _Walk | None = None
    ) -> None:
        super().__init__(warn, calls=calls, outer=outer)
        self.visit = visit

    def literal(self, text: str) -> bool:  # noqa: ARG002  it refers to nothing
        return True

    def name(self, name: str) -> bool:
        self.visit(name)
        return True

    def condition(self, condition: Reference) -> bool:
        if condition.comparison is None:
            self.visit(condition.name)
        else:
            for operand in (condition.comparison[0], condition.comparison[3]):
                self._operand(operand)
            if self.error:
                return False
        for branch in (condition.then, condition.otherwise):
            if branch is not None:
                self.branch(branch)
        return not condition.trailing or self.fail(condition.trailing)

    def call(self, name: str, argument: str) -> None:  # noqa: ARG002  functions are no parameters
        self._operand(argument)

    def _operand(self, text: str) -> None:
        if _Scan(self.visit, self._warn, calls=self.calls, outer=self).parse(text):
            self.error = True


def compatibility_level(text: str) -> tuple[int, int, int] | None:
    """Read MAJOR[.MINOR[.PATCH]] (compat_level(3)); None for anything else."""
    parts = text.split(".")
    if len(parts) > 3:
        return None
    numbers = []
    for part in parts:
        digits = part.lstrip(" \t\n\v\f\r").removeprefix("+")
        if not _is_number(digits) or len(digits.lstrip("0")) > 19:
            return None
        numbers.append(int(digits))
    major, minor, patch = (*numbers, 0, 0)[:3]
    return None if major > _MAX_MAJOR or minor > _MAX_MINOR or patch > _MAX_MINOR else (major, minor, patch)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _number(text: str) -> int:
    digits = text.lstrip("0") or "0"
    if len(digits) > 19 or int(digits) > _INT64_MAX:
        raise OperandError(f"mac_exp_eval: bad conversion: {text}", None, f"compare numbers up to {_INT64_MAX}")
    return int(digits)
