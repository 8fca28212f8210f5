"""Access tables (access(5)): the keys for clients, names and addresses, and the actions of results."""

from __future__ import annotations

from itertools import chain
from typing import NamedTuple

from ... import addresses
from ...tables import TableLookupError
from ..restrictions.arguments import certificate_search
from ..restrictions.evaluation import Evaluation, Frame, Result, handles
from ..restrictions.lists import list_from_text
from ..smtp.replies import RECIPIENT_CLASS, SENDER_CLASS, fix_status, printable, split_status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ...tables import Found, MapList


CLIENT_CLASS = "Client host"
REVERSE_CLIENT_CLASS = "Unverified Client host"
HELO_CLASS = "Helo command"
ETRN_CLASS = "Etrn command"
CERTIFICATE_CLASS = "Client certificate"
LOGIN_CLASS = "SASL login name"
FAILURE = "451 4.3.5 Server configuration error"
"""The result of a table that fails."""
_BLANK = " \t"
_SPACE = " \t\n\v\f\r"
_HEADER_NAME_ENDS = frozenset(" \t:")


class Item(NamedTuple):
    """The subject of a lookup: the name and the class for replies."""

    name: str
    subject: str


# Keys. Each comes with True if it is a part of the name or address; patterns are not asked for parts.

Key = tuple[str, bool]


def domain_keys(name: str, *, dotted: bool) -> Iterator[Key]:
    """Yield a name, and the domains that it is in; `dotted` as in `.example.com`."""
    yield name, False
    if not addresses.is_address(name):
        for parent in addresses.parent_domains(name, dotted=dotted):
            yield parent, True


def address_keys(address: str) -> Iterator[Key]:
    """Yield an IP address, and the networks that are its beginnings."""
    delimiter = ":" if ":" in address else "."
    yield address, False
    while delimiter in address:
        address = address.rpartition(delimiter)[0]
        yield address, True


# Lookups.


def look_up(evaluation: Evaluation, table: str, keys: Iterable[Key], item: Item, frame: Frame) -> tuple[Result, bool]:
    """Ask one table for the first of some keys that it has; return the result, and True if there was one."""

    def find(maps: MapList) -> Found | None:
        for key, partial in keys:
            if key and (found := maps.find(key, partial=partial)) is not None:
                return found
        return None

    return _look_up(evaluation, table, find, item, frame)


def _look_up(
    evaluation: Evaluation, table: str, find: Callable[[MapList], Found | None], item: Item, frame: Frame
) -> tuple[Result, bool]:
    smtpd = evaluation.smtpd
    maps = smtpd.access_table(table)
    if maps is None:
        evaluation.warn(f"check_access: unexpected dictionary: {table}")
        return apply(evaluation, table, FAILURE, item, frame), True
    try:
        found = find(maps)
    except TableLookupError as error:
        evaluation.warn(str(error))
        evaluation.entry = (table, error.key, FAILURE, lambda: None)
        return apply(evaluation, table, FAILURE, item, frame), True
    if found is None:
        return Result.DUNNO, False
    evaluation.entry = (found.table, found.key, found.value, lambda: found.place)
    return apply(evaluation, table, found.value, item, frame), True


def apply(evaluation: Evaluation, table: str, value: str, item: Item, frame: Frame) -> Result:
    """Apply the result of a table, or the action of a policy service."""
    end = next((index for index, each in enumerate(value) if each in _BLANK), len(value))
    word, text = value[:end], value[end:].lstrip(_SPACE)
    action = _ACTIONS.get(word.upper() if word.isascii() else word)
    if action is not None:
        return action(evaluation, text, item, word)
    if value.isascii() and value.isdigit():
        return Result.OK
    if len(word) == 3 and text and word[0] in "45" and word.isascii() and word.isdigit():
        return _reply(evaluation, int(word), f"{word[0]}.7.1", text, item)
    if word.upper() in ("OK", "RELAY"):
        return Result.OK
    return _nested(evaluation, table, value, item, frame)


