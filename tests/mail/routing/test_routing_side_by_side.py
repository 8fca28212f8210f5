"""Routes beside those of a real trivial-rewrite(8) and cleanup(8): generated configurations, addresses of any form."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from peers.real.mail_daemons import Answer, MailDaemons

import postconf
from tlsproxy.mail.routing import Router
from tlsproxy.mail.routing.resolver import Resolution

SEEDS = 6
CONFIGURATIONS = 6
"""For each seed."""
MESSAGES = 40
"""For each configuration."""

DOMAINS = (
    *("example.com", "mail.example.com", "alias.test", "sub.alias.test", "box.test", "relay.test", "else.test"),
    *("x.else.test", "localhost", "org", "[127.0.0.1]", "[192.0.2.1]"),
)
USERS = ("joe", "jane", "root", "postmaster", "owner-list", "double-bounce", "x")
ODD = 'ab@.:,;<>()[]"\\ !%+-|\tä'


class Generator:
    """A configuration and messages, from a seed."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)
        self.files: dict[str, str] = {}
        self.delimiter = self.random.choice(["+", "+-", "", "-", "="])
        self.keys: list[str] = []
        self.settings = self._settings()

    def user(self) -> str:
        user = self.random.choice(USERS)
        if self.delimiter and self.random.random() < 0.3:
            user += self.random.choice(self.delimiter) + self.random.choice(["ext", "a.b", ""])
        return user.upper() if self.random.random() < 0.05 else user

    def address(self) -> str:
        """A plain address."""
        return f"{self.user()}@{self.random.choice(DOMAINS)}"

    def any_address(self) -> str:
        """An address of a table, a plain one, or one of any form."""
        choice = self.random.random()
        if choice < 0.35 and self.keys:
            key = self.random.choice(self.keys)
            return self.user() + key if key.startswith("@") else key
        if choice < 0.6:
            return self.address()
        user, domain, other = self.user(), self.random.choice(DOMAINS), self.random.choice(DOMAINS)
        if choice < 0.85:
            forms = [user, f"{user}@", f"@{domain}", f"{user}%{domain}", f"{domain}!{user}", f"{user}%{domain}@{other}"]
            forms += [f"{domain}!{user}@{other}", f"{user}@{domain}@{other}", f"@{domain}:{user}@{other}", ""]
            forms += [f"{user} x@{domain}", f'"{user}"@{domain}', f"{user}@{domain}.", f"{user}@{domain}..", f"-{user}"]
            forms += [f"{user}@host", f"{user}@10.1.1.1", f"{user}@[bad]", f"{user}@[IPv6:::1]", f"{user}@a..b"]
            forms += [f".{user}@{domain}", f"{user}..x@{domain}", f"mailer-daemon@{domain}", f"{user}@{domain}%{other}"]
            return self.random.choice(forms)
        return "".join(self.random.choices(ODD, k=self.random.randint(1, 14)))

    def table(self, entries: list[tuple[str, str]]) -> str:
        """A table of some type with these entries."""
        unique = dict(entries)
        kind = self.random.choice(["texthash", "inline", "pcre", "unionmap", "regexp"])
        name = f"t{len(self.files)}"
        if self.random.random() < 0.01:
            return "fail:x"
        if kind == "inline" and not any(each in text for pair in unique.items() for text in pair for each in "{},="):
            return f"inline:{{ {', '.join(f'{{{key} = {value}}}' for key, value in unique.items())} }}"
        if kind in ("pcre", "regexp"):
            escaped = str.maketrans({each: f"\\{each}" for each in "[]().*+?|^$\\/"})
            lines = [f"/^{key.translate(escaped)}$/ {value.replace('$', '$$')}\n" for key, value in unique.items()]
        else:
            kind = "texthash"
            lines = [f"{key} {value}\n" for key, value in unique.items()]
        self.files[name] = "".join(lines)
        return f"{kind}:${{config_directory}}/{name}"

    def addresses(self, value: str = "") -> str:
        """A table of addresses, with other addresses or one value."""
        entries = []
        for _ in range(self.random.randint(1, 8)):
            key = self.random.choice([self.address(), self.user(), f"@{self.random.choice(DOMAINS)}", self.address()])
            results = [
                self.random.choice([self.address(), self.user()]) for _ in range(self.random.choice([1, 1, 2, 3]))
            ]
            if self.random.random() < 0.1:
                results = [f"@{self.random.choice(DOMAINS)}"]
            entries.append((key, value or self.random.choice([", ", " ,", ","]).join(results)))
            self.keys.append(key)
        return self.table(entries)

    def domains(self) -> str:
        """A list of domains."""
        chosen = [self.random.choice(["", "", "", "!", "."]) + each for each in self.random.sample(DOMAINS, 3)]
        if self.random.random() < 0.3:
            return self.table([(each.lstrip("!"), "x") for each in chosen])
        return ", ".join(chosen)

    def mail_name(self) -> str:
        """A file with the origin, as Debian has it."""
        self.files["mailname"] = " name.test \nignored\n"
        return "${config_directory}/mailname"

    def transports(self) -> str:
        values = (
            "smtp:",
            "smtp:[x.test]:26",
            ":",
            ":[y.test]",
            "error:5.1.1 none",
            "error",
            "lmtp:unix:/x",
            "retry:",
            "custom",
        )
        entries = []
        for _ in range(self.random.randint(1, 6)):
            domain = self.random.choice(DOMAINS)
            key = self.random.choice([domain, f".{domain}", "*", self.address()])
            entries.append((key, self.random.choice(values)))
        return self.table(entries)

    def _settings(self) -> dict[str, str]:
        chosen = {
            "compatibility_level": self.random.choice(["3.6", "3.6", "2", "0"]),
            "myhostname": "mail.example.com",
            "inet_interfaces": "127.0.0.1",
            "mydestination": "example.com, localhost, mail.example.com",
            "virtual_alias_domains": "alias.test",
            "virtual_mailbox_domains": "box.test",
            "relay_domains": "relay.test",
            "recipient_delimiter": self.delimiter,
            "alias_maps": "",
            "local_recipient_maps": "",
        }
        optional: list[tuple[str, float, Callable[[], str]]] = [
            ("virtual_alias_maps", 0.7, self.addresses),
            ("canonical_maps", 0.2, self.addresses),
            ("recipient_canonical_maps", 0.2, self.addresses),
            ("sender_canonical_maps", 0.2, self.addresses),
            ("sender_bcc_maps", 0.15, self.addresses),
            ("recipient_bcc_maps", 0.15, self.addresses),
            ("relocated_maps", 0.15, lambda: self.addresses("new@place.test")),
            ("sender_dependent_relayhost_maps", 0.2, lambda: self.addresses("[sender.test]")),
            ("sender_dependent_default_transport_maps", 0.2, lambda: self.addresses("slow:")),
            ("transport_maps", 0.4, self.transports),
            ("mydestination", 0.2, self.domains),
            ("virtual_alias_domains", 0.2, self.domains),
            ("virtual_mailbox_domains", 0.2, self.domains),
            ("relay_domains", 0.3, self.domains),
            ("always_bcc", 0.1, self.address),
            ("masquerade_domains", 0.15, lambda: "!x.else.test, Else.test, test"),
            ("masquerade_classes", 0.3, lambda: "envelope_sender, envelope_recipient"),
            ("masquerade_exceptions", 0.1, lambda: "root, joe"),
            ("relayhost", 0.3, lambda: "[smart.test]:587"),
            ("myorigin", 0.3, lambda: self.random.choice(DOMAINS[:6])),
            ("myorigin", 0.1, self.mail_name),
            ("canonical_classes", 0.1, lambda: "envelope_sender"),
            ("propagate_unmatched_extensions", 0.2, lambda: self.random.choice(["", "canonical", "virtual"])),
            ("parent_domain_matches_subdomains", 0.3, lambda: self.random.choice(["", "transport_maps"])),
            ("virtual_alias_recursion_limit", 0.1, lambda: "2"),
            ("virtual_alias_expansion_limit", 0.1, lambda: "2"),
            ("proxy_interfaces", 0.2, lambda: "192.0.2.1"),
            ("empty_address_recipient", 0.1, lambda: "nobody@else.test"),
            ("default_transport", 0.1, lambda: "uucp:node"),
            ("local_transport", 0.1, lambda: "lmtp:unix:/x"),
        ]
        for name, probability, make in optional:
            if self.random.random() < probability:
                chosen[name] = make()
        for name in (
            "append_at_myorigin",
            "append_dot_mydomain",
            "swap_bangpath",
            "allow_percent_hack",
            "allow_min_user",
        ):
            if self.random.random() < 0.15:
                chosen[name] = self.random.choice(["yes", "no"])
        for name in ("resolve_dequoted_address", "resolve_null_domain", "resolve_numeric_domain", "smtputf8_enable"):
            if self.random.random() < 0.15:
                chosen[name] = self.random.choice(["yes", "no"])
        for name in ("owner_request_special", "enable_original_recipient", "show_user_unknown_table_name"):
            if self.random.random() < 0.15:
                chosen[name] = "no"
        return chosen


