"""Effects of mistakes on smtpd(8) and master(8): one instance has a service for each, and a client talks to it."""

from __future__ import annotations

import re
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from check.examples import run
from peers.real.postfix import MASTER_CF, PrivatePostfix, free_ports, public_directory
from peers.tools.certificates import Identity, name
from peers.tools.children import PATIENCE

from tlsproxy.check.rule import all_rules

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("check-effects")]
RULES = [rule for rule in all_rules() if not rule.optional]
GREETING, EHLO, MAIL, RCPT, DATA, END = range(6)
OPEN = "check_policy_service { inet:127.0.0.1:1"
ALIASES = "inline:{someone@elsewhere.test=root}"
CONTROL = "reject_unauth_destination"


class Case(NamedTuple):
    """A rule, settings of a service, the reply with the effect and its beginning, and the line that is logged.

    `main` is the checker's input, if it differs from the settings; {dir} is the directory of the instance.
    """

    rule: str
    settings: tuple[str, ...]
    reply: int
    begins: str
    logged: str = ""
    main: str = ""


CASES = [
    Case("R001", ("smtpd_client_restrictions = reject_unkown",), RCPT, "451 4.3.5", "unknown smtpd restriction"),
    Case("R002", ("smtpd_client_restrictions = check_client_access hash /x",), RCPT, "451 4.3.5"),
    Case("R002", ("smtpd_client_restrictions = sleep",), RCPT, "451 4.3.5", "must be followed by number"),
    Case("R002", ("smtpd_client_restrictions = check_policy_service",), RCPT, "451 4.3.5", "must be followed by"),
    Case("R003", ("smtpd_restriction_classes = none",), GREETING, "", "needs a definition"),
    Case(
        "R004", ("smtpd_client_restrictions = permit, reject_rbl_client x.test",), RCPT, "250", "after `permit' is ig"
    ),
    Case(
        "R003",
        (
            "smtpd_restriction_classes = loop",
            "loop = check_client_access inline:{{127.0.0.1=loop}}",
            "smtpd_client_restrictions = loop",
        ),
        RCPT,
        "451 4.3.5",
        "causes unreasonable recursion",
    ),
    *(
        Case(
            "R004", (f"smtpd_client_restrictions = check_client_access {table}, permit_mynetworks",), RCPT, "554 5.7.1"
        )
        for table in (
            "static:REJECT",
            "cidr:{{0.0.0.0/0 REJECT}, {::/0 REJECT}}",
            "regexp:{{// REJECT}}",
            "pcre:{{/^.+$$/ 554 no}}",
        )
    ),
    Case("R005", (f"smtpd_relay_restrictions = {CONTROL}, permit_mynetworks",), RCPT, "554 5.7.1"),
    Case(
        "R006",
        ("smtpd_delay_reject = no", "smtpd_client_restrictions = check_recipient_access static:REJECT"),
        RCPT,
        "250",
    ),
    Case(
        "R006", ("smtpd_sender_restrictions = reject_sender_login_mismatch",), RCPT, "250", "ignored: no SASL support"
    ),
    Case("R008", ("smtpd_sender_restrictions = check_sender_access cidr:{{0.0.0.0/0 REJECT}}",), RCPT, "250"),
    Case(
        "R010", ("smtpd_relay_restrictions = permit_mynetworks",), GREETING, "", "specify at least one working instance"
    ),
    Case("R013", ("smtpd_client_restrictions = check_policy_service /run/x",), GREETING, "", "need service transport"),
    Case(
        "R013",
        ("smtpd_client_restrictions = check_policy_service { inet:127.0.0.1:1, time_out=5s }",),
        GREETING,
        "",
        "unknown option",
    ),
    Case(
        "R013",
        ("smtpd_client_restrictions = check_policy_service unix:private/none",),
        RCPT,
        "451 4.3.5",
        "connect to private/none: No such file",
    ),
    Case(
        "R014",
        (
            "smtpd_policy_service_default_action = dunnoo",
            "smtpd_client_restrictions = check_policy_service { unix:x, try_limit=1 }",
        ),
        RCPT,
        "451 4.3.5",
        'unknown smtpd restriction: "dunnoo"',
    ),
    Case("R015", ("smtpd_client_restrictions = reject_rhsbl_client reject",), RCPT, "250"),
    Case("R015", ("smtpd_client_restrictions = reject_rbl_client x.test=127.0.0",), RCPT, "", "RBL reply error"),
    Case("V006", ("smtpd_tls_security_level = may", "smtpd_tls_cert_file = cert.pem"), GREETING, "220"),
    Case(
        "V030",
        ("smtpd_client_restrictions = $open_list",),
        GREETING,
        "",
        "syntax error",
        f"open_list = {OPEN}\nsmtpd_client_restrictions = $open_list\n",
    ),
    Case("L006", ("smtpd_tls_security_level = encrypt", "smtpd_tls_chain_files = {dir}/c.pem"), MAIL, "530 5.7.0"),
    Case(
        "T003", ("smtpd_client_restrictions = check_client_access hash:{dir}/none",), RCPT, "451 4.3.5", "No such file"
    ),
    Case(
        "T006",
        ("smtpd_client_restrictions = check_client_access cidr:{dir}/bad.cidr",),
        RCPT,
        "250",
        "skipping this rule",
    ),
    Case("Q007", ("debug_peer_list = 0.0.0.0/0",), RCPT, "250", "smtp_get: EOF|> unknown\\[127.0.0.1\\]: 220"),
    Case(
        "F004",
        (
            "smtpd_reject_unlisted_recipient = no",
            "local_recipient_maps = inline:{{root=x}}",
            "mydestination = priv.test",
        ),
        RCPT,
        "250",
    ),
    Case(
        "T008", ("smtpd_milter_maps = cidr:{{127.0.0.0/8 ofF}}",), MAIL, "451 4.3.5", "Milter service needs transport"
    ),
    Case(
        "T008",
        ("smtpd_client_restrictions = check_client_access static:{{OK}}",),
        RCPT,
        "451 4.3.5",
        "unknown smtpd restriction",
    ),
    *(
        Case(
            "T004",
            (
                "smtpd_tls_security_level = may",
                "smtpd_tls_chain_files = {dir}/c.pem",
                f"tls_server_sni_maps = inline:{{{{x.test={value}}}}}",
            ),
            GREETING,
            "220",
            f"open {value}: No such file",
        )
        for value in ("foo", "aGVsbG8K")
    ),
    Case(
        "V002",
        (
            "unknown_local_recipient_reject_code = 55",
            "local_recipient_maps = inline:{{root=x}}",
            "mydestination = priv.test",
        ),
        RCPT,
        "450 4.7.1",
        "reply code configuration error",
    ),
    Case(
        "V027",
        ("smtpd_client_restrictions = reject", "smtpd_reject_footer = see $client_addres"),
        RCPT,
        "554",
        'unknown macro name "client_addres"',
    ),
    Case(
        "T017",
        ("smtpd_client_restrictions = check_client_access cidr:{{127.0.0.0/8 REJECT},{127.0.0.1 OK}}",),
        RCPT,
        "554 5.7.1",
    ),
    Case(
        "F010",
        ("mynetworks = 192.0.2.0/24",),
        RCPT,
        "554 5.7.1",
        main=f"compatibility_level = 3.6\nvirtual_alias_maps = {ALIASES}\n",
    ),
    Case("V028", ("smtpd_command_filter = pcre:/a, pcre:/b",), GREETING, "220", "/a, pcre:/b"),
]