def _nested(evaluation: Evaluation, table: str, value: str, item: Item, frame: Frame) -> Result:
    if ":" in value:
        raise evaluation.misconfigured(
            f"access table {table} has entry with lookup table: {value}; do not specify lookup tables inside SMTPD"
            " access maps; define a restriction class and specify its name instead."
        )
    if evaluation.depth > evaluation.MAX_DEPTH:
        raise evaluation.misconfigured(f"access table {table} entry {value} causes unreasonable recursion")
    entry, note = evaluation.entry, evaluation.note
    words = list_from_text(table, value).words
    if not words:
        evaluation.warn(f"access table {table} entry {value} has empty value")
        return Result.OK
    try:
        return evaluation.run(words, Frame(item.name, item.subject, frame.default_check))
    finally:
        evaluation.entry = entry
        evaluation.note = note or evaluation.note


# Actions, by the first word of a result.


def _reply(evaluation: Evaluation, code: int, status: str, text: str, item: Item) -> Result:
    status, text = split_status(status, text)
    message = f"<{item.name}>: {item.subject} rejected: {text or 'Access denied'}"
    return evaluation.reject(code, fix_status(status, item.subject), message)


def _reject(evaluation: Evaluation, text: str, item: Item, _word: str) -> Result:
    return _reply(evaluation, evaluation.settings.number("access_map_reject_code"), "5.7.1", text, item)


def _defer(evaluation: Evaluation, text: str, item: Item, _word: str) -> Result:
    return _reply(evaluation, evaluation.settings.number("access_map_defer_code"), "4.7.1", text, item)


def _deferral(text: str, item: Item) -> tuple[str, str]:
    status, text = split_status("4.7.1", text)
    message = f"<{item.name}>: {item.subject} rejected: {text or 'Service unavailable'}"
    return fix_status(status, item.subject), message


def _defer_if_permit(evaluation: Evaluation, text: str, item: Item, _word: str) -> Result:
    code = evaluation.settings.number("access_map_defer_code")
    return evaluation.defer_unless_rejected(code, *_deferral(text, item))


def _defer_if_reject(evaluation: Evaluation, text: str, item: Item, _word: str) -> Result:
    code = evaluation.settings.number("access_map_defer_code")
    return evaluation.defer_if_rejected(code, *_deferral(text, item))


def _dunno(_evaluation: Evaluation, _text: str, _item: Item, _word: str) -> Result:
    return Result.DUNNO


def _log(evaluation: Evaluation, text: str, _item: Item, word: str) -> Result:
    evaluation.note = f"{word.upper()} {text}".rstrip()
    return Result.DUNNO


def _hang_up(evaluation: Evaluation, text: str, _item: Item, _word: str) -> Result:
    raise evaluation.hangup(text)


def _on_message(needs: str, problem: str) -> Callable[[Evaluation, str, Item, str], Result]:
    """Return the action of a word whose text must have a certain character."""

    def act(evaluation: Evaluation, text: str, _item: Item, word: str) -> Result:
        if not _has_message(evaluation, word.upper(), proxied=True):
            return Result.DUNNO
        if needs and needs not in text:
            evaluation.warn(f"entry {word} requires {problem}")
        else:
            evaluation.act(word.upper(), text)
        return Result.DUNNO

    return act


def _prepend(evaluation: Evaluation, text: str, _item: Item, _word: str) -> Result:
    if not _has_message(evaluation, "PREPEND", proxied=False):
        return Result.DUNNO
    if evaluation.command == "END-OF-MESSAGE":
        evaluation.warn("action PREPEND must be used before smtpd_end_of_data_restrictions")
    elif not _is_header(text):
        evaluation.warn("entry PREPEND requires header: text")
    else:
        evaluation.act("PREPEND", text)
    return Result.DUNNO


