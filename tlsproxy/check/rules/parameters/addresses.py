"""Values that are networks, addresses, hosts, domains and accounts."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from ...context import Context, words_of
from ...facts.accounts import accounts
from ...findings import Finding, Severity, Span
from ...rule import Rule
from .kinds import KindRule


class BadNetwork(KindRule):
    """Invalid network, address or host in a list of clients.

    A network with the address of a host in it makes each lookup that comes as far fail: of `mynetworks`, that is 451
    for every recipient from elsewhere. An IPv6 address without brackets is taken for a table. Any other text
    is compared with names, and matches none.
    """

    id = "V013"
    name = "bad-network"
    in_templates = True
    kinds = ("clients", "networks")
    effect = (
        '`mynetworks = 172.17.0.0/12`: a warning, "non-null host address bits", and 451 4.3.0 for every recipient. '
        "`mynetworks = ::1/128`: smtpd(8) is fatal."
    )
    bad = "mynetworks = 127.0.0.0/8 172.17.0.0/12 ::1/128\n"
    good = "mynetworks = 127.0.0.0/8 172.16.0.0/12 [::1]/128\n"
    lookalike = "mynetworks = !192.0.2.7, 192.0.2.0/24 [2001:db8::/32] .example.com cidr:{{10.0.0.0/8 OK}}\n"


class BadInterface(KindRule):
    """Interface that is neither an address nor a hostname; names of network devices are invalid."""

    id = "V014"
    name = "bad-interface"
    in_templates = True
    kinds = ("interfaces",)
    effect = '`inet_interfaces = eth0`: every program is fatal, "host not found".'
    bad = "inet_interfaces = eth0\n"
    good = "inet_interfaces = 192.0.2.7, localhost\n"
    lookalike = "inet_interfaces = loopback-only\nproxy_interfaces = [2001:db8::1]\n"


class BadSourceAddress(KindRule):
    """Source address that is invalid for its protocol."""

    id = "V015"
    name = "bad-source-address"
    in_templates = True
    kinds = ("ip-address",)
    effect = '`smtp_bind_address = 198.51.100.256`: smtp(8) is fatal, "bad smtp_bind_address parameter".'
    bad = "smtp_bind_address = 198.51.100.256\n"
    good = "smtp_bind_address = 198.51.100.25\n"
    lookalike = "smtp_bind_address6 = [2001:db8::25]\nsmtp_bind_address =\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        yield from super().check(context)
        relay = context.value("relayhost").strip("[").lower()
        for name in ("smtp_bind_address", "smtp_bind_address6"):
            setting = context.main.effective.get(name)
            address = context.value(name).strip("[]") if setting else ""
            is_local = relay.startswith(("127.", "localhost", "::1"))
            if setting and address.startswith(("127.", "::1")) and not is_local:
                message = f"from {address}, no other host can be reached: mail for others is deferred"
                hint = "remove it, or set it for a service of its own"
                yield self.finding(setting.span(), message, hint, severity=Severity.WARNING)


class BadPattern(KindRule):
    """List element that matches nothing: a wildcard, an address among domains, a relative file name.

    Postfix takes it for a word like any other, without a warning.
    """

    id = "V016"
    name = "bad-pattern"
    severity = Severity.WARNING
    in_templates = True
    kinds = ("domains", "strings", "mechanisms", "users", "masquerade")
    effect = "`mydestination = user@example.com *.example.com`: neither matches anything."
    bad = "relay_domains = *.example.com, etc/postfix/relay\n"
    good = "relay_domains = .example.com, /etc/postfix/relay\n"
    lookalike = "mydestination = $myhostname, hash:/etc/postfix/domains, !no.example.com, [192.0.2.1]\n"


class BadHostName(KindRule):
    """Invalid hostname or domain name."""

    id = "V023"
    name = "bad-host-name"
    kinds = ("hostname", "helo-name", "domain", "origin", "tls-servername", "dnssec-probe", "cert-match")
    effect = '`myhostname = mail..example.com`: every program is fatal, "bad parameter value".'
    bad = "myhostname = mail..example.com\nmyorigin = example.com, example.org\n"
    good = "myhostname = mail.example.com\nmyorigin = example.com\n"
    lookalike = "myorigin = /etc/mailname\nsmtp_helo_name = [192.0.2.7]\nsmtp_tls_servername = nexthop\n"


class BadMailAddress(KindRule):
    """Parameter for one mail address with two addresses or an incomplete one."""

    id = "V024"
    name = "bad-mail-address"
    severity = Severity.WARNING
    in_templates = True
    kinds = ("mail-address", "sender")
    bad = "always_bcc = archive@example.com, backup@example.com\n"
    good = "always_bcc = archive@example.com\n"
    lookalike = 'always_bcc = "mail archive"@example.com\ndouble_bounce_sender = double-bounce\n'


class BadAccount(KindRule):
    """User or group that Postfix refuses."""

    id = "V025"
    name = "bad-account"
    in_templates = True
    kinds = ("user", "group")
    effect = '`default_privs = root`: every program is fatal, "user root has privileged user ID".'
    bad = "default_privs = root\n"
    good = "default_privs = nobody\n"
    lookalike = "mail_owner = _postfix\nsetgid_group = postdrop\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        yield from super().check(context)
        setting = context.main.effective.get("default_privs")
        name = context.value("default_privs") if setting else ""
        if setting and name and (known := context.keep(accounts)) and name not in known:
            message = f"/etc/passwd has no account {name}: every program is fatal at start"
            yield self.finding(setting.span(), message, "name another, or create it", severity=Severity.WARNING)


class DisabledProtocol(Rule):
    """Address of a protocol that inet_protocols turns off."""

    id = "V031"
    name = "disabled-protocol"
    in_templates = True
    effect = (
        '`inet_protocols = ipv4`, `inet_interfaces = [::1]`: every program is fatal, "host not found". A service '
        '`[::1]:2525`: master(8) does not start, "bad hostname or network address".'
    )
    bad = "inet_protocols = ipv4\ninet_interfaces = 127.0.0.1, [::1]\n"
    good = "inet_protocols = all\ninet_interfaces = 127.0.0.1, [::1]\n"
    lookalike = "inet_protocols = ipv4\nmynetworks = 127.0.0.0/8 [::1]/128\ninet_interfaces = 127.0.0.1\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        protocols = frozenset(words_of(context.value("inet_protocols").lower()))
        if not protocols or not protocols < {"ipv4", "ipv6"}:
            return
        (on,) = protocols
        for setting in context.named("inet_interfaces"):
            for word in words_of(context.expanded(setting) or ""):
                if _version(word) not in ("", on):
                    yield self._finding(setting.word(word), word, on, "every program is fatal at start")
        for entry in context.entries:
            host = entry.service.name.rpartition(":")[0] if entry.service and entry.service.type == "inet" else ""
            if _version(host) not in ("", on):
                yield self._finding(entry.span(0), host, on, "master(8) does not start")
        for setting in context.named(*_SOURCES[on]):
            if context.expanded(setting):
                message = f"inet_protocols has {on} only, and no connection is made from this address"
                yield self.finding(setting.name_span(), message, "remove it", severity=Severity.WARNING)

    def _finding(self, span: Span, address: str, protocol: str, effect: str) -> Finding:
        return self.finding(span, f"inet_protocols has {protocol} only, and {address} is not: {effect}", "remove it")


_SOURCES = {
    "ipv4": ("smtp_bind_address6", "lmtp_bind_address6"),
    "ipv6": ("smtp_bind_address", "lmtp_bind_address"),
}


def _version(host: str) -> str:
    """Return the protocol of an address, which can be in brackets; empty for a name."""
    try:
        return f"ipv{ip_address(host.strip('[]')).version}"
    except ValueError:
        return ""
