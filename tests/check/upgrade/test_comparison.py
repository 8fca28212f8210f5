"""Changes of an upgrade: reported if they concern a configuration, once, at the place of the setting."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from postconf.catalogue import release, upstream_releases
from tlsproxy.check import fixes
from tlsproxy.check.facts.filesystem import FileSystem
from tlsproxy.check.findings import Severity
from tlsproxy.check.text.sources import MainFile, MasterFile
from tlsproxy.check.upgrade.change import Change
from tlsproxy.check.upgrade.comparison import Compared, compare
from tlsproxy.check.upgrade.systems import distributions, parse_system

MASTER = """\
smtp inet n - y - - smtpd
pickup unix n - y 60 1 pickup
cleanup unix n - y - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - y 1000? 1 tlsmgr
rewrite unix - - y - - trivial-rewrite
proxymap unix - - n - - proxymap
smtp unix - - y - - smtp
local unix - n n - - local
lmtp unix - - y - - lmtp
verify unix - - y - 1 verify
"""
SCREEN = (
    MASTER.replace("smtp inet n - y - - smtpd\n", "smtp inet n - y - 1 postscreen\nsmtpd pass - - y - - smtpd\n")
    + "tlsproxy unix - - y - 0 tlsproxy\n"
)
TLS = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = /x.pem\n"


def judge(main: str, source: str = "3.7", target: str = "3.10", master: str | None = MASTER) -> Compared:
    return compare(
        MainFile("main.cf", main),
        None if master is None else MasterFile("master.cf", master),
        parse_system(source),
        parse_system(target),
        FileSystem(enabled=False),
    )


def changes(main: str, *arguments: str, **more: Any) -> dict[str, Change]:
    """The changes by their ids and parameters."""
    found = judge(main, *arguments, **more).changes
    counted = Counter((each.finding.rule, each.parameter, str(each.finding.span)) for each in found)
    assert set(counted.values()) <= {1}, counted
    return {each.finding.rule: each for each in found}


def test_changed_default_has_old_and_new_values() -> None:
    found = changes("")["default-smtpd-forbid-bare-newline"]
    assert (found.parameter, found.old, found.new, found.since) == (
        "smtpd_forbid_bare_newline",
        "no",
        "normalize",
        "3.9",
    )
    assert found.finding.severity is Severity.WARNING
    assert found.finding.span.path == "main.cf"


@pytest.mark.parametrize(
    ("main", "id"),
    [
        ("smtpd_forbid_bare_newline = normalize\n", "default-smtpd-forbid-bare-newline"),
        ("smtpd_forbid_bare_newline = no\n", "default-smtpd-forbid-bare-newline"),
        ("", "default-postscreen-forbidden-commands"),
        ("", "default-tls-medium-cipherlist"),
        ("", "default-milter-default-action"),
        ("smtpd_milters = inet:x:1\nmilter_default_action = accept\n", "default-milter-default-action"),
        ("smtp_tls_security_level = may\n", "default-tls-required-enable"),
        ("inet_protocols = ipv4\n", "default-smtpd-client-ipv6-prefix-length"),
        (f"{TLS}smtpd_tls_ciphers = high\n", "default-tls-medium-cipherlist"),
        (f"{TLS}smtpd_tls_mandatory_ciphers = low\n", "cipher-grade-medium"),
        ("smtp_tls_ciphers = medium\n", "cipher-grade-medium"),
        ("smtp_tls_ciphers = export\n", "cipher-grade-medium"),
        ("smtpd_recipient_restrictions = reject_unauth_destination\n", "restriction-removed"),
        ("# smtpd_use_tls = yes\n", "parameter-deprecated"),
        ("virtual_maps = hash:/x\n", "parameter-deprecated"),
        ("alias_maps = hash:/etc/aliases\n", "table-type-missing"),
        ("alias_maps = mysql:/x\n", "pgsql-encoding"),
        ("postscreen_dnsbl_threshold = 0\n", "dnsbl-threshold"),
        ("smtpd_forbid_bare_newline = yes\n", "bare-newline-yes"),
    ],
)
def test_irrelevant_changes_are_not_reported(main: str, id: str) -> None:
    assert id not in changes(main)


@pytest.mark.parametrize(
    ("main", "source", "target", "id", "severity", "since"),
    [
        ("tls_legacy_public_key_fingerprints = yes\n", "3.7", "3.11", "parameter-removed", "ERROR", "3.11"),
        ("tlsproxy_client_loglevel_parameter = x\n", "3.11", "3.12", "parameter-removed", "ERROR", "3.12"),
        ("smtpd_use_tls = yes\n", "3.8", "3.9", "parameter-deprecated", "WARNING", "3.9"),
        ("virtual_maps = static:x\n", "3.10", "3.11", "parameter-deprecated", "WARNING", "3.11"),
        ("tls_required_enable = no\n", "3.9", "3.10", "parameter-known", "WARNING", "3.10"),
        (f"{TLS}smtpd_tls_ciphers = export\n", "3.7", "3.8", "cipher-grade-medium", "WARNING", "3.8"),
        ("smtpd_helo_restrictions = permit_naked_ip_address\n", "3.8", "3.9", "restriction-removed", "ERROR", "3.9"),
        ("smtpd_forbid_bare_newline = yes\n", "3.8.4", "3.8.5", "bare-newline-yes", "WARNING", "3.8.5"),
        ("smtpd_forbid_bare_newline = yes\n", "3.8.4", "3.10", "bare-newline-yes", "WARNING", "3.9.0"),
        ("", "3.8.4", "3.8.5", "default-cleanup-replace-stray-cr-lf", "WARNING", "3.8.5"),
        ("", "3.7.9", "3.10", "default-cleanup-replace-stray-cr-lf", "WARNING", "3.9"),
        ("smtpd_milters = inet:x:1\n", "3.10.7", "3.10.8", "default-milter-default-action", "WARNING", "3.10.8"),
        ("compatibility_level = 3.11\n", "3.10", "3.11", "default-smtp-tls-security-level", "WARNING", "3.11"),
        ("compatibility_level = 3.6\n", "3.10", "3.11", "level-smtp-tls-security-level", "INFO", "3.11"),
        ("virtual_alias_maps = pgsql:/x\n", "3.7", "3.8", "pgsql-encoding", "WARNING", "3.8"),
        ("virtual_alias_maps = proxy:mysql:/x\n", "3.8", "3.9", "mysql-charset", "WARNING", "3.9"),
        ("alias_maps = hash:/etc/aliases\n", "rhel9", "rhel10", "table-type-missing", "ERROR", "3.8.5"),
        ("alias_maps = hash:/etc/aliases\n", "3.7", "alpine3.22", "table-type-missing", "ERROR", "3.10.8"),
        ("", "rhel9", "rhel10", "table-type-default", "WARNING", "3.8.5"),
        ("smtp_bind_address = 192.0.2.1\n", "3.6", "3.7", "bind-address-enforce", "INFO", "3.7"),
        ("lmtp_assume_final = yes\n", "ubuntu20.04", "ubuntu22.04", "lmtp-assume-final", "INFO", "3.5"),
        ("header_checks = pcre:{{/^x/X REJECT}}\n", "3.6", "3.7", "pcre-flag-x", "WARNING", "3.7"),
        (f"{TLS}", "3.10", "3.11", "requiretls-announced", "WARNING", "3.11"),
        ("header_checks = proxy:hash:/x\n", "3.6.5", "3.6.6", "default-proxy-read-maps", "INFO", "3.6.6"),
        ("header_checks = regexp:/x\n", "3.8", "3.9", "two-digit-days", "INFO", "3.9"),
        (
            "smtp_tls_policy_maps = inline:{{x.example=may ciphers=export}}\n",
            *("3.7", "3.8", "cipher-grade-policy", "WARNING", "3.8"),
        ),
        ("multi_instance_directories = /etc/b\n", "debian12", "debian13", "debian-instances", "ERROR", "3.10"),
    ],
)
def test_change_is_reported(main: str, source: str, target: str, id: str, severity: str, since: str) -> None:
    found = changes(main, source, target)[id]
    assert (found.finding.severity.name, found.since) == (severity, since)
    assert found.finding.help


def test_computed_default_is_reported_with_its_chain() -> None:
    found = changes(
        "compatibility_level = 3.11\nsmtp_tls_connection_reuse = yes\nsmtp_tls_policy_maps = static:may\n",
        "3.10",
        "3.11",
    )
    change = found["default-smtp-tls-security-level"]
    assert (change.old, change.new) == ("", "may")
    assert [(str(span), note) for span, note in change.finding.related][-1] == (
        "main.cf:1:23",
        "compatibility_level = 3.11",
    )


def test_services_that_override_a_default_are_not_concerned() -> None:
    quiet = MASTER.replace("smtpd\n", "smtpd\n  -o smtpd_forbid_unauth_pipelining=no\n")
    assert "default-smtpd-forbid-unauth-pipelining" not in changes("", master=quiet)
    louder = quiet + "587 inet n - y - - smtpd\n"
    assert "default-smtpd-forbid-unauth-pipelining" in changes("", master=louder)


def test_derived_default_has_the_reason_of_its_reference() -> None:
    found = changes("", "3.5", "3.8", master=SCREEN)["default-postscreen-forbidden-commands"]
    assert found.since == "3.7"
    assert "does not begin with a letter" in found.finding.message
    # Fingerprints of clients: no service asks for them here.
    tls = f"compatibility_level = 3.6\npostscreen_tls_security_level = may\n{TLS}"
    assert "default-tlsproxy-tls-fingerprint-digest" not in changes(tls, "3.5", "3.8", master=SCREEN)
    asked = changes(f"{tls}smtpd_tls_ask_ccert = yes\n", "3.5", "3.8", master=SCREEN)
    assert asked["default-tlsproxy-tls-fingerprint-digest"].since == "3.6"


def test_postscreen_is_concerned_where_it_runs() -> None:
    assert "dnsbl-threshold" in changes("postscreen_dnsbl_threshold = 0\n", "3.6.7", "3.8", master=SCREEN)
    assert "default-respectful-logging" in changes("compatibility_level = 3.6\n", "3.5", "3.6", master=SCREEN)


def test_protocol_lists_that_mean_the_same_are_information() -> None:
    found = changes(TLS, "3.5", "3.6")["default-smtpd-tls-protocols"]
    assert (found.old, found.new) == ("!SSLv2, !SSLv3", ">=TLSv1")
    assert found.finding.severity is Severity.INFO


def test_table_by_reference_is_reported_where_it_is_written() -> None:
    main = "dir = /etc/postfix\nvirtual_alias_maps = hash:$dir/virtual\nlocal_recipient_maps = $virtual_alias_maps\n"
    found = [each for each in judge(main, "rhel9", "rhel10").changes if each.finding.rule == "table-type-missing"]
    assert [(each.parameter, each.finding.span.line, each.old) for each in found] == [
        ("virtual_alias_maps", 2, "hash:/etc/postfix/virtual")
    ]


def test_change_of_several_settings_is_one_item() -> None:
    master = MASTER.replace("0 cleanup\n", "0 cleanup\n  -o header_checks=regexp:/y\n")
    found = changes("header_checks = regexp:/x\n", "3.8", "3.9", master=master)["two-digit-days"].finding
    assert (str(found.span), len(found.related)) == ("main.cf:1:17", 1)


def test_tables_within_others_are_found() -> None:
    main = "virtual_alias_maps = unionmap:{hash:/a, proxy:btree:/b, regexp:/c}\nalias_maps =\nalias_database =\n"
    found = [each for each in judge(main, "rhel9", "rhel10").changes if each.finding.rule.startswith("table-type")]
    assert [(each.old, each.finding.span.column) for each in found] == [("hash:/a", 32), ("proxy:btree:/b", 41)]
    assert "unionmap:{lmdb:/a, proxy:lmdb:/b, regexp:/c}" in fixed(main, "rhel9", "rhel10", unsafe=True)


def test_default_cache_of_a_type_that_is_gone_is_reported() -> None:
    found = [each for each in judge("", "rhel9", "rhel10", SCREEN).changes if each.finding.rule == "table-type-default"]
    assert {each.parameter for each in found} == {"alias_maps", "alias_database", "postscreen_cache_map"}


def test_name_that_others_refer_to_is_not_renamed() -> None:
    main = "virtual_maps = static:x\nvirtual_mailbox_maps = $virtual_maps\n"
    assert fixed(main, "3.7", "3.11") == main


def test_without_a_main_file_nothing_is_said_of_defaults() -> None:
    master = MasterFile("master.cf", MASTER.replace("smtpd\n", "smtpd\n  -o smtpd_use_tls=yes\n"))
    found = compare(None, master, parse_system("3.7"), parse_system("3.10"), FileSystem(enabled=False)).changes
    assert [each.finding.rule for each in found] == ["parameter-deprecated"]


def fixed(main: str, source: str, target: str, *, unsafe: bool = False) -> str:
    compared = judge(main, source, target)
    return fixes.apply(compared.sources[0], fixes.usable(compared.findings, unsafe=unsafe))


@pytest.mark.parametrize(
    ("before", "source", "target", "after"),
    [
        ("smtpd_use_tls = yes\n", "3.7", "3.10", "smtpd_tls_security_level = may\n"),
        ("virtual_maps = static:x\n", "3.7", "3.11", "virtual_alias_maps = static:x\n"),
        ("postscreen_blacklist_action = drop\n", "3.5", "3.6", "postscreen_denylist_action = drop\n"),
        ("tls_legacy_public_key_fingerprints = no\nx = y\n", "3.10", "3.11", "x = y\n"),
        (f"{TLS}smtpd_tls_ciphers = low\n", "3.7", "3.8", f"{TLS}smtpd_tls_ciphers = medium\n"),
        ("disable_dns_lookups = no\n", "3.7", "3.10", ""),
        ("smtpd_tls_eecdh_grade = auto\n", "3.7", "3.10", ""),
        ("smtpd_tls_dh1024_param_file = /dh.pem\n", "3.7", "3.10", "smtpd_tls_dh1024_param_file = /dh.pem\n"),
        ("smtp_tls_per_site = hash:/x\n", "3.7", "3.10", "smtp_tls_per_site = hash:/x\n"),
    ],
)
def test_safe_fix_writes_the_replacement(before: str, source: str, target: str, after: str) -> None:
    assert fixed(before, source, target) == after


def test_table_type_is_replaced_on_demand_only() -> None:
    main = "alias_maps = hash:/etc/aliases, nis:x\n"
    assert fixed(main, "rhel9", "rhel10") == main
    assert fixed(main, "rhel9", "rhel10", unsafe=True) == "alias_maps = lmdb:/etc/aliases, nis:x\n"


def test_without_a_master_file_usual_services_are_assumed() -> None:
    assert "default-smtpd-forbid-bare-newline" in changes("", master=None)
    assert "default-postscreen-forbidden-commands" not in changes("", "3.6", "3.7", master=None)


def test_templates_are_judged_where_their_lines_are_fixed() -> None:
    found = changes("smtpd_use_tls = {{ tls }}\nsmtp_use_tls = yes\n")
    assert found["parameter-deprecated"].finding.span.line == 2


@pytest.mark.parametrize("version", upstream_releases())
def test_release_changes_nothing_against_itself(version: str) -> None:
    main = "smtpd_use_tls = yes\nvirtual_maps = hash:/x\n" + TLS
    assert judge(main, version, version).changes == []


@pytest.mark.parametrize("parameter", sorted(release("3.12").deprecated()))
def test_each_deprecated_name_is_reported(parameter: str) -> None:
    if parameter == "deleted-test-only":
        pytest.skip("a name of Postfix's own tests")
    found = changes(f"{parameter} = yes\n", "3.5", "3.12")
    assert {"parameter-deprecated", "parameter-removed"}.intersection(found)


NAMES = st.sampled_from(
    sorted({*release("3.5").defaults, *release("3.12").defaults, *release("3.12").legacy(), "mine"})
)
VALUES = st.sampled_from(
    ["", "yes", "no", "may", "dane", "export", "0", "hash:/x", "${hash}:/x", "$mine", "pcre:{{/x/X}}", "}", "${", "{"]
)


@hypothesis.settings(deadline=None, max_examples=150)
@hypothesis.given(
    st.lists(st.tuples(NAMES, VALUES), max_size=6),
    st.sampled_from([*upstream_releases(), *(system.name for system in distributions())]),
)
def test_any_configuration_is_compared(settings: list[tuple[str, str]], target: str) -> None:
    main = "".join(f"{name} = {value}\n" for name, value in settings)
    found = judge(main, "ubuntu20.04", target).changes
    keys = [(each.finding.rule, each.parameter, each.finding.span) for each in found]
    assert len(keys) == len(set(keys))
    for each in found:
        assert each.since
        assert each.parameter
        assert 0 <= each.finding.span.line <= len(settings) + 1


def test_lines_of_tables_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "checks").write_text("# comment\n/^a/ OK\n/^b/X REJECT\n")
    found = compare(
        MainFile("main.cf", f"header_checks = pcre:{tmp_path}/checks\n"),
        None,
        parse_system("3.6"),
        parse_system("3.7"),
        FileSystem(),
    ).changes
    [line] = [each for each in found if each.finding.rule == "pcre-flag-x"]
    assert (line.finding.span.path, line.finding.span.line, line.old) == (f"{tmp_path}/checks", 3, "/^b/X REJECT")