def _discard(evaluation: Evaluation, text: str, _item: Item, _word: str) -> Result:
    if not _has_message(evaluation, "DISCARD", proxied=True):
        return Result.DUNNO
    evaluation.act("DISCARD", text)
    evaluation.discards = True
    return Result.OK


def _has_message(evaluation: Evaluation, action: str, *, proxied: bool) -> bool:
    """Return True if there is a message that an action could be done to; warn otherwise."""
    if proxied and evaluation.settings.text("smtpd_proxy_filter"):
        evaluation.warn(f"with smtpd_proxy_filter specified, action {action} is unavailable")
        return False
    if proxied and evaluation.command == "ETRN":
        evaluation.warn(f"action {action} is unavailable in smtpd_etrn_restrictions")
        return False
    if evaluation.sender is None:
        evaluation.warn(
            f"with smtpd_delay_reject=no, action {action} is always skipped in Client host or Helo command restrictions"
        )
        return False
    return True


def _is_header(text: str) -> bool:
    """Return True for text that begins as a header does: a name, perhaps blanks, a colon (is_header(3))."""
    name = text.partition(":")[0] if ":" in text else ""
    bare = name.rstrip(_BLANK)
    return bool(bare) and all("!" <= each <= "~" for each in bare)


_ACTIONS: dict[str, Callable[[Evaluation, str, Item, str], Result]] = {
    "DUNNO": _dunno,
    "REJECT": _reject,
    "DEFER": _defer,
    "HANGUP": _hang_up,
    "INFO": _log,
    "WARN": _log,
    "FILTER": _on_message(":", "transport:destination"),
    "HOLD": _on_message("", ""),
    "DISCARD": _discard,
    "REDIRECT": _on_message("@", "user@domain target"),
    "BCC": _on_message("@", "user@domain target"),
    "DEFER_IF_PERMIT": _defer_if_permit,
    "DEFER_IF_REJECT": _defer_if_reject,
    "PREPEND": _prepend,
}


# The restrictions.


def forbid_permit(evaluation: Evaluation, name: str, result: Result, target: str) -> Result:
    """Pass a result on; an OK is an error, as a client can make up the name that is looked up."""
    if result is Result.OK and not evaluation.discards:
        raise evaluation.misconfigured(
            f"restriction {name} returns OK for {target}; this is not allowed for security reasons;"
            " use DUNNO instead of OK if you want to make an exception"
        )
    return result


@handles("check_client_access")
def check_client_access(evaluation: Evaluation, table: str, frame: Frame) -> Result:
    """Look up the client's name and its parents, then its address and its networks."""
    client = evaluation.client
    item = Item(evaluation.name_and_address, CLIENT_CLASS)
    return _client_lookup(evaluation, table, client.name, item, frame)


@handles("check_reverse_client_hostname_access")
def check_reverse_client_hostname_access(evaluation: Evaluation, table: str, frame: Frame) -> Result:
    """Look up the unverified name of the client as check_client_access does."""
    name = evaluation.client.reverse_name
    result = _client_lookup(evaluation, table, name, Item(name, REVERSE_CLIENT_CLASS), frame)
    return forbid_permit(evaluation, "check_reverse_client_hostname_access", result, name)


def _client_lookup(evaluation: Evaluation, table: str, name: str, item: Item, frame: Frame) -> Result:
    dotted = not evaluation.smtpd.parents_match
    keys = chain(domain_keys(name, dotted=dotted), address_keys(evaluation.client.address))
    return look_up(evaluation, table, keys, item, frame)[0]


@handles("check_helo_access")
def check_helo_access(evaluation: Evaluation, table: str, frame: Frame) -> Result:
    """Look up the HELO name and its parents."""
    return _name_lookup(evaluation, table, evaluation.helo, HELO_CLASS, frame)


@handles("check_etrn_access")
def check_etrn_access(evaluation: Evaluation, table: str, frame: Frame) -> Result:
    """Look up the domain of ETRN and its parents."""
    return _name_lookup(evaluation, table, evaluation.etrn_domain, ETRN_CLASS, frame)