def service(port: int, index: int, case: Case, root: Path) -> str:
    options = "".join(f"  -o {{ {each} }}\n" for each in case.settings).replace("{dir}", str(root))
    text = f"127.0.0.1:{port} inet n - n - - smtpd\n  -o syslog_name=case{index}\n{options}"
    return text.replace("{", "{{").replace("}", "}}")


def talk(port: int, recipient: str = "nobody-known@priv.test") -> list[str]:
    """Return the replies up to the end of a message; empty ones after the server has hung up."""
    replies: list[str] = []
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE / 4) as connection, suppress(OSError):
        lines = connection.makefile("rw", newline="\r\n")
        for command in (
            "",
            "EHLO x.test",
            "MAIL FROM:<s@x.test>",
            f"RCPT TO:<{recipient}>",
            "DATA",
            "Subject: x\r\n\r\n.",
        ):
            if command:
                lines.write(f"{command}\r\n")
                lines.flush()
            reply = line = lines.readline()
            while line[3:4] == "-":
                line = lines.readline()
                reply += line
            replies.append(reply)
    return replies + [""] * (6 - len(replies))


def rules_of(text: str, directory: Path | None = None) -> set[str]:
    return {finding.rule for finding in run(text, RULES, directory).findings}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[PrivatePostfix, list[int], Path]]:
    ports = free_ports(len(CASES))
    identity = Identity(name("mail.private.test"))
    with public_directory() as root:
        (root / "c.pem").write_bytes(identity.key_pem + identity.pem)
        (root / "bad.cidr").write_text("127.0.0.1/8 REJECT\n")
        entries = "".join(
            service(port, index, case, root) for index, (port, case) in enumerate(zip(ports, CASES, strict=True))
        )
        with PrivatePostfix(
            root / "postfix",
            {"mydestination": "priv.test", "open_list": OPEN, "virtual_alias_maps": ALIASES},
            MASTER_CF + entries,
        ) as instance:
            yield instance, ports, root


