"""Peers with generated configurations, each on a port of its own: smtpd(8), tlsproxy(8), and our daemon.

All read one main.cf and master.cf. The report on each is here, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from check.tls_report.side_by_side import make_certificates, report
from check.tls_report.smtp_front import SmtpFronts
from peers.daemon.side_by_side import POSTFIX_LINE, Log, Side, ours
from peers.real.postfix import PrivatePostfix, free_ports

from tlsproxy.check.tls_report.offers.offer import Offer
from tlsproxy.check.tls_report.openssl.library import Bundled

PEERS = ("smtpd", "tlsproxy", "daemon")
_MASTER_CF = """\
tlsmgr    unix  -  -  n  1000? 1 tlsmgr
anvil     unix  -  -  n  -  1  anvil
postlog   unix-dgram n - n  -  1  postlogd
rewrite   unix  -  -  n  -  -  trivial-rewrite
cleanup   unix  n  -  n  -  0  cleanup
"""


@dataclass
class Target:
    """One peer with one configuration."""

    peer: str
    name: str
    settings: Mapping[str, str]
    port: int
    wrapped: bool
    offer: Offer


@contextmanager
def scanned_peers(
    root: Path, configurations: Mapping[str, Mapping[str, str]], peers: Sequence[str] = PEERS
) -> Iterator[list[Target]]:
    """Start the peers; yield the targets, configuration by configuration."""
    pki = make_certificates(root / "pki").directory
    ports = dict(zip(configurations, free_ports(len(configurations)), strict=True))
    master_cf = _MASTER_CF
    made = {
        name: {parameter: value.replace("{pki}", str(pki)) for parameter, value in settings.items()}
        for name, settings in configurations.items()
    }
    for name, settings in made.items():
        overrides = "".join(f"  -o {{{{ {parameter} = {value} }}}}\n" for parameter, value in settings.items())
        master_cf += f"127.0.0.1:{ports[name]} inet n - n - - smtpd\n{overrides}"
        master_cf += f"{name} unix - - n - 0 tlsproxy\n  -o syslog_name={name}\n{overrides}"
    postfix = PrivatePostfix(
        root / "postfix", {"max_use": "100000", "smtpd_client_connection_count_limit": "0"}, master_cf
    )
    of_postfix = {each.service: each for each in report(postfix.conf)}
    of_daemon = {each.service: each for each in report(postfix.conf, Bundled())} if "daemon" in peers else {}
    sockets, log_file = root / "ours", root / "ours.log"
    sockets.mkdir()
    with ExitStack() as stack:
        found: dict[str, dict[str, tuple[int, Offer]]] = {each: {} for each in peers}
        stack.enter_context(postfix)
        if "smtpd" in peers:
            found["smtpd"] = {each: (port, of_postfix[f"127.0.0.1:{port}/inet"]) for each, port in ports.items()}
        if "tlsproxy" in peers:
            side = Side("tlsproxy(8)", postfix.queue / "private", Log(postfix.log_file, POSTFIX_LINE))
            fronts = stack.enter_context(SmtpFronts(side, list(made)))
            found["tlsproxy"] = {each: (port, of_postfix[f"{each}/unix"]) for each, port in fronts.ports.items()}
        if "daemon" in peers:
            stack.enter_context(ours(postfix.conf, sockets, log_file))
            fronts = stack.enter_context(SmtpFronts(Side("ours", sockets, Log(log_file, POSTFIX_LINE)), list(made)))
            found["daemon"] = {each: (port, of_daemon[f"{each}/unix"]) for each, port in fronts.ports.items()}
        yield [
            Target(
                peer,
                name,
                configurations[name],
                found[peer][name][0],
                peer == "smtpd" and settings.get("smtpd_tls_wrappermode") == "yes",
                found[peer][name][1],
            )
            for name, settings in made.items()
            for peer in peers
        ]