def _name_lookup(evaluation: Evaluation, table: str, name: str | None, subject: str, frame: Frame) -> Result:
    if name is None:
        return Result.DUNNO
    keys = domain_keys(name, dotted=not evaluation.smtpd.parents_match)
    return look_up(evaluation, table, keys, Item(name, subject), frame)[0]


@handles("check_sender_access")
def check_sender_access(evaluation: Evaluation, table: str, frame: Frame) -> Result:
    """Look up the sender; the null sender by smtpd_null_access_lookup_key."""
    if evaluation.sender == "":
        key = evaluation.settings.text("smtpd_null_access_lookup_key")
        return look_up(evaluation, table, [(key, False)], Item("", SENDER_CLASS), frame)[0]
    return _address_lookup(evaluation, table, evaluation.sender, SENDER_CLASS, frame)


@handles("check_recipient_access")
def check_recipient_access(evaluation: Evaluation, table: str, frame: Frame) -> Result:
    """Look up the recipient. An OK for one that is routed further does not count."""
    return _address_lookup(evaluation, table, evaluation.recipient, RECIPIENT_CLASS, frame)


def _address_lookup(evaluation: Evaluation, table: str, address: str | None, subject: str, frame: Frame) -> Result:
    if address is None:
        return Result.DUNNO
    resolved = evaluation.resolve(address, is_sender=subject == SENDER_CLASS)
    if "@" not in resolved.recipient:
        evaluation.warn(f"check_mail_access: no @domain in address: {resolved.recipient}")
        return Result.DUNNO
    item = Item(address, subject)
    lookup = evaluation.smtpd.access_lookup
    result, found = _look_up(evaluation, table, lambda maps: lookup(maps, resolved.recipient), item, frame)
    suspicious = subject == RECIPIENT_CLASS and resolved.is_routed and not evaluation.smtpd.allows_untrusted_routing
    if found and result is Result.OK and suspicious:
        evaluation.warn("OK is ignored for an address with routing in it")
        return Result.DUNNO
    return result


@handles("check_sasl_access")
def check_sasl_access(evaluation: Evaluation, table: str, frame: Frame) -> Result:
    """Look up the login name."""
    if not evaluation.settings.yes("smtpd_sasl_auth_enable"):
        evaluation.warn("restriction `check_sasl_access' ignored: no SASL support")
        return Result.DUNNO
    user = evaluation.sasl_user
    if not user:
        return Result.DUNNO
    item = Item(printable(user, "_", utf8=evaluation.smtpd.utf8), LOGIN_CLASS)
    return look_up(evaluation, table, [(user, False)], item, frame)[0]


@handles("check_ccert_access")
def check_ccert_access(evaluation: Evaluation, argument: str, frame: Frame) -> Result:
    """Look up the fingerprints of the client's certificate and of its public key, in the order that is asked for."""
    search = certificate_search(argument)
    if search is None:
        raise evaluation.misconfigured(f"See earlier parsing error messages for '{argument}")
    table, order = search
    tls = evaluation.session.tls
    if tls is None or not tls.has_certificate:
        if not evaluation.settings.yes("smtpd_tls_ask_ccert"):
            evaluation.warn('check_ccert_access is requested, but "smtpd_tls_ask_ccert = no"')
        return Result.DUNNO
    item = Item(tls.common_name, CERTIFICATE_CLASS)
    for kind in order:
        if kind not in ("cert_fingerprint", "pubkey_fingerprint"):
            raise evaluation.misconfigured(f"check_ccert_access: unexpected action '{kind}' in '{argument}'")
        print_ = tls.certificate_fingerprint if kind == "cert_fingerprint" else tls.public_key_fingerprint
        result, _ = look_up(evaluation, table, [(print_, False)], item, frame)
        if result:
            return result
    return Result.DUNNO
