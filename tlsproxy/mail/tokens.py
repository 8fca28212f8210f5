"""RFC 822 tokens: text to tokens, tokens to addresses, and back to text, as tok822_parse(3) does it.

Lenient like Postfix: nothing is refused, and text that is not understood is kept. `scan` takes a text for one address;
`parse` finds the addresses between commas, brackets and comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

SPECIALS = frozenset('|%!()<>@,;:\\".[]')
"""The characters that are tokens by themselves, or begin one: RFC 822's, and those of other networks."""
BLANKS = " \t\r\n"

_PLAIN_ATOM = re.compile(r'[^\x00-\x20\x7f|%!()<>@,;:\\".\[\]]+(?![^ \t\r\n|%!()<>@,;:".\[\]])')
"""An atom without backslashes and control characters, which most are."""

ATOM, QUOTED, LITERAL, COMMENT, GROUP = "atom", "quoted", "literal", "comment", "group"
_WORDS = (ATOM, QUOTED, LITERAL)
_NOT_OPERATORS = (*_WORDS, COMMENT)


class Token(NamedTuple):
    """A token: `kind` is one of the names above, or the operator itself."""

    kind: str
    text: str = ""
    tight: bool = False
    """True if no blank is written between it and its neighbour: it was cut out of a list of addresses."""


class AddressTokens(NamedTuple):
    """The tokens of one address in a list."""

    tokens: list[Token]


Node: TypeAlias = Token | AddressTokens


def operator(character: str) -> Token:
    """Return the token of an operator."""
    return Token(character)


def scan(text: str) -> list[Token]:
    """Split a text into tokens; quotes, brackets and backslashes are gone from theirs."""
    tokens = []
    position = 0
    while position < len(text):
        if plain := _PLAIN_ATOM.match(text, position):
            tokens.append(Token(ATOM, plain[0]))
            position = plain.end()
            continue
        character = text[position]
        if character in BLANKS:
            position += 1
        elif character == "(":
            end = _end_of_comment(text, position)
            tokens.append(Token(COMMENT, text[position:end]))
            position = end
        elif character in '["':
            content, position = _collect(text, position + 1, "]" if character == "[" else '"')
            position += 1
            tokens.append(Token(LITERAL if character == "[" else QUOTED, content))
        elif character != "\\" and character in SPECIALS:
            tokens.append(Token(character))
            position += 1
        else:
            content, position = _collect(text, position, None)
            tokens.append(Token(QUOTED if _needs_quotes(content) else ATOM, content))
    return tokens


def parse(text: str) -> list[Node]:
    """Find the addresses in a list of them; tokens that belong to none stay beside them."""
    return _Parser(scan(text)).parse()


def internal(nodes: Iterable[Node]) -> str:
    """Return the internal form: without quotes and without backslashes."""
    pieces: list[str] = []
    before: Node | None = None
    for node in nodes:
        if before is not None and _needs_blank(before, node):
            pieces.append(" ")
        if isinstance(node, AddressTokens):
            pieces.append(internal(node.tokens))
        elif node.kind == LITERAL:
            pieces.append(f"[{node.text}]")
        elif node.kind == GROUP:
            pieces.append(":")
        else:
            pieces.append(node.text or _character(node))
        before = node
    return "".join(pieces)


def external(tokens: Iterable[Token]) -> str:
    """Return the external form of the tokens of an address, with quotes where the tokens had them."""
    pieces: list[str] = []
    before: Token | None = None
    for token in tokens:
        if before is not None and before.kind != "," and _needs_blank(before, token):
            pieces.append(" ")
        if token.kind == ",":
            pieces.append(", ")
        elif token.kind == QUOTED:
            pieces.append(f'"{_escaped(token.text, _IN_QUOTES)}"')
        elif token.kind == LITERAL:
            pieces.append(f"[{_escaped(token.text, _IN_BRACKETS)}]")
        elif token.kind == GROUP:
            pieces.append(":")
        else:
            pieces.append(token.text or _character(token))
        before = token
    return "".join(pieces)


def append(tokens: list[Token], more: Iterable[Token]) -> None:
    """Add tokens to those of an address; they are written as close together as its last one."""
    tight = tokens[-1].tight if tokens else True
    tokens += [token._replace(tight=tight) for token in more]


def prepend(tokens: list[Token], more: Iterable[Token]) -> None:
    """Put tokens before those of an address, written as close together as its first one."""
    tight = tokens[0].tight if tokens else True
    tokens[:0] = [token._replace(tight=tight) for token in more]


