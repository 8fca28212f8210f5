"""Mistakes that reviews found unreported, each at its place, and findings that were wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from check.examples import files_of, run

from postconf.catalogue import release
from tlsproxy.check.engine import check
from tlsproxy.check.facts.filesystem import FileSystem
from tlsproxy.check.findings import Severity
from tlsproxy.check.rule import all_rules
from tlsproxy.check.text.sources import MainFile, MasterFile

RULES = [rule for rule in all_rules() if not rule.optional]
E, W, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
BASE = "compatibility_level = 3.6\nmyhostname = mx.example.net\n"
MASTER = """--- master.cf
smtp inet n - y - - smtpd
pickup unix n - y 60 1 pickup
cleanup unix n - y - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - y 1000? 1 tlsmgr
rewrite unix - - y - - trivial-rewrite
bounce unix - - y - 0 bounce
defer unix - - y - 0 bounce
trace unix - - y - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - y - - smtp
relay unix - - y - - smtp
error unix - - y - - error
retry unix - - y - - error
discard unix - - y - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - y - - lmtp
anvil unix - - y - 1 anvil
"""
"""A whole master.cf; lines that are added to it begin at line 20."""
TLS = "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = none\n"
LOGIN = "smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = inline:{{%s=u:p}}\nsmtp_tls_security_level = encrypt\n"

IN_MAIN = [
    # restrictions and networks
    (
        "a misspelled restriction",
        "smtpd_helo_restrictions = permit_mynetworks, reject_invalid_helo_hostnme\n",
        "R001",
        E,
        3,
        46,
    ),
    ("a class without a value", "smtpd_sender_restrictions = guests\n", "R001", E, 3, 29),
    ("no relay control", "smtpd_relay_restrictions = permit_mynetworks\n", "R010", E, 3, 28),
    ("all of the Internet trusted", "mynetworks = 127.0.0.0/8 0.0.0.0/0\n", "R011", E, 3, 26),
    ("a network with host bits", "mynetworks = 10.1.2.3/8\n", "V013", E, 3, 14),
    ("too many bits", "mynetworks = 198.51.100.0/40\n", "V013", E, 3, 14),
    ("a dead DNS list", "smtpd_client_restrictions = reject_rbl_client ix.dnsbl.sorbs.net\n", "R007", E, 3, 47),
    # one of these words
    ("an unknown class of notices", "notify_classes = bounce, softwares\n", "V011", E, 3, 26),
    ("an unknown preference", "lmtp_address_preference = ipv46\n", "V010", E, 3, 27),
    (
        "an unknown default action",
        "smtpd_milters = inet:localhost:1\nmilter_default_action = aceppt\n",
        "V010",
        E,
        4,
        25,
    ),
    ("an address that is none", "smtp_bind_address = 203.0.113.300\n", "V015", E, 3, 21),
    ("a milter's port that is none", "smtpd_milters = inet:127.0.0.1:rspamdport\n", "V021", E, 3, 32),
    # next hops and routes
    ("the port inside of brackets", "relayhost = [out.example.com:465]\n", "V019", E, 3, 13),
    ("a URL for a relay host", "relayhost = smtp://out.example.com\n", "V019", E, 3, 13),
    (
        "a transport that is not there",
        "relay_domains = a.test\nrelay_transport = smtp-in:[10.0.0.1]\n",
        "F001",
        E,
        4,
        19,
    ),
    ("a filter that is not there", "content_filter = scan:[::1]:10026\n", "F001", E, 3, 18),
    ("a fallback that is not there", "fallback_transport = cyrus\n", "F001", E, 3, 22),
    ("a transport in a table", "transport_maps = inline:{{shop.test=fast:}}\n", "F001", E, 3, 37),
    ("a transport of an action", "header_checks = regexp:{{/^X-A:/ FILTER scan:x}}\n", "F001", E, 3, 34),
    (
        "a transport of a sender",
        "sender_dependent_default_transport_maps = inline:{{@a.test=bulk:}}\n",
        "F001",
        E,
        3,
        60,
    ),
    ("a domain in two classes", "mydestination = a.test\nvirtual_mailbox_domains = b.test, A.test\n", "F003", W, 4, 35),
    (
        "a domain of a table, too",
        "mydestination = a.test\nvirtual_alias_domains = inline:{{a.test=x}}\n",
        "F003",
        W,
        4,
        25,
    ),
    ("no list of users", "mydestination = a.test\nlocal_recipient_maps =\n", "F004", W, 4, 1),
    (
        "aliases in a circle",
        "virtual_alias_maps = inline:{{a@a.test=b@a.test},{b@a.test=c@a.test},{c@a.test=a@a.test}}\n",
        "F005",
        E,
        3,
        40,
    ),
    (
        "a table that proxymap has not",
        "proxy_read_maps = $canonical_maps\nrelocated_maps = proxy:pgsql:/etc/postfix/moved\n",
        "F006",
        E,
        4,
        18,
    ),
    ("passwords for another port", f"relayhost = [out.test]:587\n{LOGIN % '[out.test]:465'}", "F007", E, 5, 36),
    ("passwords with brackets", f"relayhost = out.test:587\n{LOGIN % '[out.test]:587'}", "F007", E, 5, 36),
    (
        "a policy for another next hop",
        "relayhost = [out.test]\nsmtp_tls_policy_maps = inline:{{[out.test]:587=may}}\n",
        "F007",
        W,
        4,
        33,
    ),
    # logins
    ("a login without a table", "smtp_sasl_auth_enable = yes\n", "L012", E, 3, 25),
    (
        "a password without TLS",
        "smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = hash:/etc/postfix/pw\nsmtp_sasl_security_options =\n",
        "L013",
        E,
        3,
        25,
    ),
    (
        "a password where TLS can be taken away",
        "smtp_sasl_password_maps = hash:/etc/postfix/pw\nsmtp_sasl_auth_enable = yes\n"
        "smtp_sasl_security_options = noanonymous\nsmtp_tls_security_level = dane\nsmtp_dns_support_level = dnssec\n",
        "L013",
        W,
        4,
        25,
    ),
    ("a server's logins without TLS", "smtpd_sasl_auth_enable = yes\n", "L009", W, 3, 1),
    ("logins that are never offered", "smtpd_tls_auth_only = yes\nsmtpd_sasl_auth_enable = yes\n", "L016", W, 3, 23),
    # tables
    (
        "an action that is none",
        "smtpd_sender_restrictions = check_sender_access inline:{a.test=REJET}\n",
        "T008",
        E,
        3,
        64,
    ),
    (
        "a reply code without text",
        "smtpd_helo_restrictions = check_helo_access inline:{a.test=554}\n",
        "T008",
        E,
        3,
        60,
    ),
    ("a header action that is none", "body_checks = regexp:{{/viagra/ DISCRD}}\n", "T008", W, 3, 33),
    ("an action of cleanup in smtp", "smtp_header_checks = regexp:{{/^X-A:/ REJECT}}\n", "T008", W, 3, 39),
    ("a filter without a colon", "header_checks = regexp:{{/^X-A:/ FILTER scan}}\n", "T008", W, 3, 34),
    ("a next hop with an open bracket", "transport_maps = inline:{{a.test=smtp:[b.test}}\n", "T008", E, 3, 34),
    (
        "a relay host with its port inside",
        "sender_dependent_relayhost_maps = inline:{{@a.test=[b.test:25]}}\n",
        "T008",
        E,
        3,
        52,
    ),
    ("a password that is missing", "smtp_sasl_password_maps = inline:{{b.test=user}}\n", "T008", W, 3, 43),
    ("a cipher grade in a policy", "smtp_tls_policy_maps = inline:{{b.test=may ciphers=strong}}\n", "T008", E, 3, 40),
    ("a key with an at sign", "transport_maps = inline:{{@a.test=discard:}}\n", "T009", W, 3, 27),
    (
        "a key with a dot that never matches",
        "smtpd_sender_restrictions = check_sender_access inline:{.a.test=REJECT}\n",
        "T009",
        W,
        3,
        57,
    ),
    (
        "a network in a table of words",
        "smtpd_client_restrictions = check_client_access inline:{192.0.2.0/24=REJECT}\n",
        "T009",
        W,
        3,
        57,
    ),
    ("a pattern in a table of words", "virtual_alias_maps = inline:{{/^joe@/=jim}}\n", "T009", W, 3, 31),
    (
        "a sender's domain without at sign",
        "sender_dependent_relayhost_maps = inline:{a.test=[b.test]}\n",
        "T009",
        W,
        3,
        43,
    ),
    ("an unknown level in a policy", "smtp_tls_policy_maps = inline:{b.test=dnae-only}\n", "L010", E, 3, 24),
    ("a policy without authorities", "smtp_tls_policy_maps = inline:{b.test=verify}\n", "L014", E, 3, 39),
    ("a policy without DNSSEC", "smtp_tls_policy_maps = inline:{{b.test=dane}}\n", "L014", E, 3, 40),
    ("another kind of patterns", "body_checks = pcre:/etc/postfix/body.regexp\n", "T012", W, 3, 15),
    # combinations
    ("messages larger than mailboxes", "message_size_limit = 99000000\n", "Q001", E, 3, 22),
    ("mailboxes smaller than messages", "mailbox_size_limit = 1000000\n", "Q001", E, 3, 22),
    ("backoff times", "maximal_backoff_time = 100s\n", "Q002", W, 3, 24),
    ("lifetimes", "bounce_queue_lifetime = 6d\n", "Q002", W, 3, 25),
    ("a style beside networks", "mynetworks = 127.0.0.0/8\nmynetworks_style = class\n", "Q003", INFO, 4, 1),
    ("a mailbox beside a command", "home_mailbox = Maildir/\nmailbox_command = /usr/bin/maildrop\n", "Q003", W, 3, 1),
    ("passwords that are not read", "smtp_sasl_password_maps = hash:/etc/postfix/pw\n", "Q003", W, 3, 1),
    ("a directory without slash", "home_mailbox = .maildir\n", "Q005", W, 3, 16),
    ("verbose logging of all", "debug_peer_list = [::]/0\n", "Q007", W, 3, 19),
    ("STARTTLS that is discarded", f"{TLS}smtpd_discard_ehlo_keywords = etrn STARTTLS\n", "L015", E, 5, 31),
    ("no EHLO, and a level", "smtp_tls_security_level = encrypt\nsmtp_never_send_ehlo = yes\n", "L015", E, 4, 24),
    ("the key as authorities", f"{TLS}smtpd_tls_key_file = /k.pem\nsmtpd_tls_CAfile = /k.pem\n", "K019", E, 6, 20),
    ("verification of everybody", "smtp_tls_security_level = verify\nsmtp_tls_CAfile = /ca.pem\n", "L017", W, 3, 27),
    ("a socket outside of the chroot", "smtpd_milters = unix:/run/rspamd/milter.sock\n", "M007", W, 3, 22),
    (
        "an absolute path to the queue",
        f"{TLS}smtpd_tls_auth_only = yes\nsmtpd_sasl_auth_enable = yes\n"
        "smtpd_sasl_path = /var/spool/postfix/private/dovecot\n"
        "smtpd_sasl_type = dovecot\n",
        "M007",
        E,
        7,
        19,
    ),
    ("a list that lacks its restrictions", "smtpd_client_restrictions = $good_clients\n", "N002", E, 3, 29),
    (
        "the client's certificate for a server",
        "smtpd_tls_auth_only = yes\nsmtp_tls_chain_files = /c.pem\n",
        "N003",
        W,
        4,
        1,
    ),
    ("switches that contradict each other", "smtp_use_tls = yes\nsmtp_enforce_tls = no\n", "L001", W, 3, 1),
    ("a comment in a list of tables", "alias_maps = # none\n", "S002", E, 3, 14),
]
IN_MASTER = [
    ("a program that is none", "smtps unix - - y - - smpt\n", "M011", E, 20, 22),
    ("two pickups", "pickup2 unix n - y 60 2 pickup\n", "M012", E, 20, 23),
    ("a user that is missing", "a unix - n n - - pipe argv=/bin/true\n", "M016", E, 20, 18),
    ("options of the other side", "a unix - - y - - smtp -o smtpd_tls_security_level=may\n", "M015", W, 20, 26),
    ("an option that is none", "10025 inet n - y - - smtpd -x\n", "M014", E, 20, 29),
    ("a comment behind a command", "a unix - - y - - smtp # for the list server, 2024\n", "S002", E, 20, 23),
    ("comments on two lines", "a unix - - y - - smtp -v # one\n  -o syslog_name=a # two\n", "S002", E, 21, 20),
    ("a filter of a service", "10025 inet n - y - - smtpd -o content_filter=spam:dummy\n", "F001", E, 20, 46),
    (
        "a policy of one service",
        "a unix - - y - - smtp -o smtp_tls_policy_maps=inline:{{b.test=secure}}\n",
        "L014",
        E,
        20,
        63,
    ),
    ("a login of one service", "a unix - - y - - smtp -o smtp_sasl_auth_enable=yes\n", "L012", E, 20, 48),
    (
        "a level that is none, behind -v",
        "10025 inet n - y - - smtpd -vosmtpd_tls_security_level=sure\n",
        "V004",
        E,
        20,
        56,
    ),
]


def found(main_cf: str, entries: str, directory: Path | None = None) -> set[tuple[str, Severity, str]]:
    checked = run(BASE + main_cf + MASTER + entries, RULES, directory)
    return {(each.rule, each.severity, str(each.span)) for each in checked.findings}


@pytest.mark.parametrize("subject, main_cf, rule, severity, line, column", IN_MAIN, ids=[each[0] for each in IN_MAIN])
def test_mistake_in_main_cf_is_reported_at_its_place(
    subject: str, main_cf: str, rule: str, severity: Severity, line: int, column: int
) -> None:
    assert (rule, severity, f"main.cf:{line}:{column}") in found(main_cf, ""), subject


@pytest.mark.parametrize("subject, entry, rule, severity, line, column", IN_MASTER, ids=[each[0] for each in IN_MASTER])
def test_mistake_in_master_cf_is_reported_at_its_place(
    subject: str, entry: str, rule: str, severity: Severity, line: int, column: int
) -> None:
    assert (rule, severity, f"master.cf:{line}:{column}") in found("", entry), subject


@pytest.mark.parametrize(
    "text, rules",
    [
        ("--- master.cf\nsubmission inet n - y - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n", {"M009", "L009", "N002"}),
        ("--- master.cf\nsmtp inet n - y - - smtpd\n  -o smtpd_sender_restrictions=$mua_sender_rules\n", {"N002"}),
        ("{% set hosts = [\n  'a.test',\n  'b.test'\n] %}\nmyhostname = a.test\n", {"S001", "S004", "N001"}),
        ("--- master.cf\n{% if relay and\n   tls %}\nsmtp inet n - y - - smtpd\n{% endif %}\n", {"M001", "M005"}),
        ("--- master.cf\nsmtp unix - - y - - smtp # one two three\n", {"M002", "N004"}),
        (f"{TLS}smtpd_tls_mandatory_protocols = TLSv1\n{MASTER}", {"P002", "P003"}),
        ("--- master.cf\nsmtp inet n - y - - smtpd -osyslog_name=x/smtpd -vosmtpd_tls_loglevel=1\n", {"N004", "V004"}),
        (
            "--- master.cf\nx inet n - y - - smtpd -osmtpd_tls_wrappermode=yes -osmtpd_tls_auth_only=yes\n",
            {"M008", "N004"},
        ),
        (
            "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_path = private/auth\nsmtpd_milters = unix:/r/m\n" + MASTER,
            {"M007"},
        ),
        (f"luser_relay = all\nlocal_recipient_maps =\nmydestination = a.test\n{MASTER}", {"F004", "Q003"}),
        (f"virtual_alias_maps = inline:{{{{@a.test=@b.test}},{{b@b.test=b@b.test}}}}\n{MASTER}", {"F005", "T009"}),
        (f"relayhost = [b.test]:25\n{LOGIN % 'b.test'}{MASTER}", {"F007", "L012", "L013"}),
        (
            f"transport_maps = inline:{{{{.a.test=:[b.test]}},{{c.test=error:gone}}}}\n{MASTER}",
            {"F001", "T008", "T009"},
        ),
        (f"header_checks = pcre:{{{{/^X: (.*)/ REPLACE Y: $1}}}}\n{MASTER}", {"T006", "T008"}),
    ],
)
def test_finding_that_was_wrong_is_not_reported(text: str, rules: set[str]) -> None:
    is_lone = text.startswith("--- master.cf")
    main = None if is_lone else MainFile("main.cf", files_of(text)["main.cf"])
    master = MasterFile("master.cf", text_of_master) if (text_of_master := files_of(text).get("master.cf")) else None
    checked = check(main, master, RULES, release("3.7"), FileSystem(enabled=False))
    assert rules.isdisjoint(each.rule for each in checked.findings)


def test_base_of_these_mistakes_is_fine() -> None:
    assert found("", "") == set()


def files_in(directory: Path, certificate_files: dict[str, bytes]) -> None:
    for name, data in certificate_files.items():
        (directory / name).write_bytes(data)
        (directory / name).chmod(0o600)


@pytest.mark.parametrize(
    "subject, main_cf, rule, severity, line, column",
    [
        ("a file of domains", "relay_domains = a.test, $config_directory/nofile\n", "T011", E, 3, 25),
        ("a table of a list", "relay_clientcerts = hash:$config_directory/nofile\n", "T003", E, 3, 21),
        ("a table of networks", "postscreen_access_list = cidr:$config_directory/nofile\n", "T006", E, 3, 26),
        ("an instance", "multi_instance_directories = $config_directory/nofile\n", "Q004", E, 3, 30),
        ("parameters", "smtpd_tls_dh1024_param_file = $config_directory/cert.pem\n", "K020", W, 3, 31),
        (
            "a key in the file of the certificate",
            "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = $config_directory/cert.pem\n"
            "smtpd_tls_key_file = $config_directory/cert.pem\n",
            "K005",
            E,
            5,
            22,
        ),
        (
            "a list that leaves no cipher",
            "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/chain.pem\n"
            "smtpd_tls_ciphers = high\ntls_high_cipherlist = NO-SUCH-CIPHER\n",
            "P009",
            E,
            6,
            23,
        ),
    ],
)
def test_file_that_is_missing_or_wrong_is_reported(
    subject: str,
    main_cf: str,
    rule: str,
    severity: Severity,
    line: int,
    column: int,
    tmp_path: Path,
    certificate_files: dict[str, bytes],
) -> None:
    files_in(tmp_path, certificate_files)
    assert (rule, severity, f"main.cf:{line}:{column}") in found(main_cf, "", tmp_path), subject


def test_password_file_is_reported_if_others_can_read_it(tmp_path: Path) -> None:
    table = tmp_path / "passwords"
    table.write_text("[b.test]:25 user:secret\n")
    setting = f"smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = texthash:{table}\n"
    for mode, expected in ((0o644, True), (0o600, False)):
        table.chmod(mode)
        assert ("T013" in {rule for rule, _, _ in found(setting, "", tmp_path)}) is expected


def test_entries_of_files_are_reported_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "transport").write_text("# ours\na.test smtp:[b.test\n@c.test smtp:\nd.test fast:\n")
    reported = found("transport_maps = hash:$config_directory/transport\n", "", tmp_path)
    places = {(rule, place.rpartition("/")[2]) for rule, _, place in reported}
    assert {("T008", "transport:2"), ("T009", "transport:3"), ("F001", "transport:4")} <= places


def test_exclusion_with_a_sign_is_reported_once(tmp_path: Path, certificate_files: dict[str, bytes]) -> None:
    files_in(tmp_path, certificate_files)
    text = "smtpd_tls_security_level = encrypt\nsmtpd_tls_chain_files = $config_directory/chain.pem\n"
    reported = found(f"{text}smtpd_tls_mandatory_exclude_ciphers = MD5, -RC4\n", "", tmp_path)
    assert {rule for rule, severity, _ in reported if severity is E} == {"P007"}
