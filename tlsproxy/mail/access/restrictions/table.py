"""Restrictions of smtpd(8), as data: their names, arguments and subjects, decisions, and the facts they need.

The names are those of postconf(5), section smtpd_*_restrictions, and of Postfix's source for the old ones. Restriction
lists are read by `lists`, and evaluated by `evaluation`; rules of the checker import the table as well.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Argument(enum.Enum):
    """Kind of the word behind a restriction's name."""

    NONE = ""
    TABLE = "type:table"
    """One lookup table. Without it, or without a colon in it, the client gets `451 4.3.5`."""
    DOMAIN = "domain"
    """A DNS list, perhaps with `=filter`. Without it the restriction is skipped with a warning."""
    SERVICE = "transport:server"
    """The endpoint of a policy service, perhaps in braces with options."""
    NUMBER = "seconds"
    RESTRICTION = "restriction"
    """The restriction behind it is the argument (warn_if_reject)."""


class Subject(enum.Flag):
    """The subject of a restriction, which does nothing where that is unknown."""

    NONE = 0
    CLIENT = enum.auto()
    HELO = enum.auto()
    SENDER = enum.auto()
    RECIPIENT = enum.auto()
    ETRN = enum.auto()


class Verdict(enum.Flag):
    """The possible decisions of a restriction, apart from none."""

    NONE = 0
    PERMIT = enum.auto()
    REJECT = enum.auto()
    """A reply of 4xx or 5xx at once."""
    DEFER = enum.auto()
    """defer_if_permit or defer_if_reject: a reply that waits for the end of the evaluation."""
    ANY = PERMIT | REJECT | DEFER


class Outside(enum.Enum):
    """The decider outside the configuration that a restriction asks."""

    NOTHING = ""
    DNS = "DNS"
    DNSBL = "DNS list"
    POLICY = "policy service"
    PROBE = "address verification"


class Restriction(NamedTuple):
    """One restriction of smtpd(8).

    `alias` is the present name of a restriction with an old one. `requires` is a yes-or-no parameter without which
    the restriction does nothing. `removed` is the first release where it answers `451 4.3.5` only, `since` the first
    one that has it, both empty if no release from 3.5 on makes a difference.
    """

    name: str
    subject: Subject
    argument: Argument
    verdict: Verdict
    outside: Outside = Outside.NOTHING
    alias: str = ""
    requires: str = ""
    removed: str = ""
    since: str = ""
    unconditional: bool = False

    @property
    def canonical(self) -> str:
        """The present name."""
        return self.alias or self.name


_PERMIT, _REJECT, _DEFER, _ANY = Verdict.PERMIT, Verdict.REJECT, Verdict.DEFER, Verdict.ANY
_NO_PERMIT = _REJECT | _DEFER
_CLIENT, _HELO, _SENDER, _RECIPIENT = Subject.CLIENT, Subject.HELO, Subject.SENDER, Subject.RECIPIENT
_ANYTHING = Subject.NONE
_NO, _TABLE, _DOMAIN = Argument.NONE, Argument.TABLE, Argument.DOMAIN
_DNS, _DNSBL, _PROBE = Outside.DNS, Outside.DNSBL, Outside.PROBE
_SASL = "smtpd_sasl_auth_enable"


def _generic() -> Iterable[Restriction]:
    yield Restriction("permit", _ANYTHING, _NO, _PERMIT, unconditional=True)
    yield Restriction("reject", _ANYTHING, _NO, _REJECT, unconditional=True)
    yield Restriction("defer", _ANYTHING, _NO, _REJECT, unconditional=True)
    yield Restriction("defer_if_permit", _ANYTHING, _NO, _DEFER)
    yield Restriction("defer_if_reject", _ANYTHING, _NO, _DEFER)
    yield Restriction("warn_if_reject", _ANYTHING, Argument.RESTRICTION, Verdict.NONE)
    yield Restriction("sleep", _ANYTHING, Argument.NUMBER, Verdict.NONE)
    yield Restriction("check_policy_service", _ANYTHING, Argument.SERVICE, _ANY, Outside.POLICY)
    yield Restriction("reject_unauth_pipelining", _ANYTHING, _NO, _REJECT)
    yield Restriction("reject_plaintext_session", _ANYTHING, _NO, _REJECT)
    yield Restriction("reject_multi_recipient_bounce", _SENDER, _NO, _REJECT)


