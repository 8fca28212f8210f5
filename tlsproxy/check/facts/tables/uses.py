"""Uses of lookup tables: the meaning of a table's values to the programs that ask it."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import NamedTuple

from ...context import Context
from ..readings import readings
from .named import Named, split_table


class Use(enum.Enum):
    """The meaning of a table's values."""

    ACCESS = "access(5)"
    CHECKS = "header_checks(5)"
    BODY_CHECKS = "body_checks"
    CLIENT_CHECKS = "header_checks(5) of smtp(8)"
    CLIENT_BODY_CHECKS = "body_checks of smtp(8)"
    DNS_REPLIES = "smtp_dns_reply_filter"
    POSTSCREEN = "postscreen_access_list"
    TRANSPORT = "transport(5)"
    TRANSPORT_OF_SENDER = "sender_dependent_default_transport_maps"
    TRANSPORT_OF_USER = "mailbox_transport_maps"
    RELAYHOST = "sender_dependent_relayhost_maps"
    ALIASES = "aliases(5)"
    VIRTUAL = "virtual(5)"
    CANONICAL = "canonical(5)"
    RELOCATED = "relocated(5)"
    PASSWORDS = "smtp_sasl_password_maps"
    NUMBERS = "virtual_uid_maps"
    POLICY = "smtp_tls_policy_maps"
    MILTERS = "smtpd_milter_maps"
    KEYWORDS = "smtpd_discard_ehlo_keyword_address_maps"
    DOMAINS = "a list of domains"
    NETWORKS = "a list of clients"
    RECIPIENTS = "relay_recipient_maps"
    LOGINS = "smtpd_sender_login_maps"
    LOCAL_USERS = "mailbox_command_maps"


_OF_PARAMETERS = {
    Use.CHECKS: (*("header_checks", "mime_header_checks", "nested_header_checks", "milter_header_checks"),),
    Use.BODY_CHECKS: ("body_checks",),
    Use.CLIENT_CHECKS: tuple(
        f"{side}_{kind}_checks" for side in ("smtp", "lmtp") for kind in ("header", "mime_header", "nested_header")
    ),
    Use.CLIENT_BODY_CHECKS: ("smtp_body_checks", "lmtp_body_checks"),
    Use.DNS_REPLIES: ("smtp_dns_reply_filter", "lmtp_dns_reply_filter", "smtpd_dns_reply_filter"),
    Use.POSTSCREEN: ("postscreen_access_list", "postscreen_blacklist_networks", "postscreen_whitelist_networks"),
    Use.TRANSPORT: ("transport_maps", "address_verify_transport_maps"),
    Use.TRANSPORT_OF_SENDER: (
        "sender_dependent_default_transport_maps",
        "address_verify_sender_dependent_default_transport_maps",
    ),
    Use.TRANSPORT_OF_USER: ("mailbox_transport_maps", "fallback_transport_maps"),
    Use.RELAYHOST: ("sender_dependent_relayhost_maps", "address_verify_sender_dependent_relayhost_maps"),
    Use.ALIASES: ("alias_maps", "alias_database"),
    Use.VIRTUAL: ("virtual_alias_maps",),
    Use.CANONICAL: (
        *("canonical_maps", "sender_canonical_maps", "recipient_canonical_maps", "smtp_generic_maps"),
        *("lmtp_generic_maps", "recipient_bcc_maps", "sender_bcc_maps"),
    ),
    Use.RELOCATED: ("relocated_maps",),
    Use.PASSWORDS: ("smtp_sasl_password_maps", "lmtp_sasl_password_maps"),
    Use.NUMBERS: ("virtual_uid_maps", "virtual_gid_maps"),
    Use.MILTERS: ("smtpd_milter_maps",),
    Use.KEYWORDS: (
        *("smtpd_discard_ehlo_keyword_address_maps", "postscreen_discard_ehlo_keyword_address_maps"),
        *("smtp_discard_ehlo_keyword_address_maps", "lmtp_discard_ehlo_keyword_address_maps"),
    ),
    Use.DOMAINS: ("mydestination", "relay_domains", "virtual_alias_domains", "virtual_mailbox_domains"),
    Use.NETWORKS: (
        *("mynetworks", "debug_peer_list", "smtpd_client_event_limit_exceptions", "smtpd_authorized_xclient_hosts"),
        *("smtpd_authorized_xforward_hosts", "smtpd_sasl_exceptions_networks"),
    ),
    Use.RECIPIENTS: ("relay_recipient_maps",),
    Use.LOGINS: ("smtpd_sender_login_maps",),
    Use.LOCAL_USERS: ("mailbox_command_maps",),
    Use.POLICY: ("smtp_tls_policy_maps", "lmtp_tls_policy_maps", "tlsproxy_client_policy_maps"),
}
_USES = {parameter: use for use, parameters in _OF_PARAMETERS.items() for parameter in parameters}
_ACCESS_SUFFIX = "_access"
_LISTED_WITH = {"virtual_alias_domains": "virtual_alias_maps", "virtual_mailbox_domains": "virtual_mailbox_maps"}
"""A table can have the domains of a class beside its addresses, which is the default of these lists."""


class UsedTable(NamedTuple):
    """A table and its use. `check` is the restriction that asks it, for an access table."""

    named: Named
    use: Use
    check: str = ""


def used_tables(context: Context) -> list[UsedTable]:
    """Return the tables whose use is known, each once for each use, in the order of their settings."""
    return context.keep(_listed)


def _listed(context: Context) -> list[UsedTable]:
    found = {(each.named.kind, each.named.name, each.use, each.check): each for each in reversed(list(_found(context)))}
    return list(reversed(found.values()))


def _found(context: Context) -> Iterator[UsedTable]:
    for read in readings(context):
        name = read.assignment.name
        use = _USES.get(name)
        addresses = context.value(_LISTED_WITH[name]) if name in _LISTED_WITH else ""
        if use is None and read.kind.name != "restrictions":
            continue
        check = ""
        for word in read.reading.words:
            if word.role == "restriction":
                check = word.text.lower()
            elif word.role == "table":
                for named in split_table(read.assignment, word.text):
                    if use is not None and named.text not in addresses:
                        yield UsedTable(named, use)
                    elif use is None and check.startswith("check_") and check.endswith(_ACCESS_SUFFIX):
                        yield UsedTable(named, Use.ACCESS, check)
