"""Effects of mistakes on smtp(8), pipe(8), virtual(8), local(8) and cleanup(8): each a transport of one instance."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from check.effects.test_server_effects import END, rules_of, talk
from check.examples import run
from peers.real.postfix import MASTER_CF, PrivatePostfix, free_ports, public_directory
from peers.tools.certificates import Identity, name

from tlsproxy.check.rule import all_rules

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("check-effects")]
CORE = "qmgr unix n - n 300 1 qmgr\n"
SINK, TLS, WRAPPED, LOGIN = "[127.0.0.1]:{sink}", "[127.0.0.1]:{tls}", "[127.0.0.1]:{wrapped}", "[127.0.0.1]:{login}"


class Case(NamedTuple):
    """A rule, the program and arguments of a transport, its next hop, the line that is logged, and the checker's input.

    The text for the checker is main.cf, and master.cf behind a line; empty for the entry of the transport alone.
    """

    rule: str
    entry: str
    nexthop: str
    logged: str
    text: str = ""


CASES = [
    Case(
        "F007",
        "smtp -o { smtp_tls_policy_maps = inline:{{[127.0.0.1]:1=encrypt}} }",
        SINK,
        "status=sent",
        "relayhost = [a.test]:25\nsmtp_tls_policy_maps = inline:{{[a.test]:1=encrypt}}\n",
    ),
    Case(
        "F007",
        "smtp -o { smtp_tls_policy_maps = inline:{{t1.t=secure}} }",
        SINK,
        "status=sent",
        "relayhost = [a.test]:25\nsmtp_tls_policy_maps = inline:{{t1.t=secure}}\n",
    ),
    Case(
        "L014",
        "smtp -o { smtp_tls_policy_maps = inline:{{[127.0.0.1]:{tls}=secure match=sink.private.test}} }",
        TLS,
        "deferred \\(Server certificate not (?:trusted|verified)",
        "smtp_tls_policy_maps = inline:{{a.test=secure}}\n",
    ),
    Case(
        "L014",
        "smtp -o { smtp_tls_policy_maps = inline:{{[127.0.0.1]:{tls}=fingerprint}} }",
        TLS,
        "but with no fingerprints to match",
        "smtp_tls_policy_maps = inline:{{a.test=fingerprint}}\n",
    ),
    Case(
        "L002",
        "smtp -o smtp_tls_security_level=secure -o smtp_tls_secure_cert_match=sink.private.test",
        TLS,
        "deferred \\(Server certificate not (?:trusted|verified)",
        "smtp_tls_security_level = secure\n",
    ),
    Case(
        "L017",
        "smtp -o smtp_tls_security_level=verify -o smtp_tls_CAfile={dir}/other.pem",
        TLS,
        "deferred \\(Server certificate not",
        "smtp_tls_security_level = verify\nsmtp_tls_CAfile = /ca.pem\n",
    ),
    Case(
        "L010",
        "smtp -o { smtp_tls_policy_maps = inline:{{[127.0.0.1]:{tls}=encrpyt}} }",
        TLS,
        "client TLS configuration problem",
        "smtp_tls_policy_maps = inline:{{a.test=encrpyt}}\n",
    ),
    Case(
        "T008",
        "smtp -o { smtp_tls_policy_maps = inline:{{[127.0.0.1]:{tls}=encrypt protocols=TLSv1.9}} }",
        TLS,
        "Invalid TLS protocol list",
        "smtp_tls_policy_maps = inline:{{a.test=encrypt protocols=TLSv1.9}}\n",
    ),
    Case(
        "T008",
        "smtp -o { smtp_tls_policy_maps = inline:{{[127.0.0.1]:{tls}=may exclude=!RC4}} }",
        TLS,
        "invalid unary",
        "smtp_tls_policy_maps = inline:{{a.test=may exclude=!RC4}}\n",
    ),
    Case(
        "D001",
        "smtp -o smtp_tls_security_level=dane",
        TLS,
        "dane configured with dnssec lookups disabled",
        "smtp_tls_security_level = dane\n",
    ),
    Case(
        "L007",
        "smtp -o smtp_tls_security_level=may -o smtp_helo_timeout=1s",
        WRAPPED,
        "timed out while receiving the initial server greeting",
        "relayhost = [a.test]:465\nsmtp_tls_security_level = may\n",
    ),
    Case(
        "L013",
        "smtp -o smtp_sasl_auth_enable=yes -o smtp_sasl_password_maps=static:u:p "
        "-o smtp_sasl_security_options=noanonymous -o smtp_tls_security_level=none",
        LOGIN,
        "SASL authentication failed",
        "smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = static:u:p\nsmtp_sasl_security_options = noanonymous\n",
    ),
    Case(
        "Q003",
        "smtp -o smtp_sasl_password_maps=hash:/nonexistent",
        SINK,
        "status=sent",
        "smtp_sasl_password_maps = hash:/nonexistent\n",
    ),
    Case(
        "Q006",
        "smtp -o myhostname=localhost",
        "[127.0.0.1]:{strict}",
        "Helo command rejected: need fully-qualified",
        "myhostname = localhost\n",
    ),
    Case("M015", "smtp -o smtpd_tls_security_level=bogus -o lmtp_tls_security_level=bogus", SINK, "status=sent"),
    Case(
        "X010",
        "smtp -o smtp_connection_cache_destinations={sink}.t",
        SINK,
        "status=sent|private/scache",
        f"smtp_connection_cache_destinations = a.test\n--- master.cf\n{CORE}rewrite unix - - n - - trivial-rewrite\n"
        "bounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\n"
        "error unix - - n - - error\nretry unix - - n - - error\nsmtp unix - - n - - smtp\n"
        "cleanup unix n - n - 0 cleanup\n",
    ),
    Case("M016", "pipe argv=/bin/true", "x", "missing user= command-line attribute"),
    Case(
        "M016",
        "pipe user=postfix argv=/bin/true",
        "x",
        "specifies mail system owner",
        f"mail_owner = postfix\n--- master.cf\n{CORE}x unix - n n - - pipe user=postfix argv=/bin/true\n",
    ),
    Case("M016", "pipe size=1x user=nobody argv=/bin/true", "x", "bad size= value"),
    Case("M016", "pipe user=nobody argv=/bin/true ${recipent}", "x", 'unknown macro name: "recipent"'),
    Case(
        "M017",
        "pipe flags=D user=nobody argv=/bin/true",
        "x",
        "requires t\\w+_destination_recipient_limit = 1",
        f"virtual_transport = x\n--- master.cf\n{CORE}x unix - n n - - pipe flags=D user=nobody argv=/bin/true\n",
    ),
    Case(
        "Q009",
        "virtual -o virtual_mailbox_base=/v -o virtual_uid_maps=",
        "x",
        "not found in virtual_uid_maps",
        "virtual_mailbox_domains = a.test\nvirtual_mailbox_base = /v\nvirtual_mailbox_maps = static:x\n",
    ),
    Case(
        "Q009",
        "virtual -o virtual_mailbox_base=/v -o virtual_uid_maps=static:8 -o virtual_gid_maps=static:8",
        "x",
        "bad uid 8",
        "virtual_mailbox_domains = a.test\nvirtual_mailbox_base = /v\nvirtual_uid_maps = static:8\n"
        "virtual_gid_maps = static:8\n",
    ),
    Case(
        "Q009",
        "virtual -o virtual_mailbox_base=",
        "x",
        "bad string length 0 < 1: virtual_mailbox_base",
        "virtual_mailbox_domains = a.test\n",
    ),
]
CHROOTED = """chrooted unix - n y - - pipe user=nobody argv=/bin/true
local unix - n y - - local
"""
MAIN = {
    "mydestination": "priv.test",
    "virtual_alias_domains": "va.test",
    "virtual_alias_maps": "inline:{ {x@va.test=y@va.test}, {c@va.test=c@vb.test}, {@vb.test=c@va.test} }",
    "virtual_mailbox_maps": "static:x",
    "header_checks": "inline:{Subject=REJECT}",
    "always_bcc": "a@q.test, b@q.test",
    "default_transport": "retry:nowhere",
}


@pytest.fixture(scope="module")
def delivering() -> Iterator[PrivatePostfix]:
    identity, other = Identity(name("sink.private.test")), Identity(name("Other"), authority=True)
    with public_directory() as root:
        (root / "c.pem").write_bytes(identity.key_pem + identity.pem)
        (root / "other.pem").write_bytes(other.pem)
        without_cache = "".join(each for each in MASTER_CF.splitlines(keepends=True) if not each.startswith("scache"))
        instance = PrivatePostfix(root / "postfix", {}, without_cache)
        ports = dict(zip(("tls", "wrapped", "login", "strict"), free_ports(4), strict=True)) | instance.ports
        offer = f"-o smtpd_tls_security_level=may -o smtpd_tls_chain_files={root}/c.pem -o content_filter=discard:"
        lines = [
            f"127.0.0.1:{ports['tls']} inet n - n - - smtpd {offer}",
            f"127.0.0.1:{ports['wrapped']} inet n - n - - smtpd {offer} -o smtpd_tls_wrappermode=yes",
            f"127.0.0.1:{ports['strict']} inet n - n - - smtpd "
            "-o smtpd_helo_restrictions=reject_non_fqdn_helo_hostname -o smtpd_recipient_restrictions=reject",
            f"127.0.0.1:{ports['login']} inet n n n - - spawn user=nobody argv=/bin/sh {root}/login",
        ]
        (root / "login").write_text(_LOGIN)
        routes = ["{chrooted.t = chrooted:}"]
        for index, case in enumerate(CASES):
            program, _, rest = _filled(case.entry, ports, root).partition(" ")
            entry = f"{program} -o syslog_name=t{index} {rest}"
            privileges = "n" if case.entry.startswith(("pipe", "virtual")) else "-"
            lines.append(f"t{index} unix - {privileges} n - - {entry}")
            routes.append(f"{{t{index}.t = t{index}:{_filled(case.nexthop, ports, root)}}}")
        path = instance.conf / "master.cf"
        path.write_text(path.read_text() + "\n".join(lines) + f"\n{CHROOTED}")
        instance.configure(MAIN | {"transport_maps": f"inline:{{ {', '.join(routes)} }}"})
        with instance:
            yield instance


_LOGIN = """echo 220 x
while read line; do case $line in
EHLO*) echo 250-x; echo 250 AUTH PLAIN ;;
AUTH*) echo 535 seen: $line ;;
*) echo 250 x ;; esac; done
"""


def _filled(text: str, ports: dict[str, int], root: Path) -> str:
    for word, port in ports.items():
        text = text.replace(f"{{{word}}}", str(port))
    return text.replace("{dir}", str(root))


@pytest.mark.parametrize("index", range(len(CASES)), ids=[f"{each.rule}-{number}" for number, each in enumerate(CASES)])
def test_delivery_fails_as_its_rule_reports(index: int, delivering: PrivatePostfix) -> None:
    case = CASES[index]
    submit = ["smtp-source", "-f", "s@x.test", "-t", f"a@t{index}.t", *(["-r", "2"] if case.rule == "M017" else [])]
    subprocess.run([*submit, f"127.0.0.1:{delivering.ports['submission']}"], check=True, timeout=60)
    seen = delivering.wait_for_line(rf" t{index}/.*(?:{case.logged})")
    if case.rule == "L013":
        assert base64.b64encode(b"\0u\0p").decode() in seen
    text = case.text or f"--- master.cf\n{CORE}x unix - n n - - {case.entry}\n"
    assert case.rule in rules_of(text)


def test_aliases_that_lead_nowhere_are_returned(delivering: PrivatePostfix) -> None:
    assert talk(delivering.ports["submission"], "x@va.test")[END].startswith("250")
    delivering.wait_for_line("to=<y@va.test>.*User unknown in virtual alias table")
    assert "F008" in rules_of("virtual_alias_domains = va.test\nvirtual_alias_maps = inline:{x@va.test=y@va.test}\n")


def test_aliases_of_whole_domains_can_lead_back(delivering: PrivatePostfix) -> None:
    assert talk(delivering.ports["submission"], "c@va.test")[END].startswith("451 4.6.0")
    assert "F005" in rules_of(f"virtual_alias_maps = {MAIN['virtual_alias_maps']}\n")


def test_fixed_keys_do_not_match_headers(delivering: PrivatePostfix) -> None:
    assert talk(delivering.ports["submission"], "x@va.test")[END].startswith("250")
    assert "T015" in rules_of("header_checks = inline:{Subject=REJECT}\n")


def test_two_addresses_for_copies_become_one(delivering: PrivatePostfix) -> None:
    talk(delivering.ports["submission"], "x@va.test")
    delivering.wait_for_log('to=<"a@q.test, b"@q.test>')
    assert "V024" in rules_of("always_bcc = a@q.test, b@q.test\n")


def test_programs_in_a_chroot_find_no_accounts(delivering: PrivatePostfix) -> None:
    for recipient in ("a@chrooted.t", "root@priv.test"):
        talk(delivering.ports["submission"], recipient)
    delivering.wait_for_line(r"pipe\[\d+\]: fatal: .*unknown username: nobody")
    delivering.wait_for_line(r"local\[\d+\]: .*user lookup error")
    assert [
        each.rule
        for each in run(f"--- master.cf\n{CHROOTED}", [each for each in all_rules() if each.id == "M019"]).findings
    ] == ["M019"] * 2