def differences(root: Path, generator: Generator) -> list[str]:
    """Return the differences of the answers for the messages of a generator."""
    found = []
    with MailDaemons(root, generator.settings, generator.files) as daemons:
        config = postconf.load(daemons.conf, version="3.7.11-debian12")
        with Router(config) as router:
            resolver, cleanup = router.resolver(), router.cleanup()
            for _ in range(MESSAGES):
                sender, recipient = generator.any_address(), generator.any_address()
                asked = [daemons.rewrite(sender), daemons.rewrite(recipient)]
                if asked != [resolver.rewriter.internal(each) for each in (sender, recipient)]:
                    found.append(f"rewriting of {sender!r}, {recipient!r}: {asked}")
                expected = daemons.resolve(*asked)
                answer = resolver.resolve(sender, recipient)
                if expected != _as_answer(answer):
                    found.append(f"{sender!r} to {recipient!r}: {expected}, not {_as_answer(answer)}")
                queued = daemons.envelope(sender, recipient)
                envelope = cleanup.envelope(sender, recipient)
                ours = None if envelope.refusal else (envelope.sender, list(envelope.recipients))
                if queued != ours:
                    found.append(f"envelope of {sender!r} to {recipient!r}: {queued}, not {ours}")
    return found


INTERNATIONAL = [
    *("exämple.test", "EXÄMPLE.test", "straße.de", "☃.net", "😀.org", "a\u200db.test", "ex\u3002ample.org", "日本.jp"),
    *("ä_b.test", "-ä.test", "ä-.test", "ä..b", "ä.", "ab--ä.test", "1א.test", "a\u0301.test", "\u0301a.test"),
    *("l·l.test", "ǰ.test", "·l.test", "٣.test", "①.test", "€.eu", "x\u00ad.test", "\u00ad.test", "ä b.test"),
    *("ä!b.test", "a" * 60 + "ä.test", "ä" * 40 + ".test", "xn--exmple-cua.ä", "xn--zzzzzz.test", "xn--.ä", "ä" * 300),
]