@pytest.mark.parametrize("index", range(len(CASES)), ids=[f"{each.rule}-{number}" for number, each in enumerate(CASES)])
def test_mistake_has_the_effect_that_its_rule_reports(
    index: int, served: tuple[PrivatePostfix, list[int], Path], tmp_path: Path
) -> None:
    instance, ports, _ = served
    case = CASES[index]
    recipient = "someone@elsewhere.test" if case.rule in ("R005", "F010") else "nobody-known@priv.test"
    if case.reply == GREETING and not case.begins:
        with socket.create_connection(("127.0.0.1", ports[index]), timeout=PATIENCE):
            instance.wait_for_line(rf"case{index}/smtpd.*: fatal: .*(?:{case.logged})")
    else:
        reply = talk(ports[index], recipient)[case.reply]
        assert reply.startswith(case.begins) and bool(reply) is bool(case.begins), reply
        if case.logged:
            instance.wait_for_line(rf"case{index}/.*(?:{case.logged})")
    main = case.main or "compatibility_level = 3.6\n" + "".join(f"{each}\n" for each in case.settings)
    (tmp_path / "bad.cidr").write_text("127.0.0.1/8 REJECT\n")
    text = (
        main.replace("{dir}", str(tmp_path))
        + "--- master.cf\n"
        + (instance.conf / "master.cf").read_text().partition("127.0.0.1:")[0]
    )
    text += "smtp inet n - n - - smtpd\ncleanup unix n - n - 0 cleanup\n"
    needs_files = case.rule.startswith("T00") or case.rule == "V006"
    assert case.rule in rules_of(text, tmp_path if needs_files else None)


class _Dovecot(socketserver.StreamRequestHandler):
    """The greeting of Dovecot's authentication service, with one mechanism."""

    def handle(self) -> None:
        self.wfile.write(b"VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t" + b"0" * 32 + b"\nDONE\n")
        self.rfile.read()


@contextmanager
def dovecot(path: Path) -> Iterator[None]:
    with socketserver.ThreadingUnixStreamServer(str(path), _Dovecot) as server:
        path.chmod(0o666)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def test_logins_are_offered_before_tls_or_not_at_all(public_path: Path) -> None:
    names = ("L009", "M009", "L016")
    ports = dict(zip(names, free_ports(3), strict=True))
    login = "-o smtpd_sasl_auth_enable=yes -o smtpd_sasl_type=dovecot -o smtpd_sasl_path=private/auth"
    tls = f"-o smtpd_tls_security_level=may -o smtpd_tls_chain_files={public_path}/c.pem"
    identity = Identity(name("mail.private.test"))
    (public_path / "c.pem").write_bytes(identity.key_pem + identity.pem)
    entries = (
        f"127.0.0.1:{ports['L009']} inet n - n - - smtpd {login}\n"
        f"127.0.0.1:{ports['M009']} inet n - n - - smtpd {login} {tls}\n"
        f"127.0.0.1:{ports['L016']} inet n - n - - smtpd {login} -o smtpd_tls_auth_only=yes\n"
    )
    instance = PrivatePostfix(public_path / "postfix", {}, MASTER_CF + entries)
    with instance, dovecot(instance.queue / "private/auth"):
        offers = {each: talk(port)[EHLO] for each, port in ports.items()}
    assert ["AUTH PLAIN" in offers[each] for each in names] == [True, True, False]
    assert "L009" in rules_of("smtpd_sasl_auth_enable = yes\n")
    assert "M009" in rules_of(f"--- master.cf\nsubmission inet n - n - - smtpd {login} {tls}\n")
    assert "L016" in rules_of("smtpd_sasl_auth_enable = yes\nsmtpd_tls_auth_only = yes\n")


