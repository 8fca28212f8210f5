"""Arguments of restrictions that have options in braces: policy services, and searches for certificates."""

from __future__ import annotations

import re
from typing import NamedTuple

from maps import TableError
from maps.naming import BracesError, in_braces, split_name
from postconf import ConfigError
from postconf.spelling import did_you_mean
from postconf.syntax.maincf import AssignmentError, split_assignment
from postconf.syntax.mastercf import split_words
from postconf.values import LIST_SEPARATORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ...view import MailView
    from .lists import RestrictionList

_FINGERPRINTS = ("cert_fingerprint", "pubkey_fingerprint")
_SEARCHES = (*_FINGERPRINTS, "issuer_cn", "subject_cn")
POLICY_OPTIONS = ("default_action", "policy_context", "timeout", "try_limit", "retry_delay")
"""The options of a policy service, each with a parameter smtpd_policy_service_… for its default."""
_TIMES = ("timeout", "retry_delay")
_TIME = re.compile(r"[0-9]+[smhdwSMHDW]?")


class PolicyService(NamedTuple):
    """An endpoint of check_policy_service with its options; times are in seconds, as written."""

    endpoint: str
    default_action: str
    context: str
    timeout: str
    tries: str
    delay: str


def policy_services(settings: MailView, lists: Iterable[RestrictionList]) -> dict[str, PolicyService]:
    """Return the policy services that lists name, by the arguments that name them.

    Raises `ConfigError` for one of them, or for a table, that smtpd(8) dies of at its start.
    """
    found: dict[str, PolicyService] = {}
    for words in lists:
        last = ""
        for word in words.words:
            try:
                if last == "check_policy_service":
                    found[word.text] = read_policy_service(settings, word.text)
                elif ":" in word.text and not word.text.startswith("{"):
                    split_name(word.text)
            except (ConfigError, TableError) as error:
                message = error.message if isinstance(error, ConfigError) else str(error)
                raise ConfigError(message, word.place, f"correct {word.text} in {words.name}") from None
            last = word.text.lower()
    return found


def read_policy_service(settings: MailView, argument: str) -> PolicyService:
    """Read the argument of check_policy_service; raise `ConfigError`."""
    endpoint, given = split_policy_argument(argument)
    options = {name: settings.text(f"smtpd_policy_service_{name}") for name in POLICY_OPTIONS} | given
    return PolicyService(endpoint, *(options[name] for name in POLICY_OPTIONS))


def split_policy_argument(argument: str) -> tuple[str, dict[str, str]]:
    """Return the endpoint and the options in the argument of check_policy_service.

    Raises `ConfigError` for an argument that smtpd(8) is fatal about at its start.
    """
    endpoint = argument
    options: dict[str, str] = {}
    if argument.startswith("{"):
        try:
            endpoint, *words = _words_in_braces(argument) or [""]
            options = dict(_assignments(words))
        except (AssignmentError, BracesError) as error:
            raise ConfigError(f"policy service syntax error: {error}", None, f"correct {argument}") from None
        if not endpoint:
            raise ConfigError(f'empty policy service: "{argument}"', None, "name a service in the braces")
    if ":" not in endpoint:
        message = f'need service transport:endpoint instead of "{endpoint}"'
        raise ConfigError(message, None, "name a service such as unix:private/policy")
    for name, value in options.items():
        if name not in POLICY_OPTIONS:
            meant = did_you_mean(name, POLICY_OPTIONS)
            raise ConfigError(f'unknown option: "{name} = {value}"', None, meant or f"correct {argument}")
        if name in _TIMES and not _TIME.fullmatch(value):
            raise ConfigError(f"{name}: bad time value or unit: {value}", None, "write a time such as 100s")
    return endpoint, options


def certificate_search(argument: str) -> tuple[str, Sequence[str]] | None:
    """Read the argument of check_ccert_access: a table, or one in braces with `search_order`; None if it is bad."""
    if not argument.startswith("{"):
        return argument, _FINGERPRINTS
    try:
        table, *words = _words_in_braces(argument) or [""]
        order: Sequence[str] = _FINGERPRINTS
        for name, value in _assignments(words):
            if name.lower() != "search_order":
                return None
            order = value.replace(",", " ").split()
    except (AssignmentError, BracesError):
        return None
    return (table, order) if ":" in table and set(order) <= set(_SEARCHES) else None


def _words_in_braces(text: str) -> list[str]:
    return [word for word, _ in split_words(in_braces(text).strip(), LIST_SEPARATORS)]


def _assignments(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the options, each `name=value` or `{ name = value }`."""
    for word in words:
        name, value, _ = split_assignment(in_braces(word).strip() if word.startswith("{") else word)
        yield name, value
