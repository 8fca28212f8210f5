"""Random configurations of smtpd(8) services and sessions with them, all by a seed."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

Choice = TypeVar("Choice")

NEIGHBOUR = "127.99.99.99"
"""The address that tests connect from; with smtpd_delay_reject = no, the lists let it pass at connect time."""

CLIENTS = (
    ("203.0.113.5", "mx.partner.example"),
    ("203.0.113.6", "unknown"),
    ("198.51.100.20", "dsl-20.isp.example"),
    ("10.1.2.3", "host.lan.example"),
    ("192.0.2.9", "spammer.bad.example"),
    ("2001:db8:5::9", "six.partner.example"),
    ("2001:db8:6::1", "unknown"),
)
HELOS = (
    *("mx.partner.example", "localhost", "spammer.bad.example", "x", "[203.0.113.5]", "[10.1.2]", "10.1.2.3"),
    *("under_score.example", "-a.example", "two words", "mail.home.example", "[IPv6:2001:db8:5::9]", "dot.example."),
)
OWN = ("home.example", "mail.home.example", "alias.example", "boxes.example", "relayed.example", "sub.relayed.example")
FOREIGN = ("partner.example", "else.example", "bad.example", "deep.bad.example", "example")
USERS = ("ann", "bob", "carl", "postmaster", "no.one", "Abuse", "ann+tag", "bob-list", "double-bounce")
ODD = (
    *(
        "",
        "ann",
        "postmaster",
        "bob%else.example@home.example",
        "else.example!ann",
        '"ann b"@home.example',
        "a@[10.9.9.9]",
    ),
    *(
        "@relayed.example:ann@else.example",
        "ann@home.example.",
        "ann@@home.example",
        "-x@home.example",
        "ann@bad_.",
        "x@y,z@y",
    ),
    *(
        "ann (comment)@home.example",
        "<ann@home.example>",
        "ann@10.0.0.1",
        '"ann@else.example"@home.example',
        "j\u00f6rg@home.example",
    ),
)
LOGINS = ("ann", "bob@home.example")

MAIN = {
    "myhostname": "mail.home.example",
    "mydomain": "home.example",
    "mydestination": "home.example, mail.home.example",
    "mynetworks": "10.0.0.0/8, !192.0.2.0/28, 192.0.2.0/24, [2001:db8:6::]/48",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "all",
    "recipient_delimiter": "+",
    "local_recipient_maps": "inline:{ann=x, bob=x, {carl@home.example=x}}",
    "virtual_alias_domains": "alias.example",
    "virtual_alias_maps": "inline:{{ann@alias.example=ann}, {bob@alias.example=bob@else.example, carl}}",
    "virtual_mailbox_domains": "boxes.example",
    "virtual_mailbox_maps": "inline:{{ann@boxes.example=x}, {@sub.boxes.example=x}}",
    "relay_domains": "relayed.example",
    "relay_recipient_maps": "inline:{{ann@relayed.example=x}, {@sub.relayed.example=x}}",
    "transport_maps": "inline:{{bob@else.example=error:5.7.0 not here}, {partner.example=smtp:[10.0.0.9]},"
    " {deep.bad.example=retry:}}",
    "smtpd_sender_login_maps": "inline:{{ann@home.example=ann}, {@alias.example=bob@home.example, ann}}",
    "smtpd_sasl_auth_enable": "yes",
    "smtpd_restriction_classes": "first_class, Second_Class",
    "smtpd_authorized_xclient_hosts": "127.0.0.0/8",
    "smtpd_hard_error_limit": "100000",
    "smtpd_soft_error_limit": "100000",
    "smtpd_junk_command_limit": "100000",
    "content_filter": "discard:",
}
_SWITCHES = {
    "smtpd_delay_reject": ("yes", "yes", "yes", "no"),
    "smtpd_helo_required": ("no", "yes"),
    "smtpd_reject_unlisted_sender": ("no", "no", "yes"),
    "smtpd_reject_unlisted_recipient": ("yes", "yes", "no"),
    "smtpd_relay_before_recipient_restrictions": ("yes", "no"),
    "soft_bounce": ("no", "no", "no", "yes"),
    "strict_rfc821_envelopes": ("no", "no", "yes"),
    "access_map_reject_code": ("554", "550", "521"),
    "show_user_unknown_table_name": ("yes", "no"),
    "smtpd_reject_footer": ("", "", "call $client_address \\c", "\\c for $recipient from ${client_name}"),
    "parent_domain_matches_subdomains": ("smtpd_access_maps, mynetworks, relay_domains", ""),
    "smtpd_recipient_limit": ("1000", "1000", "1"),
    "smtpd_null_access_lookup_key": ("<>", "null"),
}
_PLAIN = (
    *("permit_mynetworks", "permit_sasl_authenticated", "permit_auth_destination", "permit_tls_clientcerts", "permit"),
    *("reject_unauth_destination", "defer_unauth_destination", "reject_unlisted_recipient", "check_relay_domains"),
    *(
        "reject_invalid_helo_hostname",
        "reject_non_fqdn_helo_hostname",
        "Reject_Non_Fqdn_Sender",
        "reject_non_fqdn_recipient",
    ),
    *("reject_unknown_client_hostname", "reject_unknown_reverse_client_hostname", "permit_naked_ip_address", "reject"),
    *("reject_sender_login_mismatch", "reject_known_sender_login_mismatch", "reject_multi_recipient_bounce", "defer"),
    *("reject_authenticated_sender_login_mismatch", "reject_plaintext_session", "reject_unauth_pipelining", "sleep 0"),
    *(
        "warn_if_reject",
        "defer_if_permit",
        "defer_if_reject",
        "first_class",
        "Second_Class",
        "SECOND_CLASS",
        "nonsense",
    ),
    *("permit_inet_interfaces", "check_recipient_maps", "warn_if_reject reject_unauth_destination"),
)
_ACTIONS = (
    *(
        "OK",
        "ok text",
        "RELAY",
        "DUNNO",
        "dunno x",
        "REJECT",
        "REJECT 5.1.2 gone away",
        "Defer later",
        "DEFER 4.1.8 wait",
        "20261129",
    ),
    *(
        "550 no such thing",
        "450 4.2.2 full",
        "521 bye",
        "DEFER_IF_PERMIT perhaps",
        "defer_if_reject 4.3.9 not yet",
        "HOLD",
        "WARN x",
    ),
    *(
        "INFO",
        "PREPEND X-A: b",
        "PREPEND bad",
        "FILTER discard:",
        "FILTER nothing",
        "BCC x@else.example",
        "BCC none",
        "DISCARD",
    ),
    *(
        "first_class",
        "reject_unauth_destination permit",
        "REDIRECT nobody",
        "permit_mynetworks, reject",
        "600 x",
        "55 x",
    ),
    *("reject_non_fqdn_sender", "no_such_restriction", "hash:/etc/x", "check_client_access hash:/x", "defer_if_permit"),
)

_OPEN = (
    "check_sender_access inline:{example=OK}",
    "check_helo_access inline:{.stranger.example=OK}",
    "check_client_access inline:{9.9=OK}",
    "check_recipient_access inline:{elsewhere.example=permit}",
    "check_client_access inline:{2620=RELAY}",
    "check_sender_access inline:{{<>=OK}}",
    "permit_mynetworks",
)


class World:
    """One main.cf with its tables, some services with -o settings, and sessions with each."""

    def __init__(self, seed: int, services: int, sessions: int, *, closes_relays: bool = True) -> None:
        """With `closes_relays` False many services let strangers relay, and none discards mail."""
        self._random = random.Random(seed)
        self._closes_relays = closes_relays
        self._actions = [each for each in _ACTIONS if closes_relays or each != "DISCARD"]
        self.tables: dict[str, str] = {}
        classes = ("first_class", "Second_Class")
        # A class that contains itself is more than smtpd(8) survives.
        self.main = MAIN | {name: re.sub(r"(?i)\w+_class", "permit_mynetworks", self._list(2)) for name in classes}
        self.services = [self._settings() for _ in range(services)]
        self.sessions = [[self._session() for _ in range(sessions)] for _ in range(services)]

    def write_tables(self, directory: Path) -> None:
        for name, text in self.tables.items():
            (directory / name).write_text(text)

    def _pick(self, choices: Sequence[Choice]) -> Choice:
        return self._random.choice(choices)

    def _settings(self) -> dict[str, str]:
        settings = {name: self._pick(values) for name, values in _SWITCHES.items() if self._random.random() < 0.4}
        for name in ("client", "helo", "sender", "recipient"):
            if self._random.random() < 0.6:
                settings[f"smtpd_{name}_restrictions"] = self._list(4, f"check_{name}_access")
        for name in ("data", "end_of_data"):
            if self._random.random() < 0.15:
                settings[f"smtpd_{name}_restrictions"] = self._list(1)
        ending = self._pick(("reject_unauth_destination", "defer_unauth_destination", "reject", "check_relay_domains"))
        # smtpd(8) dies if nothing rejects: behind `permit`, or behind warn_if_reject, which only warns.
        first = re.sub(r"(?i)\bpermit\b", "permit_mynetworks", self._list(2)).removesuffix("warn_if_reject")
        if not self._closes_relays:
            first = f"{first}, {self._pick(_OPEN)}"
        settings["smtpd_relay_restrictions"] = f"{first}, {ending}"
        pass_at_connect = f"check_client_access inline:{{{{{NEIGHBOUR}=OK}}}}"
        clients = settings.get("smtpd_client_restrictions", "")
        settings["smtpd_client_restrictions"] = f"{pass_at_connect} {clients}"
        return settings

    def _list(self, most: int, default: str = "") -> str:
        return self._pick((", ", " ")).join(self._item(default) for _ in range(self._random.randint(1, most)))

    def _item(self, default: str) -> str:
        chance = self._random.random()
        if chance < 0.5:
            plain = self._pick(_PLAIN)
            return plain if plain not in ("permit", "reject", "defer") or chance < 0.1 else "permit_mynetworks"
        kind = self._pick(
            ("client", "helo", "sender", "sender", "recipient", "recipient", "sasl", "reverse_client_hostname")
        )
        table = self._table(kind)
        if default == f"check_{kind}_access" and chance < 0.55:
            return table
        warning = "warn_if_reject " if chance > 0.95 else ""
        return f"{warning}check_{kind}_access {table}"

    def _table(self, kind: str) -> str:
        keys = {self._key(kind) for _ in range(self._random.randint(1, 5))}
        name = f"table{len(self.tables)}"
        if self._random.random() < 0.03:
            return "fail:broken"
        type_ = self._pick(("texthash", "texthash", "regexp", "pcre"))
        if type_ == "texthash":
            lines = [f"{key} {self._pick(self._actions)}\n" for key in sorted(keys)]
        else:
            escaped = [key.replace(".", "\\.").replace("+", "\\+").replace("[", "\\[") for key in sorted(keys)]
            lines = [f"/{key}/ {self._pick(self._actions)}\n" for key in escaped]
        self.tables[name] = "".join(lines)
        return f"{type_}:${{config_directory}}/{name}"

    def _key(self, kind: str) -> str:
        if kind in ("client", "reverse_client_hostname"):
            address, name = self._pick(CLIENTS)
            return self._pick(
                (address, address[:4], name, name.partition(".")[2] or name, f".{name.partition('.')[2]}")
            )
        if kind == "helo":
            return self._pick([name for name in HELOS if " " not in name] + ["example", ".example"])
        if kind == "sasl":
            return self._pick(LOGINS)
        user, domain = self._pick(USERS), self._pick((*OWN, *FOREIGN))
        return self._pick((f"{user}@{domain}", domain, f"{user}@", f".{domain}", "<>"))

    def _session(self) -> dict[str, object]:
        address, name = self._pick(CLIENTS)
        return {
            "client": address,
            "client_name": name,
            "helo": self._pick(HELOS),
            "sasl_user": self._pick(("", "", *LOGINS)),
            "sender": self._address((*FOREIGN, *OWN)),
            "recipients": [self._address((*OWN, *FOREIGN)) for _ in range(self._pick((1, 1, 2, 3)))],
        }

    def _address(self, domains: tuple[str, ...]) -> str:
        if self._random.random() < 0.2:
            return self._pick(ODD)
        return f"{self._pick(USERS)}@{self._pick(domains)}"
