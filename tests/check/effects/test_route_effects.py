"""Effects in real Postfix of mistakes in routes, tables and combinations of settings: one instance has them all."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest
from check.examples import run
from peers.real.postfix import MASTER_CF, PrivatePostfix, free_ports, public_directory
from peers.tools.certificates import Identity, name
from peers.tools.children import PATIENCE

from tlsproxy.check.rule import all_rules

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("check-effects")]
RULES = [rule for rule in all_rules() if not rule.optional]

MAIN = {
    "message_size_limit": "60000000",
    "mydestination": "local.test both.test",
    "virtual_alias_domains": "both.test circle.test",
    "virtual_alias_maps": "inline:{ {a@circle.test = b@circle.test}, {b@circle.test = a@circle.test} }",
    "transport_maps": "inline:{ {slow.test = smtp-slo:}, {@dead.test = discard:}, {login.test = login:}, "
    "{held.test = discard:}, {open.test = smtp:[mail.example.com} }",
    "defer_transports": "discrad",
    "header_checks": "regexp:{ {/^X-Odd: / REJCT} }",
    "bounce_queue_lifetime": "20d",
    "hopcount_limit": "5",
    "proxy_read_maps": "$virtual_alias_maps",
    "default_transport": "retry:nowhere",
}
SERVICES = {
    "access": "-o { smtpd_client_restrictions = check_client_access inline:{127.0.0.1=REJCT} }",
    "proxied": "-o { smtpd_client_restrictions = check_client_access proxy:static:OK }",
    "starttls": "-o smtpd_discard_ehlo_keywords=starttls -o smtpd_tls_security_level=may",
    "nofile": "-o mydestination=/nonexistent/domains",
    "code": "-o { smtpd_helo_restrictions = check_helo_access inline:{x.test=554} }",
    "parameters": "-o smtpd_tls_security_level=may -o smtpd_tls_cert_file={root}/cert.pem "
    "-o smtpd_tls_key_file={root}/key.pem -o smtpd_tls_dh1024_param_file=/nonexistent/dh.pem",
    "authorities": "-o smtpd_tls_security_level=may -o smtpd_tls_cert_file={root}/cert.pem "
    "-o smtpd_tls_key_file={root}/key.pem -o smtpd_tls_CAfile={root}/key.pem",
    "circle": "-o content_filter=relay:[127.0.0.1]:{circle}",
}
CHROOTED = """127.0.0.1:{port} inet n - y - - smtpd
  -o smtpd_sasl_auth_enable=yes -o smtpd_sasl_type=dovecot -o smtpd_sasl_path={socket}
