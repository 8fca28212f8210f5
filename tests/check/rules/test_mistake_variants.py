"""Mistakes that were tried beside those of the reviews: variants of each kind, reported at their places."""

from __future__ import annotations

import pytest
from check.examples import run
from check.rules.test_reviewed_mistakes import BASE, MASTER, RULES

MISTAKES = [
    # subject, main.cf, more of master.cf, rule, severity, place
    (
        "rhsbl swallow",
        "smtpd_sender_restrictions = reject_rhsbl_sender, permit_mynetworks\n",
        "",
        "R015",
        "error",
        "main.cf:3:50",
    ),
    (
        "rbl swallows next",
        "smtpd_client_restrictions = reject_rbl_client reject_unknown_client_hostname\n",
        "",
        "R015",
        "error",
        "main.cf:3:47",
    ),
    (
        "policy w/o endpoint",
        "smtpd_recipient_restrictions = check_policy_service, permit\n",
        "",
        "R013",
        "error",
        "main.cf:3:54",
    ),
    (
        "warn_if_reject last",
        "smtpd_client_restrictions = permit_mynetworks, warn_if_reject\n",
        "",
        "R002",
        "warning",
        "main.cf:3:48",
    ),
    (
        "rbl wrong filter",
        "smtpd_client_restrictions = reject_rbl_client zen.spamhaus.org=127.0.0\n",
        "",
        "R015",
        "error",
        "main.cf:3:47",
    ),
    (
        "policy endpoint path",
        "smtpd_recipient_restrictions = check_policy_service /run/policy\n",
        "",
        "R013",
        "error",
        "main.cf:3:53",
    ),
    (
        "policy endpoint no port",
        "smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1\n",
        "",
        "R013",
        "error",
        "main.cf:3:53",
    ),
    (
        "policy options bad",
        "smtpd_recipient_restrictions = check_policy_service { inet:127.0.0.1:10023, timout=5s }\n",
        "",
        "R013",
        "error",
        "main.cf:3:53",
    ),
    (
        "policy option bad time",
        "smtpd_recipient_restrictions = check_policy_service { inet:127.0.0.1:10023, timeout=5x }\n",
        "",
        "R013",
        "error",
        "main.cf:3:53",
    ),
    (
        "policy default action typo",
        "smtpd_policy_service_default_action = dunnoo\n",
        "",
        "R014",
        "error",
        "main.cf:3:39",
    ),
    ("class unused", ("smtpd_restriction_classes = a\na = permit\n"), "", "R003", "warning", "main.cf:3:29"),
    (
        "login mismatch w/o maps",
        "smtpd_sender_restrictions = reject_sender_login_mismatch\n",
        "",
        "R006",
        "warning",
        "main.cf:3:29",
    ),
    (
        "clientcerts w/o",
        "smtpd_relay_restrictions = permit_tls_clientcerts, reject_unauth_destination\n",
        "",
        "R006",
        "warning",
        "main.cf:3:28",
    ),
    (
        "ccert access w/o",
        "smtpd_client_restrictions = check_ccert_access inline:{aa=OK}\n",
        "",
        "R006",
        "warning",
        "main.cf:3:29",
    ),
    (
        "sasl access w/o sasl",
        "smtpd_client_restrictions = check_sasl_access inline:{joe=REJECT}\n",
        "",
        "R006",
        "warning",
        "main.cf:3:29",
    ),
    (
        "permit_sasl w/o sasl",
        ("smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated reject_unauth_destination\n"),
        "",
        "R006",
        "info",
        "main.cf:3:46",
    ),
    (
        "permit_sasl w/o sasl in class",
        ("smtpd_restriction_classes = c\nc = permit_sasl_authenticated\nsmtpd_client_restrictions = c, reject\n"),
        "",
        "R006",
        "info",
        "main.cf:4:5",
    ),
    (
        "policy svc missing",
        "smtpd_recipient_restrictions = check_policy_service unix:private/policy\n",
        "",
        "R013",
        "warning",
        "main.cf:3:53",
    ),
    (
        "policy svc missing class",
        (
            "smtpd_restriction_classes = g\n"
            "g = check_policy_service unix:private/grey\n"
            "smtpd_recipient_restrictions = check_recipient_access inline:{a.test=g}\n"
        ),
        "",
        "R013",
        "warning",
        "main.cf:4:26",
    ),
    (
        "policy svc missing brace",
        "smtpd_recipient_restrictions = check_policy_service { unix:private/spf, timeout=3600s }\n",
        "",
        "R013",
        "warning",
        "main.cf:3:53",
    ),
    (
        "policy svc -o",
        "",
        (
            "10026 inet n - y - - smtpd -o { smtpd_recipient_restrictions = check_policy_service "
            "unix:private/spfd, reject }\n"
        ),
        "R013",
        "warning",
        "master.cf:20:85",
    ),
    ("open by relay_domains", "relay_domains = regexp:{{/./ OK}}\n", "", "R011", "error", "main.cf:3:17"),
    (
        "two classes myhostname",
        ("virtual_alias_domains = mx.example.net\nvirtual_alias_maps = inline:{x@mx.example.net=root}\n"),
        "",
        "F003",
        "warning",
        "main.cf:3:25",
    ),
    (
        "backscatter static",
        ("mydestination = a.test\nlocal_recipient_maps = static:all\n"),
        "",
        "F004",
        "warning",
        "main.cf:4:1",
    ),
    ("backscatter reject off", "smtpd_reject_unlisted_recipient = no\n", "", "F004", "warning", "main.cf:3:1"),
    ("filter to itself", "content_filter = smtp:[127.0.0.1]:25\n", "", "F002", "error", "main.cf:3:18"),
    ("dest typo", "smtp_destination_concurency_limit = 2\n", "", "N001", "error", "main.cf:3:1"),
    (
        "virtual dead end",
        ("virtual_alias_domains = a.test\nvirtual_alias_maps = inline:{{x@a.test=y@a.test}}\n"),
        "",
        "F008",
        "error",
        "main.cf:4:40",
    ),
    ("side lmtp", "", "l unix - - y - - lmtp -o smtp_tls_security_level=may\n", "M015", "warning", "master.cf:20:26"),
    ("scache demand", "smtp_connection_cache_destinations = a.test\n", "", "X010", "warning", "main.cf:3:1"),
    ("scache default on demand", "smtp_connection_cache_on_demand = yes\n", "", "X010", "warning", "main.cf:3:1"),
    (
        "scache tls reuse",
        ("smtp_tls_security_level = may\nsmtp_tls_connection_reuse = yes\n"),
        "tlsproxy unix - - y - 0 tlsproxy\n",
        "X010",
        "warning",
        "main.cf:4:1",
    ),
    (
        "scache -o",
        "",
        "out unix - - y - - smtp -o smtp_connection_cache_destinations=a.test\n",
        "X010",
        "warning",
        "master.cf:20:28",
    ),
    (
        "no proxywrite",
        "address_verify_map = proxy:btree:$data_directory/v\n",
        "verify unix - - y - 1 verify\n",
        "X010",
        "error",
        "main.cf:3:1",
    ),
    (
        "no verify class",
        (
            "smtpd_restriction_classes = v\n"
            "v = reject_unverified_sender\n"
            "smtpd_sender_restrictions = check_sender_access inline:{a.test=v}\n"
        ),
        "",
        "X010",
        "error",
        "main.cf:4:1",
    ),
    (
        "pipe $recipient unknown macro",
        "",
        "p unix - n n - - pipe flags=R user=nobody argv=/bin/true -d ${recipent}\n",
        "M016",
        "error",
        "master.cf:20:61",
    ),
    (
        "pipe size bad",
        "",
        "p unix - n n - - pipe size=1x user=nobody argv=/bin/true\n",
        "M016",
        "error",
        "master.cf:20:23",
    ),
    (
        "pipe postfix user",
        "",
        "p unix - n n - - pipe user=postfix argv=/bin/true\n",
        "M016",
        "error",
        "master.cf:20:23",
    ),
    ("pipe chroot", "", "p unix - n y - - pipe user=nobody argv=/bin/true\n", "M019", "error", "master.cf:20:12"),
    (
        "pipe chroot directory",
        "",
        "p unix - n y - - pipe user=nobody directory=/var/lib/mailman argv=/usr/lib/mailman/bin/x\n",
        "M019",
        "error",
        "master.cf:20:12",
    ),
    (
        "spawn chroot",
        "",
        "p unix - n y - 0 spawn user=nobody argv=/usr/bin/policyd\n",
        "M019",
        "error",
        "master.cf:20:12",
    ),
    ("local chroot", "", "local2 unix - n y - - local\n", "M019", "error", "master.cf:20:17"),
    ("chroot milter local:", "smtpd_milters = local:/run/opendkim/o.sock\n", "", "M007", "warning", "main.cf:3:23"),
    (
        "chroot milter map",
        "smtpd_milter_maps = cidr:{{0.0.0.0/0 unix:/run/x}}\n",
        "",
        "M007",
        "warning",
        "main.cf:3:38",
    ),
    ("chroot milter tmp", "smtpd_milters = unix:/tmp/x.sock\n", "", "M007", "warning", "main.cf:3:22"),
    (
        "chroot policy class",
        (
            "smtpd_restriction_classes = g\n"
            "g = check_policy_service unix:/run/postgrey/s\n"
            "smtpd_client_restrictions = g\n"
        ),
        "",
        "M007",
        "warning",
        "main.cf:4:26",
    ),
    (
        "chroot lmtp table",
        "transport_maps = inline:{{a.test=lmtp:unix:/run/dovecot/lmtp}}\n",
        "",
        "M007",
        "warning",
        "main.cf:3:34",
    ),
    ("chroot socketmap", "virtual_alias_maps = socketmap:unix:/run/x:name\n", "", "M007", "warning", "main.cf:3:22"),
    ("header hash", "header_checks = hash:/etc/postfix/h\n", "", "T015", "warning", "main.cf:3:17"),
    (
        "access client port",
        "smtpd_client_restrictions = check_client_access inline:{{1.2.3.4:25=REJECT}}\n",
        "",
        "T009",
        "warning",
        "main.cf:3:58",
    ),
    (
        "access in []",
        "smtpd_client_restrictions = check_client_access inline:{{[1.2.3.4]=REJECT}}\n",
        "",
        "T009",
        "warning",
        "main.cf:3:58",
    ),
    (
        "virtual value bad",
        "virtual_alias_maps = inline:{{x@a.test=joe@@b.test}}\n",
        "",
        "T008",
        "warning",
        "main.cf:3:40",
    ),
    (
        "canonical 2 values",
        "sender_canonical_maps = inline:{{x@a.test=a@b.test, c@d.test}}\n",
        "",
        "T008",
        "warning",
        "main.cf:3:43",
    ),
    (
        "policy bad proto",
        "smtp_tls_policy_maps = inline:{{a.test=encrypt protocols=TLSv1.9}}\n",
        "",
        "T008",
        "error",
        "main.cf:3:40",
    ),
    (
        "policy fingerprint no match",
        "smtp_tls_policy_maps = inline:{{a.test=fingerprint}}\n",
        "",
        "L014",
        "error",
        "main.cf:3:40",
    ),
    (
        "policy exclude op",
        "smtp_tls_policy_maps = inline:{{a.test=may exclude=!RC4}}\n",
        "",
        "T008",
        "error",
        "main.cf:3:40",
    ),
    (
        "bcc table",
        "recipient_bcc_maps = inline:{{x@a.test=a@b.test, c@b.test}}\n",
        "",
        "T008",
        "warning",
        "main.cf:3:40",
    ),
    ("milter maps", "smtpd_milter_maps = cidr:{{1.0.0.0/8 ofF}}\n", "", "T008", "error", "main.cf:3:38"),
    (
        "command filter / ehlo map",
        "smtpd_discard_ehlo_keyword_address_maps = cidr:{{1.0.0.0/8 startls}}\n",
        "",
        "T008",
        "warning",
        "main.cf:3:60",
    ),
    (
        "delivery filter",
        "default_delivery_status_filter = inline:{{x=6.1.1 foo}}\n",
        "",
        "T015",
        "warning",
        "main.cf:3:34",
    ),
    ("reply filter", "smtp_reply_filter = hash:/etc/x\n", "", "T015", "warning", "main.cf:3:21"),
    (
        "relay_domains value",
        ("relay_domains = inline:{{.a.test=OK}}\nrelay_recipient_maps = inline:{x@a.test=x}\n"),
        "",
        "T009",
        "warning",
        "main.cf:3:26",
    ),
    ("mydestination table addr", "mydestination = inline:{{joe@a.test=x}}\n", "", "T009", "warning", "main.cf:3:26"),
    (
        "mailbox_command_maps key",
        "mailbox_command_maps = inline:{{joe@a.test=/bin/x}}\n",
        "",
        "T009",
        "warning",
        "main.cf:3:33",
    ),
    ("delay warning", "delay_warning_time = 10d\n", "", "Q002", "warning", "main.cf:3:22"),
    (
        "virtual w/o uid",
        ("virtual_mailbox_domains = a.test\nvirtual_mailbox_maps = inline:{x@a.test=x}\nvirtual_mailbox_base = /v\n"),
        "",
        "Q009",
        "error",
        "main.cf:3:1",
    ),
    (
        "virtual w/o base",
        (
            "virtual_mailbox_domains = a.test\n"
            "virtual_mailbox_maps = inline:{x@a.test=x}\n"
            "virtual_uid_maps = static:5000\n"
            "virtual_gid_maps = static:5000\n"
        ),
        "",
        "Q009",
        "error",
        "main.cf:3:1",
    ),
    (
        "virtual uid low",
        (
            "virtual_mailbox_domains = a.test\n"
            "virtual_mailbox_maps = inline:{x@a.test=x}\n"
            "virtual_mailbox_base = /v\n"
            "virtual_uid_maps = static:8\n"
            "virtual_gid_maps = static:8\n"
        ),
        "",
        "Q009",
        "error",
        "main.cf:6:20",
    ),
    (
        "feature: sasl path w/o sasl",
        ("smtpd_sasl_path = private/auth\nsmtpd_sasl_type = dovecot\n"),
        "",
        "Q008",
        "info",
        "main.cf:3:1",
    ),
    ("feature: postscreen w/o", "postscreen_dnsbl_sites = zen.spamhaus.org\n", "", "Q008", "warning", "main.cf:3:1"),
    ("feature: postscreen greet w/o", "postscreen_greet_action = enforce\n", "", "Q008", "warning", "main.cf:3:1"),
    ("feature: masquerade exceptions", "masquerade_exceptions = root\n", "", "Q008", "info", "main.cf:3:1"),
    (
        "feature: relay_recipient_maps w/o domains",
        ("relay_domains =\nrelay_recipient_maps = inline:{x@a.test=x}\n"),
        "",
        "Q008",
        "info",
        "main.cf:4:1",
    ),
    (
        "feature: sender_login_maps unused",
        "smtpd_sender_login_maps = inline:{a@b.test=joe}\n",
        "",
        "Q008",
        "warning",
        "main.cf:3:1",
    ),
    (
        "feature: recipient_delimiter / relay_clientcerts",
        "relay_clientcerts = inline:{aa=bb}\n",
        "",
        "Q008",
        "warning",
        "main.cf:3:1",
    ),
    (
        "feature: sender_dependent_auth",
        "smtp_sender_dependent_authentication = yes\n",
        "",
        "Q008",
        "info",
        "main.cf:3:1",
    ),
    (
        "class circle by table",
        (
            "smtpd_restriction_classes = a, b\n"
            "a = check_sender_access inline:{{x.test=b}}\nb = check_client_access inline:{{y.test=a}}\n"
        ),
        "",
        "R003",
        "error",
        "main.cf:4:5",
    ),
    (
        "catch-all static",
        "smtpd_client_restrictions = check_client_access static:REJECT, permit_mynetworks\n",
        "",
        "R004",
        "warning",
        "main.cf:3:64",
    ),
    (
        "catch-all networks",
        "smtpd_client_restrictions = check_client_access cidr:{{0.0.0.0/0 REJECT},{::/0 REJECT}}, permit\n",
        "",
        "R004",
        "warning",
        "main.cf:3:90",
    ),
    (
        "catch-all pattern",
        "smtpd_sender_restrictions = check_sender_access regexp:{{/^x/ OK},{// 550 no}}, permit\n",
        "",
        "R004",
        "warning",
        "main.cf:3:81",
    ),
    ("held transport", "defer_transports = smtpp\n", "", "F001", "warning", "main.cf:3:20"),
    (
        "filter loop by options",
        "",
        (
            "25 inet n - y - - smtpd -o content_filter=smtp:[127.0.0.1]:10024\n"
            "127.0.0.1:10025 inet n - y - - smtpd -o content_filter=smtp:[127.0.0.1]:10024\n"
        ),
        "F002",
        "error",
        "master.cf:21:56",
    ),
    (
        "policy of recipients",
        "relayhost = [relay.test]:587\nsmtp_tls_policy_maps = inline:{{bank.test=encrypt}}\n",
        "",
        "F007",
        "warning",
        "main.cf:4:43",
    ),
    (
        "policy of routed recipients",
        (
            "transport_maps = inline:{{bank.test=smtp:[mx.partner.test]}}\n"
            "smtp_tls_policy_maps = inline:{{bank.test=encrypt}}\n"
        ),
        "",
        "F007",
        "warning",
        "main.cf:4:43",
    ),
    (
        "no verify table",
        "smtpd_sender_restrictions = check_sender_access inline:{{x.test=reject_unverified_sender}}\n",
        "",
        "X010",
        "error",
        "main.cf:3:1",
    ),
    ("sni value", "tls_server_sni_maps = inline:{{mx.example.net=foo}}\n", "", "T004", "error", "main.cf:3:47"),
    ("port twice", "", "25 inet n - y - - smtpd\n", "M004", "warning", "master.cf:20:1"),
    (
        "address twice",
        "",
        "127.0.0.1:10025 inet n - y - - smtpd\nlocalhost:10025 inet n - y - - smtpd\n",
        "M004",
        "warning",
        "master.cf:21:1",
    ),
    ("top-level relay domain", "relay_domains = a.test com\n", "", "R011", "error", "main.cf:3:24"),
    ("top-level relay key", "relay_domains = inline:{{de=x}}\n", "", "R011", "error", "main.cf:3:17"),
    (
        "braces in a table",
        "smtpd_client_restrictions = check_client_access inline:{x={{OK}}}\n",
        "",
        "T008",
        "error",
        "main.cf:3:59",
    ),
]
LOOKALIKES = [
    # rule, main.cf, more of master.cf
    ("R003", "smtpd_restriction_classes = a\na = check_sender_access inline:{{x.test=REJECT a}}\n", ""),
    ("R004", "smtpd_client_restrictions = check_client_access cidr:{{0.0.0.0/0 REJECT}}, permit\n", ""),
    ("R004", "smtpd_client_restrictions = check_client_access regexp:{{/^x/ DUNNO},{// REJECT}}, permit\n", ""),
    ("R004", "smtpd_client_restrictions = check_client_access regexp:{{/^.$$/ REJECT}}, permit\n", ""),
    ("R004", "smtpd_client_restrictions = check_client_access static:DUNNO, permit\n", ""),
    ("R004", "smtpd_client_restrictions = check_helo_access static:REJECT, permit\n", ""),
    ("R004", "smtpd_data_restrictions = check_recipient_access static:REJECT, permit\n", ""),
    ("R004", "smtpd_client_restrictions = warn_if_reject check_client_access static:REJECT, permit\n", ""),
    ("F001", "defer_transports = smtp, retry\n", ""),
    (
        "F002",
        "",
        "25 inet n - y - - smtpd -o content_filter=x:\n127.0.0.1:10025 inet n - y - - smtpd -o content_filter=x:\n"
        "127.0.0.1:10026 inet n - y - - smtpd\nx unix - n n - - pipe user=nobody argv=/bin/true\n",
    ),
    ("F007", "smtp_tls_policy_maps = inline:{{bank.test=encrypt}}\n", ""),
    (
        "F007",
        "relayhost = [r.test]\ntransport_maps = inline:{{bank.test=smtp:}}\n"
        "smtp_tls_policy_maps = inline:{{bank.test=encrypt},{.org.test=encrypt},{[r.test]=encrypt}}\n",
        "",
    ),
    (
        "F007",
        "relayhost = [r.test]\ntransport_maps = hash:/etc/postfix/transport\n"
        "smtp_tls_policy_maps = inline:{{bank.test=encrypt}}\n",
        "",
    ),
    ("T004", "tls_server_sni_maps = inline:{{mx.example.net=/etc/ssl/a.pem, /etc/ssl/b.pem}}\n", ""),
    ("M004", "", "0.0.0.0:10025 inet n - y - - smtpd\n127.0.0.1:10025 inet n - y - - smtpd\n"),
    ("M004", "inet_interfaces = 192.0.2.1\n", "127.0.0.1:25 inet n - y - - smtpd\n"),
    (
        "Q008",
        "smtpd_sender_login_maps = inline:{a@b.example=joe}\nsmtpd_sender_restrictions = "
        "check_sender_access inline:{b.example=reject_sender_login_mismatch}\n",
        "cleanup unix n - y - 0 cleanup\n",
    ),
    (
        "Q008",
        "smtpd_sender_login_maps = inline:{a@b.example=joe}\n"
        "smtpd_sender_restrictions = check_sender_access hash:/etc/postfix/senders\n",
        "cleanup unix n - y - 0 cleanup\n",
    ),
    ("K015", "smtpd_tls_security_level = mya\n", ""),
    ("R011", "relay_domains = localdomain, lan, a.com\n", ""),
    ("R011", "relay_domains = com\nparent_domain_matches_subdomains =\n", ""),
    ("S013", "header_checks = regexp:{{/x{2}/ OK}}\nalias_maps = static:{{x}}, inline:{x={{y}}}\n", ""),
]


@pytest.mark.parametrize(
    "subject, main_cf, entries, rule, severity, place", MISTAKES, ids=[each[0] for each in MISTAKES]
)
def test_variant_of_a_mistake_is_reported_at_its_place(
    subject: str, main_cf: str, entries: str, rule: str, severity: str, place: str
) -> None:
    checked = run(BASE + main_cf + MASTER + entries, RULES)
    found = {(each.rule, each.severity.word, str(each.span)) for each in checked.findings}
    assert (rule, severity, place) in found, subject


@pytest.mark.parametrize("rule, main_cf, entries", LOOKALIKES)
def test_lookalike_of_a_variant_is_not_reported(rule: str, main_cf: str, entries: str) -> None:
    checked = run(BASE + main_cf + MASTER + entries, RULES)
    assert [str(each.span) for each in checked.findings if each.rule == rule] == []


@pytest.mark.parametrize("main_cf", ["inline:{x={{ action }}}", "inline:{x={{OK}}}\nmyorigin = {{ origin }}", "{{OK}}"])
def test_braces_of_templates_are_still_markup(main_cf: str) -> None:
    checked = run(f"{BASE}alias_maps = {main_cf}\n", RULES)
    assert "S013" in {each.rule for each in checked.findings}
