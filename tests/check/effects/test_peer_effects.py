"""Effects of mistakes that only others can show: DNS lists, clients that verify certificates, accounts with a home."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path

import pytest
from check.effects.test_server_effects import END, dovecot, rules_of, talk
from peers.fakes.nameserver import NameServer
from peers.real.postfix import MASTER_CF, PrivatePostfix, free_ports, own_address
from peers.real.xclient import XclientSession
from peers.tools.certificates import Identity, name
from peers.tools.children import PATIENCE

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("check-effects")]
HOST = "mail.private.test"


def test_certificates_are_refused_by_clients_that_verify(public_path: Path) -> None:
    root = Identity(name("Root"), authority=True)
    middle = Identity(name("Intermediate"), root, authority=True)
    leaf = Identity(name(HOST), middle, hosts=[HOST])
    expired = Identity(name(HOST), root, hosts=[HOST], days=(-30, -1))
    elsewhere = Identity(name("other.test"), root, hosts=["other.test"])
    chains = {
        "": leaf.key_pem + leaf.pem + middle.pem,
        "K006": leaf.key_pem + leaf.pem,
        "K007": expired.key_pem + expired.pem,
        "K010": elsewhere.key_pem + elsewhere.pem,
    }
    ports = dict(zip(chains, free_ports(len(chains)), strict=True))
    entries = ""
    for rule, port in ports.items():
        (public_path / f"chain{rule}.pem").write_bytes(chains[rule])
        entries += f"127.0.0.1:{port} inet n - n - - smtpd -o smtpd_tls_chain_files={public_path}/chain{rule}.pem\n"
    (public_path / "root.pem").write_bytes(root.pem)
    trusting = ssl.create_default_context(cafile=str(public_path / "root.pem"))
    problems = {}
    with PrivatePostfix(public_path / "postfix", {"smtpd_tls_security_level": "may"}, MASTER_CF + entries):
        for rule, port in ports.items():
            problems[rule] = _problem(port, trusting)
    assert problems[""] == ""
    assert "unable to get local issuer certificate" in problems["K006"]
    assert "certificate has expired" in problems["K007"]
    assert "Hostname mismatch" in problems["K010"]
    for rule in chains:
        settings = f"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {public_path}/chain{rule}.pem\n"
        found = rules_of(f"compatibility_level = 3.6\nmyhostname = {HOST}\n{settings}", public_path)
        assert rule in found if rule else not found & {"K006", "K007", "K010"}


def _problem(port: int, context: ssl.SSLContext) -> str:
    """Return the reason for which a client that verifies refuses a server; empty if it accepts it."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        lines = connection.makefile("rw", newline="\r\n")
        assert lines.readline().startswith("220")
        lines.write("STARTTLS\r\n")
        lines.flush()
        assert lines.readline().startswith("220")
        try:
            context.wrap_socket(connection, server_hostname=HOST).close()
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
    return ""


def test_ports_for_tls_from_the_first_byte_need_it(public_path: Path) -> None:
    identity = Identity(name(HOST), hosts=[HOST])
    (public_path / "c.pem").write_bytes(identity.key_pem + identity.pem)
    tls = f"-o smtpd_tls_security_level=may -o smtpd_tls_chain_files={public_path}/c.pem"
    plain, wrapped = free_ports(2)
    entries = (
        f"127.0.0.1:{plain} inet n - n - - smtpd {tls}\n"
        f"127.0.0.1:{wrapped} inet n - n - - smtpd {tls} -o smtpd_tls_wrappermode=yes\n"
    )
    trusting = ssl.create_default_context(cadata=identity.pem.decode())
    with PrivatePostfix(public_path / "postfix", {}, MASTER_CF + entries):
        with (
            socket.create_connection(("127.0.0.1", plain), timeout=PATIENCE) as connection,
            pytest.raises(ssl.SSLError, match=r"(?i)wrong.version.number|record layer failure"),
        ):
            trusting.wrap_socket(connection, server_hostname=HOST)
        with (
            socket.create_connection(("127.0.0.1", wrapped), timeout=PATIENCE) as connection,
            trusting.wrap_socket(connection, server_hostname=HOST) as protected,
        ):
            assert protected.recv(100).startswith(b"220 ")
    assert "M008" in rules_of(f"--- master.cf\nsubmissions inet n - y - - smtpd {tls}\n")
    assert "M008" not in rules_of(
        f"--- master.cf\nsubmissions inet n - y - - smtpd {tls} -o smtpd_tls_wrappermode=yes\n"
    )