def test_services_of_master_cf_fail_as_reported(public_path: Path) -> None:
    ports = free_ports(3)
    entries = (
        f"127.0.0.1:{ports[0]} inet n - n - - stmpd\n"
        f"127.0.0.1:{ports[1]} inet n - n - - smtpd -x\n"
        "limited unix - - n - 5 cleanup\nunprivileged unix - - n - - local\n"
        f"127.0.0.1:{ports[2]} inet n - n - - smtpd\n# 127.0.0.1:1 inet n - n - - smtpd\n"
        "  -o smtpd_banner=orphan\n"
    )
    (public_path / "libexec").mkdir()
    with PrivatePostfix(public_path / "postfix", {}, MASTER_CF + entries) as instance:
        for port in ports[:2]:
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE):
                pass
        for each in ("limited", "unprivileged"):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(instance.queue / "private" / each))
        assert talk(ports[2])[GREETING] == "220 orphan\r\n"  # M003
        instance.wait_for_line("exec .*stmpd: No such file or directory")  # M011
        instance.wait_for_log("invalid option: x")  # M014
        instance.wait_for_log("service limited requires a process limit of 0")  # M012
        instance.wait_for_log("service unprivileged requires privileged operation")  # M013
    assert {"M003", "M011", "M012", "M013", "M014"} <= rules_of(f"--- master.cf\n{entries}")


def test_chroot_is_the_default_of_old_levels(public_path: Path) -> None:
    [port] = free_ports(1)
    settings = {"compatibility_level": "0"}
    with PrivatePostfix(
        public_path / "postfix", settings, MASTER_CF + f"127.0.0.1:{port} inet n - - - - smtpd\n"
    ) as instance:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            connection.makefile("r").readline()
            roots = {Path(f"/proc/{each}/root").readlink() for each in instance.processes("smtpd")}
        instance.reload()
        instance.wait_for_log("backwards-compatible default setting")  # C003
    assert instance.queue in roots
    found = rules_of("smtpd_relay_restrictions = reject\n--- master.cf\nsmtp inet n - - - - smtpd\n")
    assert {"M006", "C003"} <= found


def test_postscreen_without_its_services_refuses_clients(public_path: Path) -> None:
    entries = "".join(line for line in MASTER_CF.splitlines(keepends=True) if not line.startswith("smtpd "))
    with PrivatePostfix(public_path / "postfix", {"postscreen_access_list": "permit_mynetworks"}, entries) as instance:
        assert talk(instance.ports["postscreen"])[GREETING].startswith("421 4.3.2")
        instance.wait_for_log("cannot connect to service private/smtpd")
        written = (instance.conf / "master.cf").read_text()
    assert "X009" in rules_of(f"--- master.cf\n{written}")


def test_services_that_others_ask_are_missed(public_path: Path) -> None:
    ports = free_ports(3)
    missing = ("anvil", "proxymap", "verify")
    entries = "".join(line for line in MASTER_CF.splitlines(keepends=True) if not line.startswith(missing))
    entries += f"127.0.0.1:{ports[0]} inet n - n - - smtpd -o local_recipient_maps=proxy:unix:passwd.byname\n"
    entries += (
        f"127.0.0.1:{ports[1]} inet n - n - - smtpd -o smtpd_recipient_restrictions=reject_unverified_recipient\n"
        f"127.0.0.1:{ports[2]} inet n - n - - smtpd -o smtpd_client_event_limit_exceptions=\n"
    )
    with PrivatePostfix(public_path / "postfix", {"mydestination": "priv.test"}, entries) as instance:
        for port, expected in zip(ports, ("proxymap", "verify", "anvil"), strict=True):
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
                lines = connection.makefile("rw", newline="\r\n")
                lines.write("EHLO x.test\r\nMAIL FROM:<s@x.test>\r\nRCPT TO:<root@priv.test>\r\n")
                lines.flush()
                instance.wait_for_log(f"private/{expected}: No such file")
        master_cf = (instance.conf / "master.cf").read_text()
    text = f"smtpd_recipient_restrictions = reject_unverified_recipient\n--- master.cf\n{master_cf}"
    found = [each.message for each in run(text, RULES).findings if each.rule == "X010"]
    assert {word for word in missing for message in found if f"service {word}" in message} == set(missing)