"""
OTHERS = """local unix - n n - - local
login unix - - n - - smtp -o smtp_sasl_auth_enable=yes
"""


class Mistaken:
    """The instance, and replies of its services."""

    def __init__(self, instance: PrivatePostfix, ports: dict[str, int]) -> None:
        self.instance = instance
        self.ports = ports

    def submit(self, recipient: str, port: int | None = None, header: str = "Subject: x") -> list[str]:
        """Send a message; return the replies."""
        port = port or self.instance.ports["submission"]
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            lines = connection.makefile("rw", newline="\r\n")
            commands = ("EHLO x.test", "MAIL FROM:<s@x.test>", f"RCPT TO:<{recipient}>", "DATA")
            replies = [lines.readline(), *(self._ask(lines, command) for command in commands)]
            if replies[-1].startswith("354"):
                replies.append(self._ask(lines, f"{header}\r\n\r\nx\r\n."))
        return replies

    def ask(self, service: str, *commands: str) -> list[str]:
        """Return the greeting of a service, and its replies to commands."""
        with socket.create_connection(("127.0.0.1", self.ports[service]), timeout=PATIENCE) as connection:
            lines = connection.makefile("rw", newline="\r\n")
            return [lines.readline(), *(self._ask(lines, command) for command in commands)]

    @staticmethod
    def _ask(lines: TextIO, command: str) -> str:
        lines.write(command + "\r\n")
        lines.flush()
        reply = line = lines.readline()
        while line[3:4] == "-":
            line = lines.readline()
            reply += line
        return reply


@pytest.fixture(scope="module")
def mistaken() -> Iterator[Mistaken]:
    names = [*SERVICES, "chrooted"]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    identity = Identity(name("mail.private.test"))
    with public_directory() as root:
        (root / "key.pem").write_bytes(identity.key_pem)
        (root / "cert.pem").write_bytes(identity.pem)
        entries = CHROOTED.format(port=ports["chrooted"], socket=root / "postfix/queue/private/auth")
        for service, options in SERVICES.items():
            written = options.replace("{circle}", str(ports["circle"])).replace("{root}", str(root))
            entries += f"127.0.0.1:{ports[service]} inet n - n - - smtpd\n  {literally(written)}\n"
        with PrivatePostfix(root / "postfix", MAIN, MASTER_CF + entries + OTHERS) as instance:
            yield Mistaken(instance, ports)


def literally(entry: str) -> str:
    """Return an entry for the template of master.cf."""
    return entry.replace("{", "{{").replace("}", "}}")


def rules_of(text: str, directory: Path | None = None) -> set[str]:
    return {finding.rule for finding in run(text, RULES, directory).findings}


def main_cf(*names: str) -> str:
    return "".join(f"{name} = {MAIN[name]}\n" for name in names)


def test_transport_without_service_defers_mail(mistaken: Mistaken) -> None:
    mistaken.submit("a@slow.test")
    mistaken.instance.wait_for_log("mail transport unavailable")
    core = "--- master.cf\nqmgr unix n - n 300 1 qmgr\nsmtp unix - - n - - smtp\n"
    assert "F001" in rules_of(main_cf("transport_maps") + core)


def test_unknown_transport_is_not_held_back(mistaken: Mistaken) -> None:
    mistaken.submit("a@held.test")
    mistaken.instance.wait_for_line("to=<a@held.test>.*status=sent")
    core = "--- master.cf\nqmgr unix n - n 300 1 qmgr\nsmtp unix - - n - - smtp\n"
    assert "F001" in rules_of(main_cf("defer_transports") + core)


def test_transport_key_with_at_sign_is_not_found(mistaken: Mistaken) -> None:
    assert "rejected: nowhere" in mistaken.submit("a@dead.test")[3]  # by default_transport
    assert "T009" in rules_of(main_cf("transport_maps"))


def test_nexthop_with_open_bracket_kills_the_client(mistaken: Mistaken) -> None:
    mistaken.submit("a@open.test")
    mistaken.instance.wait_for_line(r"postfix/smtp\[\d+\]: fatal: ")
    assert "T008" in rules_of(main_cf("transport_maps"))


def test_client_without_passwords_dies(mistaken: Mistaken) -> None:
    mistaken.submit("a@login.test")
    mistaken.instance.wait_for_log("specify a password table via the")
    assert "L012" in rules_of("smtp_sasl_auth_enable = yes\n")


def test_mailboxes_smaller_than_messages_kill_local(mistaken: Mistaken) -> None:
    replies = mistaken.submit("root@local.test")
    assert replies[3].startswith("250")
    mistaken.instance.wait_for_log("mailbox_size_limit is smaller than message_size_limit")
    assert "Q001" in rules_of(main_cf("message_size_limit"))


def test_unknown_users_are_accepted_without_a_list(mistaken: Mistaken) -> None:
    assert mistaken.submit("nobody-at-all@local.test")[3].startswith("250")
    assert "F004" in rules_of("mydestination = local.test\nlocal_recipient_maps =\n")


def test_domain_in_two_classes_is_warned_of(mistaken: Mistaken) -> None:
    mistaken.submit("a@both.test")
    mistaken.instance.wait_for_log("do not list domain both.test in BOTH mydestination and virtual_alias_domains")
    assert "F003" in rules_of(main_cf("mydestination", "virtual_alias_domains"))


def test_aliases_in_a_circle_are_refused(mistaken: Mistaken) -> None:
    assert mistaken.submit("a@circle.test")[-1].startswith("451 4.6.0")
    assert "F005" in rules_of(main_cf("virtual_alias_maps"))


def test_unknown_header_action_is_warned_of(mistaken: Mistaken) -> None:
    assert mistaken.submit("root@local.test", header="X-Odd: 1")[-1].startswith("250")
    mistaken.instance.wait_for_log("unknown command in header_checks map: REJCT")
    assert "T008" in rules_of(main_cf("header_checks"))


def test_unknown_access_action_is_answered_with_451(mistaken: Mistaken) -> None:
    replies = mistaken.submit("root@local.test", mistaken.ports["access"])
    assert replies[3].startswith("451 4.3.5")
    assert "T008" in rules_of("smtpd_client_restrictions = check_client_access inline:{127.0.0.1=REJCT}\n")


def test_table_that_proxymap_refuses_kills_smtpd(mistaken: Mistaken) -> None:
    with socket.create_connection(("127.0.0.1", mistaken.ports["proxied"]), timeout=PATIENCE):
        mistaken.instance.wait_for_log("proxymap service is not configured for table")
    text = main_cf("proxy_read_maps") + "smtpd_client_restrictions = check_client_access proxy:static:OK\n"
    assert "F006" in rules_of(text)


def test_starttls_is_not_offered_if_it_is_discarded(mistaken: Mistaken) -> None:
    assert "STARTTLS" not in mistaken.submit("root@local.test", mistaken.ports["starttls"])[1]
    assert "L015" in rules_of("smtpd_discard_ehlo_keywords = starttls\nsmtpd_tls_security_level = may\n")


def test_reply_code_alone_permits(mistaken: Mistaken) -> None:
    assert mistaken.submit("root@local.test", mistaken.ports["code"])[3].startswith("250")
    assert "T008" in rules_of("smtpd_helo_restrictions = check_helo_access inline:{x.test=554}\n")


def test_key_as_authorities_turns_tls_off(mistaken: Mistaken) -> None:
    assert mistaken.ask("authorities", "EHLO x.test", "STARTTLS")[-1].startswith("454")
    mistaken.instance.wait_for_log("no certificate or crl found")
    assert "K019" in rules_of("smtpd_tls_key_file = /k.pem\nsmtpd_tls_CAfile = /k.pem\n")


def test_missing_dh_parameters_are_replaced(mistaken: Mistaken, tmp_path: Path) -> None:
    assert mistaken.ask("parameters", "EHLO x.test", "STARTTLS")[-1].startswith("220")
    mistaken.instance.wait_for_log("error opening DH parameter file")
    assert "K020" in rules_of("smtpd_tls_dh1024_param_file = /nonexistent/dh.pem\n", tmp_path)


def test_socket_outside_of_the_chroot_kills_smtpd(mistaken: Mistaken) -> None:
    assert mistaken.ask("chrooted") == [""]
    mistaken.instance.wait_for_log("no SASL authentication mechanisms")
    settings = "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_path = /var/spool/postfix/private/auth\n"
    assert "M007" in rules_of(f"{settings}--- master.cf\nsmtp inet n - y - - smtpd\n")


def test_list_file_that_is_missing_fails_lookups(mistaken: Mistaken, tmp_path: Path) -> None:
    with socket.create_connection(("127.0.0.1", mistaken.ports["nofile"]), timeout=PATIENCE):
        mistaken.instance.wait_for_log("open file /nonexistent/domains: No such file or directory")
    assert "T011" in rules_of("mydestination = /nonexistent/domains\n", tmp_path)


def test_queue_lifetimes_are_adjusted(mistaken: Mistaken) -> None:
    mistaken.instance.wait_for_log("bounce_queue_lifetime is larger than maximal_queue_lifetime - adjusting")
    assert "Q002" in rules_of(main_cf("bounce_queue_lifetime"))


def test_filtered_mail_that_is_filtered_again_goes_round(mistaken: Mistaken) -> None:
    mistaken.submit("root@local.test", mistaken.ports["circle"])
    mistaken.instance.wait_for_log("too many hops")
    port = mistaken.ports["circle"]
    text = f"content_filter = smtp:[127.0.0.1]:{port}\n--- master.cf\n127.0.0.1:{port} inet n - n - - smtpd\n"
    assert "F002" in rules_of(text)


def test_aliases_without_a_colon_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "aliases"
    file.write_text("postmaster: root\nabuse root\njoe@example.com: root\n")
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\n")
    command = ["postalias", "-c", str(tmp_path), f"hash:{file}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert "line 2: need name:value pair" in done.stderr
    assert "line 3: name must be local" in done.stderr
    assert "T010" in rules_of(f"alias_maps = hash:{file}\n", tmp_path)
