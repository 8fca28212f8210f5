"""Lists of patterns, tables and restrictions.

A match list (match_list(3)) has patterns, names of files with patterns, and tables; `!` before an element excludes its
matches. For lists of restrictions, this module finds only the words and their roles.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .kind import Kind, Outcome
from .reading import Reading, Word, braced_words_at, inside_braces, whole, words_at
from .tables import is_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DOMAIN = re.compile(r"\.?[\w-]+(\.[\w-]+)*\Z|\[[^]]*\]\Z")
_ACCESS = re.compile(r"check_\w+_(access|maps?)\Z|check_address_map\Z", re.IGNORECASE)
_WITH_ARGUMENT = frozenset(
    (
        *("check_policy_service", "sleep", "warn_if_reject", "reject_rbl_client", "reject_rhsbl_client"),
        *("reject_rhsbl_helo", "reject_rhsbl_sender", "reject_rhsbl_recipient", "reject_rhsbl_reverse_client"),
        *("permit_dnswl_client", "permit_rhswl_client"),
    )
)


def patterns(reading: Reading, text: str) -> Iterator[Word]:
    """Add the elements of a match list; yield those that are neither files nor tables, without `!`."""
    for word in braced_words_at(text):
        pattern = Word.within(word, len(word.text) - len(word.text.lstrip("!")), len(word.text.lstrip("!")), "pattern")
        if not pattern.text:
            reading.problem(word, "there is nothing behind the !", "remove it", outcome=Outcome.DIES)
        elif pattern.text.startswith("/"):
            reading.add(pattern, "file")
        elif is_table(pattern):
            reading.add(pattern, "table")
        else:
            yield pattern


def relative_file(reading: Reading, pattern: Word) -> bool:
    """Add the problem of a pattern that looks like a relative file name; return True if it does."""
    if "/" not in pattern.text:
        return False
    reading.problem(
        pattern,
        f'"{pattern.text}" is taken for a name to match, since it does not begin with /',
        "write the full path",
        outcome=Outcome.IGNORES,
    )
    return True


def read_domains(kind: Kind, text: str) -> Reading:
    """Read a match list of domains."""
    reading = Reading(kind)
    for pattern in patterns(reading, text):
        reading.add(pattern, "domain")
        if relative_file(reading, pattern):
            continue
        if pattern.text.startswith("*."):
            reading.problem(
                pattern,
                f'"{pattern.text}" matches nothing: there are no wildcards',
                f"write {pattern.text[1:]}",
            )
        elif "@" in pattern.text:
            reading.problem(
                pattern,
                f'"{pattern.text}" is an address, and nothing but domains is matched here',
                f"write {pattern.text.rpartition('@')[2]}" if not pattern.text.endswith("@") else "",
            )
        elif not _DOMAIN.match(pattern.text):
            reading.problem(pattern, f'"{pattern.text}" is no domain: it matches nothing', "correct or remove it")
    return reading


def read_masquerade(kind: Kind, text: str) -> Reading:
    """Read domains whose subdomains are stripped; files and tables are not allowed."""
    reading = Reading(kind)
    for word in words_at(text):
        reading.add(word, "domain")
        if "/" in word.text or ":" in word.text:
            reading.problem(word, f'"{word.text}" is no domain: files and tables are not read here', "list the domains")
        elif word.text.lstrip("!").startswith((".", "*", "@")):
            reading.problem(
                word,
                f'"{word.text}" matches nothing: domains stand here without a sign in front',
                f"write {word.text.lstrip('!*@.')}",
            )
    return reading


def read_strings(kind: Kind, text: str) -> Reading:
    """Read a match list of words."""
    reading = Reading(kind)
    for pattern in patterns(reading, text):
        reading.add(pattern)
        relative_file(reading, pattern)
    return reading


def read_restrictions(kind: Kind, text: str) -> Reading:
    """Read a list of restrictions with their arguments.

    Roles are `restriction` (a built-in restriction, a class or an action), `table` (also without a restriction),
    `argument` (policy services, DNS lists, seconds), `option` (`name=value` of a policy service in braces).
    """
    reading = Reading(kind)
    expected = "restriction"
    for word in braced_words_at(text):
        if word.text.startswith("{"):
            for position, inner in enumerate(inside_braces(reading, word) or []):
                reading.add(inner, "option" if position else "argument")
            expected = "restriction"
        elif expected != "restriction":
            reading.add(word, expected)
            expected = "restriction"
        elif ":" in word.text and not word.text.lower().startswith("defer_if"):
            reading.add(word, "table")
        else:
            reading.add(word, "restriction")
            expected = argument_of(word.text)
    return reading


def argument_of(restriction: str) -> str:
    """Return the role of the word after a restriction; `restriction` if it takes no argument."""
    if _ACCESS.match(restriction):
        return "table"
    name = restriction.lower()
    return "argument" if name in _WITH_ARGUMENT and name != "warn_if_reject" else "restriction"


def read_access_list(kind: Kind, text: str) -> Reading:
    """Read a list of words and tables (server_acl(3)); an unknown word ends it."""
    reading = Reading(kind)
    for word in braced_words_at(text):
        if ":" in word.text:
            reading.add(word, "table")
        else:
            reading.add(word)
            if word.text.lower() not in kind.words:
                reading.unknown(word, "action: the rest of the list is ignored", kind.words)
    return reading


def read_tables(kind: Kind, text: str) -> Reading:
    """Read a list of lookup tables."""
    reading = Reading(kind)
    for word in braced_words_at(text):
        reading.add(word, "table")
    return reading


def read_table(kind: Kind, text: str) -> Reading:
    """Read the name of one lookup table."""
    reading = Reading(kind)
    word = whole(text, "table")
    if word.text:
        reading.add(word)
        more = braced_words_at(text)
        if len(more) > 1:
            reading.problem(more[1], "there can be one table only", "combine them in unionmap:{ … }")
    return reading


def read_tables_with_references(kind: Kind, text: str) -> Reading:
    """Read the tables that proxymap(8) may open: only elements that begin with `proxy:` count."""
    reading = Reading(kind)
    for word in braced_words_at(text):
        reading.add(word, "table" if word.text.startswith("proxy:") else "word")
    return reading


def read_transports(kind: Kind, text: str) -> Reading:
    """Read names of services that deliver mail."""
    reading = Reading(kind)
    for word in words_at(text):
        reading.add(word, "transport")
        if ":" in word.text:
            reading.problem(word, f'"{word.text}" is no name of a service', f"write {word.text.partition(':')[0]}")
    return reading


READERS: dict[str, Callable[[Kind, str], Reading]] = {
    "domains": read_domains,
    "strings": read_strings,
    "mechanisms": read_strings,
    "users": read_strings,
    "masquerade": read_masquerade,
    "restrictions": read_restrictions,
    "access-list": read_access_list,
    "rewrite-clients": read_access_list,
    "requiretls": read_access_list,
    "tables": read_tables,
    "table": read_table,
    "tables-with-references": read_tables_with_references,
    "transports": read_transports,
}