def _client() -> Iterable[Restriction]:
    yield Restriction("permit_mynetworks", _CLIENT, _NO, _PERMIT)
    yield Restriction("permit_inet_interfaces", _CLIENT, _NO, _PERMIT)
    yield Restriction("permit_sasl_authenticated", _CLIENT, _NO, _PERMIT, requires=_SASL)
    yield Restriction("permit_tls_clientcerts", _CLIENT, _NO, _PERMIT, requires="smtpd_tls_ask_ccert")
    yield Restriction("permit_tls_all_clientcerts", _CLIENT, _NO, _PERMIT, requires="smtpd_tls_ask_ccert")
    yield Restriction("check_client_access", _CLIENT, _TABLE, _ANY)
    yield Restriction("check_reverse_client_hostname_access", _CLIENT, _TABLE, _NO_PERMIT)
    yield Restriction("check_ccert_access", _CLIENT, _TABLE, _ANY, requires="smtpd_tls_ask_ccert")
    yield Restriction("check_sasl_access", _CLIENT, _TABLE, _ANY, requires=_SASL)
    yield Restriction("reject_unknown_client_hostname", _CLIENT, _NO, _REJECT)
    yield Restriction("reject_unknown_client", _CLIENT, _NO, _REJECT, alias="reject_unknown_client_hostname")
    yield Restriction("reject_unknown_reverse_client_hostname", _CLIENT, _NO, _REJECT)
    yield Restriction("reject_rbl_client", _CLIENT, _DOMAIN, _REJECT, _DNSBL)
    yield Restriction("reject_rbl", _CLIENT, _DOMAIN, _REJECT, _DNSBL, alias="reject_rbl_client")
    yield Restriction("reject_maps_rbl", _CLIENT, _NO, _REJECT, _DNSBL, removed="3.9")
    yield Restriction("reject_rhsbl_client", _CLIENT, _DOMAIN, _REJECT, _DNSBL)
    yield Restriction("reject_rhsbl_reverse_client", _CLIENT, _DOMAIN, _REJECT, _DNSBL)
    yield Restriction("permit_dnswl_client", _CLIENT, _DOMAIN, _PERMIT | _DEFER, _DNSBL)
    yield Restriction("permit_rhswl_client", _CLIENT, _DOMAIN, _PERMIT | _DEFER, _DNSBL)
    for kind in ("a", "mx", "ns"):
        yield Restriction(f"check_client_{kind}_access", _CLIENT, _TABLE, _NO_PERMIT, _DNS)
        yield Restriction(f"check_reverse_client_hostname_{kind}_access", _CLIENT, _TABLE, _NO_PERMIT, _DNS)


def _helo() -> Iterable[Restriction]:
    yield Restriction("check_helo_access", _HELO, _TABLE, _ANY)
    for present, old, outside in (
        ("reject_invalid_helo_hostname", "reject_invalid_hostname", Outside.NOTHING),
        ("reject_non_fqdn_helo_hostname", "reject_non_fqdn_hostname", Outside.NOTHING),
        ("reject_unknown_helo_hostname", "reject_unknown_hostname", _DNS),
    ):
        verdict = _NO_PERMIT if outside is _DNS else _REJECT
        yield Restriction(present, _HELO, _NO, verdict, outside)
        yield Restriction(old, _HELO, _NO, verdict, outside, alias=present)
    yield Restriction("permit_naked_ip_address", _HELO, _NO, _PERMIT | _REJECT, removed="3.9")
    yield Restriction("reject_rhsbl_helo", _HELO, _DOMAIN, _REJECT, _DNSBL)
    for kind in ("a", "mx", "ns"):
        yield Restriction(f"check_helo_{kind}_access", _HELO, _TABLE, _NO_PERMIT, _DNS)


def _sender() -> Iterable[Restriction]:
    yield Restriction("check_sender_access", _SENDER, _TABLE, _ANY)
    yield Restriction("reject_non_fqdn_sender", _SENDER, _NO, _REJECT)
    yield Restriction("reject_unlisted_sender", _SENDER, _NO, _REJECT)
    yield Restriction("reject_unknown_sender_domain", _SENDER, _NO, _NO_PERMIT, _DNS)
    yield Restriction("reject_unknown_address", _SENDER, _NO, _NO_PERMIT, _DNS, alias="reject_unknown_sender_domain")
    yield Restriction("reject_unverified_sender", _SENDER, _NO, _NO_PERMIT, _PROBE)
    yield Restriction("reject_rhsbl_sender", _SENDER, _DOMAIN, _REJECT, _DNSBL)
    for name in (
        "reject_sender_login_mismatch",
        "reject_authenticated_sender_login_mismatch",
        "reject_known_sender_login_mismatch",
        "reject_unauthenticated_sender_login_mismatch",
    ):
        yield Restriction(name, _SENDER, _NO, _REJECT, requires=_SASL)
    for kind in ("a", "mx", "ns"):
        yield Restriction(f"check_sender_{kind}_access", _SENDER, _TABLE, _NO_PERMIT, _DNS)


