"""pcre: Perl-compatible regular expressions by PCRE2, the library that Postfix uses (pcre_table(5))."""

from __future__ import annotations

from functools import cache

from ...text.patterns import Engine, PatternTable, Syntax, examine_patterns
from ...text.pcre2 import ANCHORED, CASELESS, DOLLAR_ENDONLY, DOTALL, EXTENDED, MULTILINE, UNGREEDY, PerlPattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...table import Access, Table


def open_table(name: str, access: Access) -> Table:
    """Read a file, or the rules in the name."""
    return PatternTable(ENGINE, name, access)


def examine(name: str, access: Access) -> None:
    """Read it once, with the warnings of opening it, without storing it."""
    examine_patterns(ENGINE, name, access)


@cache
def _syntax(options: int) -> Syntax | None:
    if options & EXTENDED:
        return None
    return Syntax(perl=True, ignore_case=bool(options & CASELESS), multiline=bool(options & MULTILINE))


ENGINE = Engine(
    kind="pcre",
    compile=PerlPattern,
    default=CASELESS | DOTALL,
    flags={
        ord("i"): CASELESS,
        ord("m"): MULTILINE,
        ord("s"): DOTALL,
        ord("x"): EXTENDED,
        ord("A"): ANCHORED,
        ord("E"): DOLLAR_ENDONLY,
        ord("U"): UNGREEDY,
    },
    syntax=_syntax,
    obsolete=b"X",
    unclosed="ignoring this rule",
)
