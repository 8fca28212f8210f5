"""Values that are networks, addresses, hosts and domains."""

from __future__ import annotations

from ...findings import Severity
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
