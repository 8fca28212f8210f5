"""Destinations of mail and requests: transports, next hops, ports, mail filters, DNS lists, services."""

from __future__ import annotations

from ...findings import Severity
from .kinds import KindRule


class BadTransport(KindRule):
    """Invalid transport name: often a host without its transport."""

    id = "V018"
    name = "bad-transport"
    in_templates = True
    kinds = ("transport", "transports")
    effect = '`content_filter = [127.0.0.1]:10024`: mail is deferred, "mail transport unavailable".'
    bad = "content_filter = [127.0.0.1]:10024\n"
    good = "content_filter = smtp:[127.0.0.1]:10024\n"
    lookalike = "virtual_transport = lmtp:unix:private/dovecot-lmtp\ndefault_transport = error:5.7.1 not from here\n"


class BadNexthop(KindRule):
    """Invalid next-hop destination: smtp(8) exits, and all mail for it waits.

    The port follows the bracket; a transport or the scheme of a URL is not allowed here.
    """

    id = "V019"
    name = "bad-nexthop"
    in_templates = True
    kinds = ("nexthops", "nexthop")
    effect = (
        '`relayhost = [mail.example.com:587]`: smtp(8) is fatal, "valid hostname or network address required". '
        '`relayhost = [mail.example.com]587`: fatal, "garbage after "]"".'
    )
    bad = "relayhost = [mail.example.com:587]\n"
    good = "relayhost = [mail.example.com]:587\n"
    lookalike = "relayhost = [2001:db8::1]:submission, mail.example.com\nsmtp_fallback_relay = 192.0.2.1\n"


class BadEndpoint(KindRule):
    """Invalid port or endpoint."""

    id = "V020"
    name = "bad-endpoint"
    in_templates = True
    kinds = ("proxy-endpoint", "port", "known-ports")
    effect = '`smtpd_proxy_filter = localhost:10x`: smtpd(8) is fatal at DATA, "garbage after numerical service".'
    bad = "smtpd_proxy_filter = localhost:10x\nsmtp_tcp_port = smpt\n"
    good = "smtpd_proxy_filter = localhost:10026\nsmtp_tcp_port = smtp\n"
    lookalike = "smtpd_proxy_filter = :10026\nsmtp_tcp_port = 2525\n"


class BadMilter(KindRule):
    """Invalid Milter endpoint, or an unknown Milter option."""

    id = "V021"
    name = "bad-milter"
    in_templates = True
    kinds = ("milters", "macros")
    effect = (
        '`smtpd_milters = tcp:localhost:8891`: 451 4.3.5 for every sender, "invalid transport name". '
        '`{ inet:localhost:8891, default_acton=accept }`: smtpd(8) is fatal, "unknown option". '
        "`inet:localhost:portnumber`: 451 4.7.1, or what milter_default_action says."
    )
    bad = "smtpd_milters = inet:localhost:portnumber, { unix:/run/filter.sock, default_acton=accept }\n"
    good = "smtpd_milters = inet:localhost:8891, { unix:/run/filter.sock, default_action=accept }\n"
    lookalike = "smtpd_milters = inet:[::1]:11332, { unix:run/x, { protocol = 6 }, connect_timeout=10s }\n"


class BadDnsList(KindRule):
    """Invalid filter, weight or name of a postscreen(8) DNS list."""

    id = "V022"
    name = "bad-dns-list"
    in_templates = True
    kinds = ("dnsbl-sites",)
    effect = '`postscreen_dnsbl_sites = list.example.net*x`: postscreen(8) is fatal, "bad DNSBL weight factor".'
    bad = "postscreen_dnsbl_sites = list.example.net=127.0.0.[2..11*3\n"
    good = "postscreen_dnsbl_sites = list.example.net=127.0.0.[2..11]*3\n"
    lookalike = "postscreen_dnsbl_sites = list.example.net=[127.0.[1;3..5].1]*-2, other.example.net\n"


class BadServiceName(KindRule):
    """Service name or pattern that matches no service."""

    id = "V026"
    name = "bad-service-name"
    severity = Severity.WARNING
    in_templates = True
    kinds = ("service-name", "service-patterns")
    bad = "master_service_disable = smtp\n"
    good = "master_service_disable = smtp/inet\n"
    lookalike = "master_service_disable = inet, !localhost:2525/inet\ncleanup_service_name = pre-cleanup\n"
