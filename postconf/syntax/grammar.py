"""Grammar of conditions and calls inside ${…} (postconf(5), mac_parse(3)).

    reference  = comparison [branches] | name [branches] | call
    comparison = {text} operator [suffix] {text}
    call       = name {text}, since Postfix 3.11
    branches   = ? {text} [: otherwise] | ? text | : otherwise
    otherwise  = {text} | text

The grammar accepts any content: invalid text is in `rest`, so that `references` can report the syntax expected there.
Importing pyparsing takes six times as long as a whole listing, so `references` imports it only when needed.
"""

from __future__ import annotations

from typing import Any

from pyparsing import Opt, ParseException, ParserElement, Regex, Token, Word, alphanums

from .lines import BLANK
from .mastercf import closing_brace

OPERATORS = ("==", "!=", "<", "<=", ">", ">=")


class _Braced(Token):
    """Text between matching braces, nested ones included. Leading blanks are skipped."""

    def parseImpl(self, instring: str, loc: int, do_actions: bool = True) -> tuple[int, str]:  # noqa: ARG002
        end = closing_brace(instring, loc) if instring.startswith("{", loc) else -1
        if end < 0:
            raise ParseException(instring, loc, "no {text}", self)
        return end + 1, instring[loc + 1 : end]


def _grammar(*, calls: bool) -> ParserElement:
    text = _Braced()
    name = Word(f"{alphanums}_")
    argument = _Braced().add_parse_action(lambda tokens: tokens[0].strip(BLANK))
    # Blanks are significant in text without braces.
    verbatim = Regex(r"(?s).*").leave_whitespace()
    rest = verbatim("rest")

    operator = Word("<>!=?+-*/~&|%").add_condition(lambda tokens: tokens[0] in OPERATORS)
    suffix = Word(alphanums).leave_whitespace()
    compared = operator("operator") + Opt(suffix("suffix"))

    otherwise = ":" + (text("otherwise") | verbatim("unbraced_otherwise"))
    then = "?" + (text("then") + Opt(otherwise) | verbatim("unbraced_then"))
    branches = (then | otherwise)("branches")

    comparison = text("left") + compared + text("right") + Opt(branches)
    unfinished = text("left") + Opt(compared)

    reference = comparison + rest | unfinished + rest
    if calls:
        reference |= name("name") + argument("argument") + rest
    reference |= Opt(name("name")) + Opt(branches) + rest
    return reference.parse_with_tabs()


_GRAMMARS = {calls: _grammar(calls=calls) for calls in (False, True)}


def parse(content: str, *, calls: bool) -> dict[str, Any]:
    """Parse the inside of ${…} or $(…); return the parts by name. `calls`: True if functions can be called."""
    return _GRAMMARS[calls].parse_string(content).as_dict()
