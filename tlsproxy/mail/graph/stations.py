"""Lines of text for the nodes of the graph."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from postconf import ConfigError, View
from postconf.config import ServiceView
from postconf.origins import place_of
from postconf.syntax.expressions import ExpressionError
from postconf.syntax.mastercf import split_words
from postconf.values import CLIENT_LEVELS, InvalidValueError, resulting_level, security_level, words

from .model import Node, NodeKind

_SEPARATORS = ", \t\r\n"
_LISTS = ("client", "helo", "sender", "relay", "recipient", "data", "end_of_data")
_REWRITING = {
    "virtual_alias_maps": "virtual aliases",
    "canonical_maps": "canonical addresses",
    "recipient_canonical_maps": "canonical recipients",
    "sender_canonical_maps": "canonical senders",
    "always_bcc": "a copy of all",
    "recipient_bcc_maps": "copies by recipient",
    "sender_bcc_maps": "copies by sender",
    "header_checks": "header checks",
    "body_checks": "body checks",
}


def setting(view: View, name: str) -> str:
    """Return an expanded value, or an empty string."""
    try:
        return view[name]
    except (ConfigError, ExpressionError, KeyError):
        return ""


def listener_lines(view: ServiceView) -> tuple[str, ...]:
    """Return TLS, login, relay clients and policy services of a service of smtpd(8)."""
    restrictions = _restrictions(view)
    login = setting(view, "smtpd_sasl_auth_enable") == "yes"
    lines = [_server_tls(view)]
    if login:
        lines.append("login only with TLS" if setting(view, "smtpd_tls_auth_only") == "yes" else "login")
    relayed = []
    if "permit_mynetworks" in restrictions:
        relayed.append("mynetworks")
    if login and "permit_sasl_authenticated" in restrictions:
        relayed.append("users")
    if "permit_tls_clientcerts" in restrictions or "permit_tls_all_clientcerts" in restrictions:
        relayed.append("client certificates")
    if relayed:
        lines.append(f"relays for {', '.join(relayed)}")
    pairs = list(pairwise(restrictions))
    policies = [after for word, after in pairs if word == "check_policy_service"]
    lines += [f"asks {policy.strip('{}').split(',')[0].strip()}" for policy in dict.fromkeys(policies)]
    lists = {after for word, after in pairs if word.startswith("reject_rbl")}
    if lists:
        lines.append(f"DNS lists: {len(lists)}")
    return tuple(lines)


def screen_lines(view: ServiceView) -> tuple[str, ...]:
    """Return lines on the lists that postscreen(8) looks at."""
    sites = words(setting(view, "postscreen_dnsbl_sites"))
    access = setting(view, "postscreen_access_list")
    lines = [f"access list: {access}"] if access else []
    if sites:
        lines.append(f"DNS lists: {len(sites)}")
    return tuple(lines)


def cleanup_lines(view: View) -> tuple[str, ...]:
    """Return lines on the tables with which cleanup(8) rewrites."""
    return tuple(f"{title}: {value}" for parameter, title in _REWRITING.items() if (value := setting(view, parameter)))


def hop_station(view: View, program: str, transport: str, nexthop: str) -> Node:
    """Return the next hop of a transport."""
    place = view.service.line.place(0) if isinstance(view, ServiceView) else None
    identity = f"hop {transport} {nexthop}"
    if program in ("smtp", "lmtp"):
        return Node(identity, NodeKind.HOP, nexthop, tuple(_client_lines(view, program)))
    if program == "virtual":
        base, tables = setting(view, "virtual_mailbox_base"), setting(view, "virtual_mailbox_maps")
        return Node("virtual mailboxes", NodeKind.HOP, "mailboxes", tuple(filter(None, (base, tables))))
    if program == "pipe" and isinstance(view, ServiceView):
        return Node(f"command {transport}", NodeKind.HOP, "a command", (_command(view),), place)
    titles = {"error": "bounced", "retry": "deferred", "discard": "discarded"}
    if program in titles:
        return Node(identity, NodeKind.HOP, titles[program], (nexthop,) if program != "discard" else ())
    return Node(identity, NodeKind.HOP, nexthop)


def mailbox_hop(view: View) -> Node:
    """Return the destination of local(8): a command, or files."""
    command = setting(view, "mailbox_command")
    place = place_of(view, "mailbox_command" if command else "home_mailbox")
    if command:
        return Node("mailboxes", NodeKind.HOP, "a command for each user", (command,), place)
    home = setting(view, "home_mailbox")
    where = f"~/{home}" if home else f"{setting(view, 'mail_spool_directory')}/USER"
    aliases = setting(view, "alias_maps")
    return Node("mailboxes", NodeKind.HOP, "mailboxes", (where, *([f"aliases: {aliases}"] if aliases else [])), place)


def _restrictions(view: View) -> list[str]:
    return [
        word for each in _LISTS for word, _ in split_words(setting(view, f"smtpd_{each}_restrictions"), _SEPARATORS)
    ]


def _server_tls(view: View) -> str:
    if setting(view, "smtpd_tls_wrappermode") == "yes":
        return "TLS from the start"
    level = _level(view, "smtpd")
    return {"none": "no TLS", "may": "TLS offered (may)", "encrypt": "TLS required (encrypt)"}.get(
        level, f"TLS: {level}"
    )


def _level(view: View, side: str) -> str:
    """Return the TLS level of a side by its name; an invalid level as it is written."""
    text = setting(view, f"{side}_tls_security_level")
    try:
        level = security_level(text, CLIENT_LEVELS)
    except InvalidValueError:
        return text
    use, enforce = (setting(view, f"{side}_{verb}_tls") == "yes" for verb in ("use", "enforce"))
    return resulting_level(level, use=use, enforce=enforce).word


def _client_lines(view: View, program: str) -> Iterator[str]:
    level = _level(view, program)
    yield {"none": "no TLS", "may": "TLS if offered (may)"}.get(level, f"TLS: {level}")
    policies = setting(view, f"{program}_tls_policy_maps")
    if policies:
        yield f"TLS policies: {policies}"
    if setting(view, f"{program}_sasl_auth_enable") == "yes":
        yield "with login"


def _command(view: ServiceView) -> str:
    for index, argument in enumerate(view.service.arguments):
        if argument.startswith("argv="):
            return " ".join([argument.removeprefix("argv="), *view.service.arguments[index + 1 :]])
    return ""
