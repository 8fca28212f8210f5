"""Values of lookup tables, by the use of the table: those that Postfix can't use, and its reaction."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from postconf.catalogue import release
from postconf.kinds import Kind, Outcome, kind_of
from postconf.kinds.reading import Reading, words_at
from postconf.kinds.routes import check_nexthop, read_transport
from postconf.spelling import did_you_mean, nearest
from postconf.syntax.lines import decode
from postconf.values import CipherGrade, cipher_grade

from ....mail.access.restrictions.table import RESTRICTIONS, Verdict, find
from ...findings import Severity
from ..tls.cipher_words import ignored_exclusions
from .uses import Use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_SIMILAR = 0.6
_LONGEST_COMPARED = 40
"""Characters of a word for which a similar one is looked for: that takes time with their square."""
_ACTIONS = frozenset(
    (
        *("ok", "relay", "dunno", "reject", "defer", "defer_if_reject", "defer_if_permit", "info", "warn", "hold"),
        *("bcc", "redirect", "filter", "prepend", "discard", "hangup"),
    )
)
"""The actions of access(5)."""
_CHECKS = frozenset(
    (
        *("reject", "warn", "info", "filter", "pass", "discard", "hold", "delay", "prepend", "replace", "redirect"),
        *("bcc", "strip", "ignore", "dunno", "ok"),
    )
)
"""The actions of header_checks(5), as cleanup(8) knows them."""
_CLIENT_CHECKS = frozenset(("warn", "info", "replace", "prepend", "ignore", "strip", "dunno", "ok"))
"""Those of smtp(8)."""
_POSTSCREEN = ("permit", "reject", "dunno", "permit_mynetworks")
_ARROWS = ("->", "=>", "=", ">", "-->", "==>", ":")
_NEGATIONS = ("reject", "deny", "dunno", "no", "none", "off", "false")
_REPLY = re.compile(r"[45][0-9]{2}\Z")
_DSN = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}\Z")
_HEADER = re.compile(r"[!-9;-~]+[ \t]*:")
_WORD_OF_LIST = re.compile(r"[A-Za-z]\w*\Z")
_WITH_COLON = ("filter",)
_WITH_ADDRESS = ("redirect", "bcc")
_TIME = re.compile(r"[0-9]+[smhdw]?\Z")


class Fault(NamedTuple):
    """A value that is no value for its use: message with the effect, suggestion, severity."""

    message: str
    suggestion: str
    severity: Severity = Severity.WARNING


def fault_of(use: Use, value: str, classes: frozenset[str] = frozenset(), check: str = "") -> Fault | None:
    """Return the fault of a value of a table of some use, or None.

    `classes` are restriction classes, in lower case; `check` is the restriction that asks an access table.
    """
    if use is Use.ACCESS:
        return _permission(value, check) or _access(value, classes)
    judge = _JUDGES.get(use)
    return judge(value) if judge else None


def _nearest(word: str, known: Sequence[str]) -> str:
    return nearest(word, known) if len(word) < _LONGEST_COMPARED else ""


def _similar(word: str, known: Sequence[str]) -> str:
    return did_you_mean(word, known, _SIMILAR) if len(word) < _LONGEST_COMPARED else ""


def _first(value: str) -> tuple[str, str]:
    fields = value.split(None, 1)
    return (fields[0], fields[1] if len(fields) > 1 else "") if fields else ("", "")


def _permission(value: str, check: str) -> Fault | None:
    """Judge a value that permits, for a check that must not (check_sender_mx_access and the like, postconf(5))."""
    restriction = find(check) if check else None
    if restriction is None or Verdict.PERMIT in restriction.verdict:
        return None
    word = _first(value)[0]
    if word.lower() in ("ok", "relay", "permit") or (value.strip().isdigit() and _REPLY.match(word)):
        message = f"{check} may not permit: the client gets 451 4.3.5 Server configuration error"
        return Fault(message, "write DUNNO", Severity.ERROR)
    return None


def _access(value: str, classes: frozenset[str]) -> Fault | None:
    """Judge a value as check_table_result of smtpd(8) reads it (access(5))."""
    word, rest = _first(value)
    action = word.lower()
    if action in _ACTIONS:
        return _argument(action, rest)
    if value.strip().isdigit():
        if not _REPLY.match(word):
            return None
        return Fault(f"{word} alone is taken for OK, and permits", f"write REJECT, or {word} text", Severity.ERROR)
    if _REPLY.match(word) and rest:
        return None
    severe = "the client gets 451 4.3.5 Server configuration error"
    if word[:1].isdigit():
        what = f'"{word}" is no reply code' if not _REPLY.match(word) else f"the code {word} has no text"
        return Fault(f"{what}: {severe}", "write 4NN text or 5NN text", Severity.ERROR)
    if ":" in value:
        return Fault(f"there can be no table in an access table: {severe}", "use a restriction class", Severity.ERROR)
    return _restrictions(value, classes, severe)


def _restrictions(value: str, classes: frozenset[str], severe: str) -> Fault | None:
    words = value.replace(",", " ").split()
    for position, word in enumerate(words):
        name = word.lower()
        if name in RESTRICTIONS or name in classes or not (_WORD_OF_LIST.match(word) or word.startswith("{")):
            if RESTRICTIONS.get(name) is not None:
                return None  # the next word may be its argument
            continue
        known = [*_ACTIONS, *RESTRICTIONS] if not position else list(RESTRICTIONS)
        meant = _nearest(name, known)
        hint = f'did you mean "{meant.upper() if meant in _ACTIONS else meant}"?' if meant else ""
        return Fault(
            f'"{word}" is neither an action nor a restriction: {severe}',
            hint or _similar(name, known) or "see access(5)",
            Severity.ERROR,
        )
    return None


def _argument(action: str, rest: str) -> Fault | None:
    """Judge the argument of an action that access(5) and header_checks(5) have."""
    ignored = "a warning is logged, and it has no effect"
    if action in _WITH_COLON and ":" not in rest:
        return Fault(f"{action.upper()} needs transport:destination; {ignored}", "write FILTER transport:destination")
    if action in _WITH_ADDRESS and "@" not in rest:
        return Fault(f"{action.upper()} needs user@domain; {ignored}", f"write {action.upper()} user@domain")
    if action == "prepend" and not _HEADER.match(rest):
        return Fault(f"PREPEND needs a header, name: value; {ignored}", "write PREPEND Name: value")
    if action in ("reject", "defer") and _DSN.match(rest.partition(" ")[0]):
        wanted = "5" if action == "reject" else "4"
        if rest.startswith("2"):
            return Fault(f"{rest.partition(' ')[0]} is no status of a rejection", f"write {wanted}{rest[1:]}")
    return None


def _checks(value: str, actions: frozenset[str] = _CHECKS, *, of_headers: bool = True) -> Fault | None:
    """Judge a value as cleanup(8) reads it (header_checks(5)); patterns have $1 in their texts.

    Texts that become a line of the body have any form; others have to be headers.
    """
    word, rest = _first(value)
    action = word.lower()
    if "$" in word:
        return None
    if action not in actions:
        if action in _CHECKS:
            return Fault(f"smtp(8) has no action {word}; a warning is logged, and it has no effect", "see smtp(8)")
        meant = _similar(action, sorted(actions))
        return Fault(
            f'"{word}" is no action; a warning is logged, and it has no effect',
            meant.upper() if meant.isupper() else meant or "see header_checks(5)",
        )
    if "$" in rest:
        return None
    if action in ("prepend", "replace"):
        if not rest:
            return Fault(f"{word} has no text; a warning is logged, and it has no effect", f"write {word} text")
        if of_headers and not _HEADER.match(rest):
            message = f"{word} needs a header, name: value; a warning is logged, and it has no effect"
            return Fault(message, f"write {word} Name: value")
        return None
    if action == "delay":
        if _TIME.match(rest.strip()):
            return None
        return Fault("DELAY needs a time; a warning is logged, and it has no effect", "write DELAY 1h")
    return _argument(action, rest)


def _body_checks(value: str) -> Fault | None:
    return _checks(value, of_headers=False)


def _client_checks(value: str) -> Fault | None:
    return _checks(value, _CLIENT_CHECKS)


def _client_body_checks(value: str) -> Fault | None:
    return _checks(value, _CLIENT_CHECKS, of_headers=False)


def _dns_replies(value: str) -> Fault | None:
    word = _first(value)[0]
    if word.lower() == "ignore":
        return None
    return Fault(f'"{word}" is no action here: a warning is logged, and the lookup fails', "write IGNORE")


def _membership(value: str) -> Fault | None:
    """Judge a value of a list: its keys count, and no value takes one away (match_list(3))."""
    word = _first(value)[0].rstrip(",;")
    if word.lower() not in _NEGATIONS:
        return None
    message = f'"{word}" excludes nothing: the list has each key of the table, with any value'
    return Fault(message, "remove the entry, or list it with ! in front of the table")


def _postscreen(value: str) -> Fault | None:
    word = value.split(maxsplit=1)[0] if value.split() else ""
    if word.lower() in _POSTSCREEN:
        return None
    meant = _nearest(word.lower(), _POSTSCREEN)
    hint = "PERMIT and OK are not the same here: write permit" if word.lower() == "ok" else ""
    return Fault(
        f'"{word}" is no action of postscreen(8): a warning is logged, and the rest of the list is ignored',
        hint or (f'did you mean "{meant}"?' if meant else "write permit, reject or dunno"),
    )


def _transport(value: str) -> Fault | None:
    """Judge `transport:nexthop`; both halves can be empty."""
    if value.startswith(":") or not value:
        nexthop = value[1:]
        return _nexthop(nexthop) if nexthop else None
    reading = read_transport(_KIND, value)
    for problem in reading.problems:
        return Fault(f"{problem.message}: mail for it is deferred", problem.suggestion, Severity.ERROR)
    return None


def _transport_of_sender(value: str) -> Fault | None:
    return None if value.lower() == "dunno" else _transport(value)


def _relayhost(value: str) -> Fault | None:
    return None if value.lower() == "dunno" else _nexthop(value)


def _nexthop(value: str) -> Fault | None:
    reading = Reading(_KIND)
    for word in words_at(value):
        check_nexthop(reading, word)
    for problem in reading.problems:
        return Fault(f"{problem.message}: smtp(8) is fatal when it delivers", problem.suggestion, Severity.ERROR)
    return None


def _passwords(value: str) -> Fault | None:
    if value[:1] in "\"'" and value[-1:] == value[:1] and len(value) > 1:
        return Fault("the quotes are part of user name and password", "remove them", Severity.ERROR)
    if ":" in value:
        return None
    return Fault("there is no password: smtp(8) sends an empty one", "write user:password")


def _logins(value: str) -> Fault | None:
    for word in value.replace(",", " ").split():
        if word.endswith(";"):
            return Fault(f'"{word}" is taken for a login name: only commas and blanks separate', f"write {word[:-1]},")
    return None


def _policy(value: str) -> Fault | None:
    """Judge ciphers and protocols of a TLS policy; the rest has a parser, and a rule of its own."""
    for word in value.replace(",", " ").split():
        name, _, text = word.partition("=")
        if name.lower() == "ciphers" and cipher_grade(text) is None:
            meant = _similar(text.lower(), [*CipherGrade])
            return Fault(
                f'"{text}" is no cipher grade: mail for it is deferred', meant or "write high or medium", Severity.ERROR
            )
        kind = _KINDS_OF_POLICY.get(name.lower())
        for problem in kind.read(text).problems if kind else ():
            if problem.outcome is not Outcome.IGNORES:
                return Fault(f"{problem.message}: mail for it is deferred", problem.suggestion, Severity.ERROR)
        for each in ignored_exclusions(text.split(":")) if name.lower() == "exclude" else ():
            if each.is_misspelled:
                return Fault(each.problem, each.remedy)
    return None


def _one_address(value: str) -> Fault | None:
    """Judge the result of a table that replaces or adds one address (canonical(5), recipient_bcc_maps)."""
    if "," in value and '"' not in value:
        return Fault("only one address is allowed here, and the others are lost, or spoil it", "use a virtual alias")
    return _addresses(value)


def _addresses(value: str) -> Fault | None:
    if value.startswith(("|", '"|', ":include:", "/")):
        what = "a list in a file" if value.startswith(":") else "a file" if value.startswith("/") else "a command"
        message = f"{what} is possible in aliases(5) only: this is taken for an address"
        return Fault(message, "name an alias here, and give it this value in alias_maps")
    for word in value.replace(",", " ").split():
        if word in _ARROWS:
            return Fault(f'"{word}" is taken for an address, to which mail is returned', "remove it", Severity.ERROR)
        if word.count("@") > 1 and '"' not in word and not word.startswith("@") and ":" not in word:
            return Fault(f'"{word}" has more than one @', f"write {word.partition('@')[0]}@{word.rpartition('@')[2]}")
    return None


def _milters(value: str) -> Fault | None:
    for problem in _MILTERS.read(value).problems:
        return Fault(f"{problem.message}: mail is refused with 451", problem.suggestion, Severity.ERROR)
    return None


def _keywords(value: str) -> Fault | None:
    kind = kind_of("smtpd_discard_ehlo_keywords", release())
    for problem in kind.read(value).problems if kind else ():
        return Fault(f"{problem.message}; it is ignored silently", problem.suggestion)
    return None


def _numbers(value: str) -> Fault | None:
    if value.strip().isdigit():
        return None
    return Fault(
        f'"{value}" is no number: virtual(8) defers mail for it', "write the number of an account", Severity.ERROR
    )


_KIND = Kind("transport", None, "", "dies-later", "")
_MILTERS = Kind("milters", None, "", "defers", "")
_KINDS_OF_POLICY = {
    "protocols": Kind("tls-protocols", None, ">= <=", "defers", ""),
    "exclude": Kind("tls-exclusions", None, "", "defers", ""),
}
_JUDGES: dict[Use, Callable[[str], Fault | None]] = {
    Use.CHECKS: _checks,
    Use.BODY_CHECKS: _body_checks,
    Use.CLIENT_CHECKS: _client_checks,
    Use.CLIENT_BODY_CHECKS: _client_body_checks,
    Use.DNS_REPLIES: _dns_replies,
    Use.DOMAINS: _membership,
    Use.NETWORKS: _membership,
    Use.POSTSCREEN: _postscreen,
    Use.TRANSPORT: _transport,
    Use.TRANSPORT_OF_SENDER: _transport_of_sender,
    Use.TRANSPORT_OF_USER: _transport,
    Use.RELAYHOST: _relayhost,
    Use.PASSWORDS: _passwords,
    Use.LOGINS: _logins,
    Use.NUMBERS: _numbers,
    Use.POLICY: _policy,
    Use.CANONICAL: _one_address,
    Use.VIRTUAL: _addresses,
    Use.MILTERS: _milters,
    Use.KEYWORDS: _keywords,
}


_WITH_FILTERS = (Use.CHECKS, Use.BODY_CHECKS)
_TRANSPORTS = (Use.TRANSPORT, Use.TRANSPORT_OF_SENDER, Use.TRANSPORT_OF_USER)
_PLAIN_HOST = rb"[a-z0-9]+(?:[.-][a-z0-9]+)*(?<=[a-z])"
_PLAIN_HOP = rb"[\w-]+:(?:(?:\[%b\]|%b)(?::[1-9][0-9]{0,3})?)?" % (_PLAIN_HOST, _PLAIN_HOST)
_PLAIN_TEXT = rb"(?:[ \t]+[A-Za-z][^$]*)?"
_PLAIN = {
    Use.ACCESS: re.compile(
        rb"(?i:OK|DUNNO|RELAY|REJECT|DISCARD|HOLD|WARN|INFO)%b|[45][0-9]{2}[ \t]+[!-~].*" % _PLAIN_TEXT, re.DOTALL
    ),
    **dict.fromkeys(_WITH_FILTERS, re.compile(rb"(?i:OK|DUNNO|REJECT|DISCARD|HOLD|WARN|INFO|IGNORE)%b" % _PLAIN_TEXT)),
    Use.CLIENT_CHECKS: re.compile(rb"(?i:OK|DUNNO|WARN|INFO|IGNORE)%b" % _PLAIN_TEXT),
    Use.POSTSCREEN: re.compile(rb"(?i:PERMIT|REJECT|DUNNO)"),
    **dict.fromkeys(_TRANSPORTS, re.compile(_PLAIN_HOP)),
    Use.CANONICAL: re.compile(rb'[^@,|:"/=>-][^@,]*(?:@[^@,]*)?'),
    Use.VIRTUAL: re.compile(rb'[^@|:"/=>-][^@]*(?:@[^@]*)?'),
    Use.NUMBERS: re.compile(rb"[0-9]+"),
    Use.LOGINS: re.compile(rb"[^;]*"),
    Use.POLICY: re.compile(rb"[\w-]+(?:[ \t]+match=[!-+.-~-]*)?"),
    Use.PASSWORDS: re.compile(rb"[^:\"'][^:]*:.*", re.DOTALL),
}
"""Values that are seen to be good without a closer look."""
_OF_ANY_LENGTH = (Use.ACCESS, *_WITH_FILTERS, Use.CLIENT_CHECKS, Use.PASSWORDS, Use.POLICY)
_LONGEST_PLAIN = 60
"""Bytes of other plain values: names have limits, and lists need a closer look."""


def unusual(use: Use, values: Iterable[bytes], check: str = "") -> list[bytes]:
    """Return the values that need a closer look, of those of a table; `check` is as for `fault_of`."""
    restriction = find(check) if check else None
    if restriction is not None and Verdict.PERMIT not in restriction.verdict:
        return list(values)
    if use is not Use.ACCESS and use not in _JUDGES:
        return []
    plain = _PLAIN.get(use)
    if plain is None:
        return list(values)
    is_plain = plain.fullmatch
    if use in _OF_ANY_LENGTH:
        return [value for value in values if not is_plain(value)]
    return [value for value in values if len(value) > _LONGEST_PLAIN or not is_plain(value)]


def judges_values(use: Use) -> bool:
    """Return True if values of a use can be wrong."""
    return use is Use.ACCESS or use in _JUDGES


def names_transports(use: Use) -> bool:
    """Return True if values can name transports."""
    return use in (Use.ACCESS, *_WITH_FILTERS) or use in _TRANSPORTS


def transport_in(use: Use, value: bytes) -> str:
    """Return the transport that a value names; empty if it names none, or a part of the key decides."""
    if use in (Use.ACCESS, *_WITH_FILTERS):
        name = value[len(_FILTER) :].partition(b":")[0] if value[: len(_FILTER)].lower() == _FILTER else b""
    elif use in _TRANSPORTS:
        name = b"" if value.lower() == b"dunno" else value.partition(b":")[0]
    else:
        return ""
    return "" if b"$" in name else decode(name.strip())


def restrictions_in(value: bytes) -> list[str]:
    """Return the restrictions and classes that a value of an access table names; none for an action."""
    words = decode(value).replace(",", " ").split()
    return [] if not words or words[0].lower() in _ACTIONS or words[0][:1].isdigit() else words


_FILTER = b"filter "
