"""What stands inside ${…} and is more than a name: conditions and comparisons (postconf(5), mac_parse(3)).

    reference  = comparison [branches] | name [branches] | call
    comparison = {text} operator [suffix] {text}
    call       = name {text}, since Postfix 3.11
    branches   = ? {text} [: otherwise] | ? text | : otherwise
    otherwise  = {text} | text

Texts are not looked into here. Where the syntax is broken, the result holds Postfix's own words for it, with `>>>` at
the place; nothing is raised.
"""

from __future__ import annotations

from .lines import BLANK, cut
from .mastercf import closing_brace

NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_OPERATOR = frozenset("<>!=?+-*/~&|%")
_OPERATORS = ("==", "!=", "<", "<=", ">", ">=")


class Reference:
    """A parsed reference. `comparison` is (left, operator, suffix, right); without one, `name` counts: of a parameter,
    or of a function that is called with `argument`.

    `problem` says what is wrong with the name or comparison; nothing can be evaluated then. `trailing` says what is
    wrong with the branches, and is found after those before it were used.
    """

    __slots__ = ("argument", "branches", "comparison", "name", "otherwise", "problem", "then", "trailing")

    def __init__(self) -> None:
        self.name = ""
        self.argument: str | None = None
        self.comparison: tuple[str, str, str, str] | None = None
        self.branches = False
        """Whether there are branches; without, the reference stands for its value."""
        self.then: str | None = None
        self.otherwise: str | None = None
        self.trailing = ""
        self.problem = ""


def parse_reference(content: str, *, calls: bool = False) -> Reference:
    """Parse the inside of ${…} or $(…). `calls`: whether functions can be called."""
    reference = Reference()
    try:
        _Parser(content, reference).reference(calls=calls)
    except _Problem as problem:
        if reference.branches:
            reference.trailing = str(problem)
        else:
            reference.problem = str(problem)
    return reference


class _Problem(ValueError):
    def __init__(self, what: str, left: str, rest: str) -> None:
        super().__init__(f'{what} at: "...{left}>>>{rest}"')


def _start(text: str) -> str:
    return cut(text, 20)[0]


class _Unbalanced(_Problem):
    def __init__(self, rest: str) -> None:
        ValueError.__init__(self, f'unbalanced {{}} in attribute expression: "{rest}"')


class _Parser:
    def __init__(self, content: str, reference: Reference) -> None:
        self.content = self.rest = content
        self.result = reference

    def reference(self, *, calls: bool) -> None:
        self._skip_blanks()
        if self.rest.startswith("{"):
            self._comparison()
            self.result.branches = bool(self.rest)
            if self.rest and self.rest[0] not in "?:":
                raise _Problem('"?" or ":" expected', "}", _start(self.rest))
        else:
            self.result.name = self._run(NAME)
            after = self.rest
            self._skip_blanks()
            if calls and self.rest.startswith("{"):
                self._call()
                return
            if self.rest and self.rest[0] not in "?:":
                raise _Problem("attribute name syntax error", self.content.removesuffix(after), _start(after))
        self.result.branches = bool(self.rest)
        if self.rest.startswith("?"):
            self.rest = self.rest[1:]
            self.result.then, braced = self._branch()
            if self.rest and not self.rest.startswith(":"):
                raise _Problem('":" expected', f"{self.result.then}}}", _start(self.rest))
            if not braced:
                return
        if self.rest.startswith(":"):
            self.rest = self.rest[1:]
            self.result.otherwise, _ = self._branch()
            if self.rest:
                raise _Problem("unexpected input", f"{self.result.otherwise}}}", _start(self.rest))

    def _call(self) -> None:
        argument = self._braced().strip(BLANK)
        self._skip_blanks()
        if self.rest:
            raise _Problem("unexpected input", f"{argument}}}", _start(self.rest))
        self.result.argument = argument

    def _comparison(self) -> None:
        left = self._braced()
        self._skip_blanks()
        at_operator = self.rest
        operator = self._run(_OPERATOR)
        if operator not in _OPERATORS:
            expected = '"==" or "!="" or "<"" or "<="" or ">="" or ">" expected'
            raise _Problem(expected, f"{left}}}", _start(at_operator))
        suffix = self._run(NAME - {"_"})
        if suffix not in ("", "level"):
            raise _Problem("bad operator suffix", operator, suffix)
        after = self.rest
        self._skip_blanks()
        if not self.rest.startswith("{"):
            raise _Problem('"{expression}" expected', f"{{{left}}} {operator}{suffix}", _start(after))
        right = self._braced()
        self._skip_blanks()
        self.result.comparison = left, operator, suffix, right

    def _branch(self) -> tuple[str, bool]:
        """Take {text}, or all that is left, blanks included; say which."""
        if not self.rest.lstrip(BLANK).startswith("{"):
            text, self.rest = self.rest, ""
            return text, False
        self._skip_blanks()
        text = self._braced()
        self._skip_blanks()
        return text, True

    def _braced(self) -> str:
        end = closing_brace(self.rest, 0)
        if end < 0:
            raise _Unbalanced(self.rest)
        text, self.rest = self.rest[1:end], self.rest[end + 1 :]
        return text

    def _run(self, characters: frozenset[str]) -> str:
        end = 0
        while end < len(self.rest) and self.rest[end] in characters:
            end += 1
        run, self.rest = self.rest[:end], self.rest[end:]
        return run

    def _skip_blanks(self) -> None:
        self.rest = self.rest.lstrip(BLANK)