def test_dns_lists_refuse_own_users_and_everyone(public_path: Path) -> None:
    """A list that is gone lists every address; one of dynamic addresses has those of users, too."""
    login = "-o smtpd_sasl_auth_enable=yes -o smtpd_sasl_type=dovecot -o smtpd_sasl_path=private/auth"
    lists = {
        "R007": "reject_rbl_client dnsbl.sorbs.net",
        "R009": "reject_rbl_client zen.spamhaus.org, permit_sasl_authenticated",
        "": "permit_sasl_authenticated, reject_rbl_client zen.spamhaus.org",
    }
    ports = dict(zip(lists, free_ports(len(lists)), strict=True))
    entries = "".join(
        f"127.0.0.1:{ports[rule]} inet n - n - - smtpd {login}\n  -o {{{{ smtpd_client_restrictions = {text} }}}}\n"
        for rule, text in lists.items()
    )
    records = [f"77.113.0.203.{zone} A 127.0.0.2" for zone in ("dnsbl.sorbs.net", "zen.spamhaus.org")]
    settings = {"mydestination": "priv.test", "local_recipient_maps": "", "smtpd_authorized_xclient_hosts": "127.0.0.1"}
    settings["smtpd_relay_restrictions"] = "reject_unauth_destination"
    instance = PrivatePostfix(public_path / "postfix", settings, MASTER_CF + entries)
    with NameServer(records, own_address(), 53) as names, dovecot(instance.queue / "private/auth"):
        instance.start(names.seen_through(public_path / "resolv.conf"))
        try:
            replies = {rule: _as_user(port) for rule, port in ports.items()}
        finally:
            instance.stop()
    assert replies["R007"].startswith("554 5.7.1 Service unavailable")
    assert replies["R009"].startswith("554 5.7.1 Service unavailable")
    assert replies[""].startswith("250")
    for rule, text in lists.items():
        found = rules_of(f"smtpd_sasl_auth_enable = yes\nsmtpd_client_restrictions = {text}\n")
        assert rule in {*found, ""}
    assert "R009" not in rules_of(f"smtpd_sasl_auth_enable = yes\nsmtpd_client_restrictions = {lists['']}\n")


def _as_user(port: int) -> str:
    """Return the reply to RCPT for a client that has logged in, from an address that DNS lists have."""
    session: dict[str, str | list[str]] = {
        "client": "203.0.113.77",
        "client_name": "unknown",
        "helo": "x.test",
        "sasl_user": "joe",
    }
    session |= {"sender": "joe@priv.test", "recipients": ["joe@priv.test"]}
    replies = XclientSession(port, "127.0.0.1").hold(session)
    return next(f"{code} {text}" for command, code, text in replies if command == "RCPT")


def test_maildir_without_a_slash_is_a_file(public_path: Path) -> None:
    users = {"plain": "Maildir", "slash": "Maildir/"}
    passwd = Path("/etc/passwd").read_text()
    entries = "local unix - n n - - local\n"
    for number, (user, mailbox) in enumerate(users.items(), 54321):
        home = public_path / user
        home.mkdir()
        os.chown(home, number, number)
        passwd += f"{user}:x:{number}:{number}::{home}:/bin/sh\n"
        entries += f"{user} unix - n n - - local -o home_mailbox={mailbox}\n"
    accounts = public_path / "passwd"
    accounts.write_text(passwd)
    settings = {
        "mydestination": "priv.test",
        "local_recipient_maps": "",
        "transport_maps": "inline:{ {plain@priv.test = plain:}, {slash@priv.test = slash:} }",
    }
    mount = 'mount --bind "$0" /etc/passwd && exec "$@"'
    instance = PrivatePostfix(public_path / "postfix", settings, MASTER_CF + entries)
    instance.start(lambda *command: ["unshare", "--mount", "sh", "-c", mount, str(accounts), *map(str, command)])
    try:
        for user in users:
            assert talk(instance.ports["submission"], f"{user}@priv.test")[END].startswith("250")
            instance.wait_for_line(f"to=<{user}@priv.test>.*status=sent")
    finally:
        instance.stop()
    assert (public_path / "plain/Maildir").read_text().startswith("From ")
    assert len(list((public_path / "slash/Maildir/new").iterdir())) == 1
    assert "Q005" in rules_of("home_mailbox = Maildir\n")