def find(tokens: list[Token], kind: str, start: int = 0) -> int:
    """Return the index of the first token of a kind, from `start` on, or -1."""
    return next((index for index in range(start, len(tokens)) if tokens[index].kind == kind), -1)


def find_last(tokens: list[Token], kind: str) -> int:
    """Return the index of the last token of a kind, or -1."""
    return next((index for index in range(len(tokens) - 1, -1, -1) if tokens[index].kind == kind), -1)


class _Parser:
    """Reads tokens from the last one to the first, as Postfix does: an address in brackets ends with its bracket."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._next = len(tokens) - 1
        self._done: list[Node] = []
        """The finished nodes, last one first."""
        self._current: list[Token] = []
        """The tokens of the address that is being read, last one first."""

    def parse(self) -> list[Node]:
        may_be_word, in_group = True, False
        boundary = False
        while self._next >= 0:
            token = self._tokens[self._next]
            if token.kind == COMMENT:
                self._done.append(token)
            elif token.kind == ";":
                self._finish(missing_comma=True)
                self._done.append(token)
                may_be_word = in_group = True
            elif token.kind == ":" and in_group:
                self._finish()
                self._done.append(Token(GROUP))
                self._next -= 1
                self._skip_phrase(",")
                boundary = True
                continue
            elif token.kind == ">":
                self._finish(missing_comma=True)
                self._done.append(token)
                self._next -= 1
                self._take_route()
                self._skip_phrase(">;,:")
                may_be_word = boundary = True
                continue
            elif token.kind in _WORDS:
                if not may_be_word:
                    self._finish(missing_comma=True)
                self._current.append(token)
                may_be_word = False
            elif token.kind == ",":
                self._finish()
                self._done.append(token)
                may_be_word = True
            else:
                # The token at which a phrase was cut off is no part of an address.
                (self._done if boundary else self._current).append(token)
                may_be_word = True
            boundary = False
            self._next -= 1
        self._finish()
        return self._done[::-1]

    def _finish(self, *, missing_comma: bool = False) -> None:
        if self._current:
            tokens = [token._replace(tight=True) for token in reversed(self._current)]
            self._done.append(AddressTokens(tokens))
            if missing_comma:
                self._done.append(Token(","))
            self._current = []

    def _take_route(self) -> None:
        """Read the address in `<address>`; its comments come after it."""
        while self._next >= 0 and self._tokens[self._next].kind != "<":
            token = self._tokens[self._next]
            (self._done if token.kind == COMMENT else self._current).append(token)
            self._next -= 1
        self._finish()

    def _skip_phrase(self, ends: str) -> None:
        """Leave tokens as they are, up to one of these operators."""
        while self._next >= 0 and self._tokens[self._next].kind not in ends:
            self._done.append(self._tokens[self._next])
            self._next -= 1


_IN_QUOTES = frozenset('"\\\r\n')
_IN_BRACKETS = frozenset("\\\r\n")


def _escaped(text: str, special: frozenset[str]) -> str:
    return "".join(f"\\{each}" if each in special else each for each in text)


def _character(token: Token) -> str:
    """Return an operator; a word may be empty."""
    return token.kind if len(token.kind) == 1 else ""


def _needs_blank(left: Node, right: Node) -> bool:
    if isinstance(left, Token):
        if left.tight:
            return False
        if left.kind in (",", GROUP):
            return True
    if isinstance(right, Token) and right.kind == "<":
        return True
    return _is_word(left) and _is_word(right)


def _is_word(node: Node) -> bool:
    return isinstance(node, AddressTokens) or node.kind in _NOT_OPERATORS


def _collect(text: str, position: int, closing: str | None) -> tuple[str, int]:
    """Read up to a closing character, or else the end of an atom; return the text and its end."""
    pieces = []
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
            if position == len(text):
                break
            character = text[position]
        elif character == closing or (closing is None and (character in SPECIALS or character in BLANKS)):
            break
        pieces.append(" " if character in BLANKS else character)
        position += 1
    return "".join(pieces), position


def _end_of_comment(text: str, start: int) -> int:
    """Return the end of a comment; there may be comments in it."""
    level = 0
    position = start
    while position < len(text):
        character = text[position]
        position += 1
        if character == "(":
            level += 1
        elif character == ")":
            level -= 1
            if level == 0:
                break
        elif character == "\\":
            position += 1
    return min(position, len(text))


def is_control(character: str) -> bool:
    """Return True for an ASCII control character."""
    return character < " " or character == "\x7f"


def _needs_quotes(atom: str) -> bool:
    return any(each == " " or each in SPECIALS or is_control(each) for each in atom)