def _recipient() -> Iterable[Restriction]:
    yield Restriction("check_recipient_access", _RECIPIENT, _TABLE, _ANY)
    yield Restriction("permit_auth_destination", _RECIPIENT, _NO, _PERMIT)
    yield Restriction("reject_unauth_destination", _RECIPIENT, _NO, _REJECT)
    yield Restriction("defer_unauth_destination", _RECIPIENT, _NO, _REJECT)
    yield Restriction("check_relay_domains", _RECIPIENT, _NO, _PERMIT | _REJECT, removed="3.9", unconditional=True)
    yield Restriction("permit_mx_backup", _RECIPIENT, _NO, _PERMIT | _DEFER, _DNS)
    yield Restriction("reject_non_fqdn_recipient", _RECIPIENT, _NO, _REJECT)
    yield Restriction("reject_unlisted_recipient", _RECIPIENT, _NO, _REJECT)
    yield Restriction("check_recipient_maps", _RECIPIENT, _NO, _REJECT, alias="reject_unlisted_recipient")
    yield Restriction("reject_unknown_recipient_domain", _RECIPIENT, _NO, _NO_PERMIT, _DNS)
    yield Restriction("reject_unverified_recipient", _RECIPIENT, _NO, _NO_PERMIT, _PROBE)
    yield Restriction("reject_rhsbl_recipient", _RECIPIENT, _DOMAIN, _REJECT, _DNSBL)
    for kind in ("a", "mx", "ns"):
        yield Restriction(f"check_recipient_{kind}_access", _RECIPIENT, _TABLE, _NO_PERMIT, _DNS)
    yield Restriction("check_etrn_access", Subject.ETRN, _TABLE, _ANY)


RESTRICTIONS: Mapping[str, Restriction] = {
    each.name: each for part in (_generic(), _client(), _helo(), _sender(), _recipient()) for each in part
}
"""All restrictions, old names included, by name; smtpd(8) compares names without regard to case."""

CLASSES = {
    "reject_sender_login_mismatch": (
        "reject_authenticated_sender_login_mismatch reject_unauthenticated_sender_login_mismatch"
    )
}
"""Restrictions that are classes in smtpd(8): their names are case-sensitive."""

MUST_REJECT = (
    "reject_unauth_destination",
    "defer_unauth_destination",
    "reject",
    "defer",
    "defer_if_permit",
    "check_relay_domains",
)
"""One of these must be in the relay or the recipient restrictions, or smtpd(8) stops at its first client."""


class Stage(NamedTuple):
    """One restriction list and the point of the session where it is evaluated.

    `subject` is the class in replies. `default_check` is the restriction that a lone `type:table` means. `known`
    are the facts that smtpd(8) has there with `smtpd_delay_reject = no`; otherwise the lists for clients, HELO and
    senders are evaluated at RCPT (for clients and HELO also at ETRN) and know all.
    """

    name: str
    parameter: str
    subject: str
    default_check: str
    known: Subject


CLIENT = Stage("client", "smtpd_client_restrictions", "Client host", "check_client_access", _CLIENT)
HELO = Stage("helo", "smtpd_helo_restrictions", "Helo command", "check_helo_access", _CLIENT | _HELO)
SENDER = Stage(
    "sender", "smtpd_sender_restrictions", "Sender address", "check_sender_access", _CLIENT | _HELO | _SENDER
)
_ALL = _CLIENT | _HELO | _SENDER | _RECIPIENT
RELAY = Stage("relay", "smtpd_relay_restrictions", "Recipient address", "check_recipient_access", _ALL)
RECIPIENT = Stage("recipient", "smtpd_recipient_restrictions", "Recipient address", "check_recipient_access", _ALL)
ETRN = Stage("etrn", "smtpd_etrn_restrictions", "Etrn command", "check_etrn_access", _CLIENT | _HELO | Subject.ETRN)
DATA = Stage("data", "smtpd_data_restrictions", "Data command", "", _ALL)
END_OF_DATA = Stage("end_of_data", "smtpd_end_of_data_restrictions", "End-of-data", "", _ALL)

STAGES = (CLIENT, HELO, SENDER, RELAY, RECIPIENT, ETRN, DATA, END_OF_DATA)
"""All restriction lists, in the order of a session."""


def find(name: str) -> Restriction | None:
    """Return the restriction of a name in any case, or None; a restriction class is for its list to know."""
    return RESTRICTIONS.get(name.lower())