@pytest.mark.postfix
def test_international_domains_are_those_of_postfix(public_path: Path) -> None:
    settings = {"compatibility_level": "3.6", "inet_interfaces": "127.0.0.1", "myhostname": "mail.test"}
    settings["relay_domains"] = "exämple.test, straße.de"
    with MailDaemons(public_path / "m", settings) as daemons:
        resolver = Router(postconf.load(daemons.conf, version="3.7.11-debian12")).resolver()
        for domain in INTERNATIONAL:
            expected = daemons.resolve("", daemons.rewrite(f"joe@{domain}"))
            assert _as_answer(resolver.resolve("", f"joe@{domain}")) == expected, domain


def _as_answer(answer: Resolution) -> Answer:
    if answer.address_class is None:
        return Answer(None)
    return Answer(answer.address_class.value, answer.transport, answer.nexthop, answer.recipient, answer.is_routed)


@pytest.mark.postfix
@pytest.mark.parametrize("seed", range(SEEDS))
def test_routes_are_those_of_postfix(public_path: Path, seed: int) -> None:
    for number in range(CONFIGURATIONS):
        generator = Generator(f"routes {seed} {number}")
        found = differences(public_path / str(number), generator)
        assert not found, f"{generator.settings}\n{generator.files}\n" + "\n".join(found)
