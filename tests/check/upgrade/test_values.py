"""Old and new effective values are those that each release prints: the recorded postconf -d of all of them."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from pathlib import Path

import pytest

from postconf.catalogue import ADHOC, RAW, release, releases
from postconf.syntax.expressions import expand
from tlsproxy.check.facts.filesystem import FileSystem
from tlsproxy.check.text.sources import MainFile, MasterFile
from tlsproxy.check.upgrade.comparison import compare
from tlsproxy.check.upgrade.knowledge import knowledge
from tlsproxy.check.upgrade.systems import System, of_release, parse_system

GOLDEN = Path(__file__).parents[2] / "golden/postconf-d"
MAIN = """\
compatibility_level = 3.11
smtpd_tls_security_level = may
smtpd_tls_chain_files = /x.pem
smtp_tls_policy_maps = socketmap:unix:/x:y
smtp_dns_support_level = dnssec
smtpd_sasl_auth_enable = yes
smtpd_milters = inet:localhost:1
smtp_tls_connection_reuse = yes
smtpd_client_restrictions = check_ccert_access static:x, reject_unverified_sender
header_checks = proxy:hash:/x
"""
MASTER = """\
smtp inet n - y - 1 postscreen
smtpd pass - - y - - smtpd
pickup unix n - y 60 1 pickup
cleanup unix n - y - 0 cleanup
smtp unix - - y - - smtp
tlsproxy unix - - y - 0 tlsproxy
proxymap unix - - n - - proxymap
verify unix - - y - 1 verify
local unix - n n - - local
"""


@cache
def recorded(name: str) -> dict[str, str]:
    """Return the output of `postconf -d` of a release."""
    lines = (GOLDEN / f"{name}.txt").read_text().splitlines()
    return {line.partition(" =")[0]: line.partition(" =")[2].strip() for line in lines}


@cache
def effective(name: str, parameter: str) -> str | None:
    """The value of a parameter with MAIN, computed from the recorded one."""
    defaults = recorded(name)
    settings = dict(line.split(" = ", 1) for line in MAIN.splitlines())
    values = {**defaults, **settings}
    if parameter not in values:
        return None
    known = system(name).release
    if known.kinds.get(parameter) in (RAW, ADHOC):
        return values[parameter]
    return expand(values[parameter], values.get, lambda _: None, calls=known.since("3.11"))


@cache
def system(name: str) -> System:
    return of_release(release(name)) if "-debian" in name else parse_system(name)


PAIRS = [
    (first, second)
    for first, second in combinations(releases(), 2)
    if system(first).release.version <= system(second).release.version
]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_values_are_those_that_the_releases_print(first: str, second: str) -> None:
    compared = compare(
        MainFile("main.cf", MAIN),
        MasterFile("master.cf", MASTER),
        system(first),
        system(second),
        FileSystem(enabled=False),
    )
    found = {each.parameter: each for each in compared.changes if each.kind == "default"}
    for parameter, each in found.items():
        assert each.new == effective(second, parameter), parameter
        before = effective(first, parameter)
        if before is not None:
            assert each.old == before, parameter
    differing = {
        name
        for name in recorded(second)
        if name in recorded(first) and effective(first, name) != effective(second, name)
    }
    silent = differing - found.keys() - knowledge().ignored.keys()
    gated = {name for name in silent if knowledge().conditions_of(name)}
    numbers = {name for name in silent if recorded(second)["mail_version"] in (effective(second, name) or "")}
    assert silent - gated - numbers <= {
        "lmtp_tls_fingerprint_digest",  # no lmtp with TLS here
        "tls_null_cipherlist",
        "tls_high_cipherlist",
        "mynetworks",
    }