def test_without_rewriting_smtpd_waits(public_path: Path) -> None:
    entries = "".join(line for line in MASTER_CF.splitlines(keepends=True) if not line.startswith("rewrite"))
    with PrivatePostfix(public_path / "postfix", {}, entries) as instance:
        with socket.create_connection(("127.0.0.1", instance.ports["submission"]), timeout=PATIENCE) as connection:
            lines = connection.makefile("rw", newline="\r\n")
            lines.write("EHLO x.test\r\nMAIL FROM:<s@x.test>\r\n")
            lines.flush()
            instance.wait_for_log("subsystem private/rewrite: No such file")
        written = (instance.conf / "master.cf").read_text()
    assert "M018" in rules_of(f"--- master.cf\n{written}")


@pytest.mark.parametrize(
    "rule, settings, versions",
    [
        ("P002", "smtpd_tls_protocols=TLSv1.2", (True, False)),
        ("P004", "{ smtpd_tls_protocols = !TLSv1, !TLSv1.1, !TLSv1.2, !TLSv1.3 }", (False, False)),
        ("P005", "smtpd_tls_mandatory_protocols=TLSv1.3", (True, True)),
        ("P012", "{ smtpd_tls_protocols = >= TLSv1.2 }", (True, False)),
    ],
)
def test_protocols_are_those_that_the_rule_reports(
    rule: str, settings: str, versions: tuple[bool, bool], public_path: Path
) -> None:
    identity = Identity(name("mail.private.test"))
    (public_path / "c.pem").write_bytes(identity.key_pem + identity.pem)
    [port] = free_ports(1)
    entry = f"127.0.0.1:{port} inet n - n - - smtpd -o {settings}\n".replace("{", "{{").replace("}", "}}")
    main = {"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": f"{public_path}/c.pem"}
    with PrivatePostfix(public_path / "postfix", main, MASTER_CF + entry):
        seen = tuple(
            "CONNECTION ESTABLISHED"
            in subprocess.run(
                ["openssl", "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{port}", "-brief", version],
                input="QUIT\r\n",
                capture_output=True,
                text=True,
                timeout=60,
            ).stderr
            for version in ("-tls1_2", "-tls1_3")
        )
    assert seen == versions
    setting = settings.strip("{} ")
    assert rule in rules_of(f"smtpd_tls_security_level = may\n{setting}\n--- master.cf\nsmtp inet n - n - - smtpd\n")


_TYPO = "permit_mynetworks, reject_unauth_destinatoin"
_DEFAULT = "${{$compatibility_level} <level {1} ? {} : {permit_mynetworks, defer_unauth_destination}}"
_LEVELS_AND_LISTS = [
    (level, settings)
    for level in ("0", "2", "3.6")
    for settings in (
        {"smtpd_relay_restrictions": _TYPO},
        {"smtpd_recipient_restrictions": _TYPO},
        {"smtpd_relay_restrictions": _TYPO, "smtpd_recipient_restrictions": "reject_unauth_destination"},
    )
]


def test_misspelled_relay_control_has_the_reported_effect(public_path: Path) -> None:
    ports = free_ports(len(_LEVELS_AND_LISTS))
    entries = ""
    for index, (port, (level, settings)) in enumerate(zip(ports, _LEVELS_AND_LISTS, strict=True)):
        options = {"compatibility_level": level, "smtpd_relay_restrictions": _DEFAULT} | settings
        written = " ".join(f"-o {{ {name} = {value} }}" for name, value in options.items())
        entries += f"127.0.0.1:{port} inet n - n - - smtpd\n  -o syslog_name=case{index} {written}\n"
    entries = entries.replace("{", "{{").replace("}", "}}")
    with PrivatePostfix(public_path / "postfix", {}, MASTER_CF + entries) as instance, ExitStack() as connections:
        for port in ports:
            connections.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
        for index in range(len(ports)):
            log = instance.wait_for_line(rf"case{index}/smtpd.*: (?:fatal|connect)")
    dies = [bool(re.search(rf"case{index}/smtpd.*: fatal: .*working instance", log)) for index in range(len(ports))]
    for (level, settings), is_dead in zip(_LEVELS_AND_LISTS, dies, strict=True):
        text = f"compatibility_level = {level}\n" + "".join(f"{name} = {value}\n" for name, value in settings.items())
        [message] = [each.message for each in run(text, RULES).findings if each.rule in ("R001", "R010")]
        assert ("smtpd does not start" in message) is is_dead, (level, settings)
        assert ("451" in message) is not is_dead
    assert dies.count(True) == 4
