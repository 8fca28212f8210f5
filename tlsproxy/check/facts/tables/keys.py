"""Keys of lookup tables that no program ever looks up, by the use of the table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ..top_level import TOP_LEVEL
from .uses import Use, UsedTable

_ODD = re.compile(rb"[@./*^$\[\\|:]|[A-Za-z]+:|.*[@./*$|\\:,;=]\Z|.*/|.*:\d+\Z")
"""Only keys that this matches can be among those: most are seen to be good without a closer look."""
_ODD_ENDS = b"@./*^$[\\|:,;="
_PATTERN = re.compile(r"!?/.*/[a-z]*\Z|\^|.*[.)\]][*+]|.*\\\.|.*[^\\]\$\Z")
_NETWORK = re.compile(r"\[?[0-9a-fA-F.:]+\]?/[0-9]{1,3}\Z")
_WITH_PORT = re.compile(r"\[[0-9a-fA-F.:]+\](:\w+)?\Z|[0-9]{1,3}(\.[0-9]{1,3}){3}:\w+\Z")
_CUT_SHORT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}\.\Z")
_DOMAIN = re.compile(r"[\w-]+(\.[\w-]+)*\.[a-z]{2,}\Z", re.IGNORECASE)
_TAGGED = re.compile(r"(?i)(from|to|connect|spam):")
"""Tags in access maps of Sendmail."""
_LOCAL = ("lan", "local", "localdomain", "internal", "intranet", "home", "corp")
"""Last labels of domains within a site, by custom."""
_OF_ADDRESSES = (Use.VIRTUAL, Use.CANONICAL, Use.RELOCATED)
_ADDRESS = re.compile(rb"\w[\w.+-]*@[\w.-]*\w")
_WITHOUT_DOMAINS = (Use.CANONICAL, Use.RECIPIENTS)
"""Tables in which a domain has an @ in front."""
_OF_FULL_ADDRESSES = (Use.VIRTUAL, Use.CANONICAL, Use.RECIPIENTS, Use.LOGINS)
"""Tables in which most keys are complete addresses."""
_OF_NAMES = (Use.DOMAINS, Use.LOCAL_USERS, Use.TRANSPORT_OF_USER)
_OF_SENDERS = (Use.RELAYHOST, Use.TRANSPORT_OF_SENDER)
_MAIL = ("check_sender_access", "check_recipient_access", "check_etrn_access")
_CLIENTS = ("check_client_access", "check_reverse_client_hostname_access", "check_helo_access")


class KeyProblem(NamedTuple):
    """The reason why a key is never found, and the key to write instead."""

    message: str
    suggestion: str


def unusual_keys(use: Use, entries: Sequence[tuple[bytes, bytes]]) -> list[int]:
    """Return the positions of the keys that need a closer look."""
    if use in _OF_FULL_ADDRESSES:
        is_plain = _ADDRESS.fullmatch
        return [index for index, (key, _) in enumerate(entries) if not is_plain(key)]
    if use in _OF_SENDERS:
        return list(range(len(entries)))
    if use in _OF_NAMES:
        return [index for index, (key, _) in enumerate(entries) if b"@" in key or key[:1] == b"."]
    keys = [key for key, _ in entries]
    text = b"".join(keys)
    if b"/" in text or b":" in text:
        near = [at for at, key in enumerate(keys) if b"/" in key or b":" in key or key.strip(_ODD_ENDS) != key]
    else:
        near = [at for at, key in enumerate(keys) if key.strip(_ODD_ENDS) != key]
    return [at for at in near if _ODD.match(keys[at])]


def dead_key(used: UsedTable, key: bytes, *, parents: bool) -> KeyProblem | None:
    """Return the reason why a key of a table with fixed keys matches nothing.

    `parents`: domains match their subdomains (parent_domain_matches_subdomains has the table's name in it).
    """
    text = key.decode("utf-8", "replace")
    if text.startswith('"'):
        return None
    if _PATTERN.match(text) and not text.startswith("["):
        return KeyProblem(
            f'"{text}" is a pattern, and a {used.named.kind}: table has fixed keys', "use regexp: or pcre:"
        )
    if "*" in text and text != "*":
        plain = text.replace("*@", "@").replace("*.", ".")
        better = used.use is not Use.ACCESS and plain != text
        return KeyProblem(
            f'"{text}" matches nothing: there are no wildcards', f"write {plain}" if better else "see the manual"
        )
    if text.endswith((",", ";", "=")):
        return KeyProblem(f'"{text}" is never looked up: the "{text[-1]}" is part of the key', f"write {text[:-1]}")
    if used.use in (Use.TRANSPORT, Use.ACCESS):
        return _of_domains(used, text, parents=parents)
    if used.use in _WITHOUT_DOMAINS and _is_domain(text):
        return KeyProblem(f'"{text}" is a domain, and addresses are looked up here', f"write @{text}")
    if used.use in _OF_ADDRESSES:
        return _of_addresses(text)
    if used.use in _OF_SENDERS and "@" not in text and _DOMAIN.match(text):
        return KeyProblem(f'"{text}" is no key for senders of a domain', f"write @{text}")
    if used.use is Use.DOMAINS:
        return _of_list(used, text, parents=parents)
    if used.use in _OF_NAMES and "@" in text:
        return KeyProblem(
            f'"{text}" is an address: local(8) looks up names of users', f"write {text.partition('@')[0]}"
        )
    if used.use is Use.POLICY and "@" in text:
        return KeyProblem(f'"{text}" is an address: policies are for next hops', f"write {text.rpartition('@')[2]}")
    return None


def _is_domain(text: str) -> bool:
    """Return True for a domain, which a user's name with a dot is not, as far as its end says."""
    last = text.rpartition(".")[2].lower()
    return bool(_DOMAIN.match(text)) and (last in TOP_LEVEL or last in _LOCAL)


def _of_domains(used: UsedTable, text: str, *, parents: bool) -> KeyProblem | None:
    if text.startswith("@"):
        return KeyProblem(f'"{text}" is never looked up here', f"write {text[1:]}")
    if text.startswith(".") and parents:
        parameter = "transport_maps" if used.use is Use.TRANSPORT else "smtpd_access_maps"
        return KeyProblem(
            f'"{text}" is never looked up while {parameter} is in parent_domain_matches_subdomains',
            f"write {text[1:]}, which matches subdomains, too",
        )
    if used.use is Use.ACCESS and _TAGGED.match(text):
        tag, _, plain = text.partition(":")
        return KeyProblem(f'"{text}" is never looked up: {tag}: is a tag of Sendmail\'s', f"write {plain}")
    if used.use is Use.TRANSPORT:
        if text.endswith("@"):
            return KeyProblem(f'"{text}" is never looked up here', "write user@domain")
        return None
    if used.check in _CLIENTS:
        if _NETWORK.match(text):
            return KeyProblem(f'"{text}" is never looked up: only cidr: tables have networks', "use cidr:")
        if used.check == "check_client_access" and _WITH_PORT.match(text):
            plain = text.partition("]")[0].strip("[") if text.startswith("[") else text.partition(":")[0]
            return KeyProblem(f'"{text}" is never looked up: clients have no brackets and ports', f"write {plain}")
        if _CUT_SHORT.match(text):
            return KeyProblem(f'"{text}" is never looked up', f"write {text[:-1]}")
        if "@" in text and used.check != "check_helo_access":
            return KeyProblem(f'"{text}" is a mail address, and clients are looked up here', "use check_sender_access")
    return None


def _of_list(used: UsedTable, text: str, *, parents: bool) -> KeyProblem | None:
    if "@" in text:
        domain = text.rpartition("@")[2]
        return KeyProblem(f'"{text}" is an address: domains are looked up here', f"write {domain}" if domain else "")
    if text.startswith(".") and (parents or used.named.assignment.name != "relay_domains"):
        return KeyProblem(f'"{text}" is never looked up here', f"write {text[1:]}")
    return None


def _of_addresses(text: str) -> KeyProblem | None:
    if text.endswith("@"):
        return KeyProblem(f'"{text}" is never looked up here', f"write {text[:-1]}")
    if text.startswith("."):
        return KeyProblem(f'"{text}" is never looked up here', "list the domains, as @domain")
    return None
