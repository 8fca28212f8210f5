"""Guidelines: violations at their lines, and changes that satisfy a profile when they are made."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from check.tls_report.configurations import configuration
from check.tls_report.side_by_side import make_certificates
from peers.tools.certificates import Identity, name

from postconf.catalogue import release
from tlsproxy.check.command.cli import main
from tlsproxy.check.context import Context, Options
from tlsproxy.check.facts.filesystem import FileSystem
from tlsproxy.check.fixes import apply, usable
from tlsproxy.check.text.sources import MainFile, MasterFile
from tlsproxy.check.tls_report.guidelines.compliance import comply
from tlsproxy.check.tls_report.guidelines.exclusions import exclusions
from tlsproxy.check.tls_report.guidelines.profiles import profile, profile_names
from tlsproxy.check.tls_report.openssl.library import Bundled


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for kind in ("ec256", "rsa3072"):
        identity = Identity(name("mail.example.com"), kind=kind, hosts=["mail.example.com"], days=(-10, 70))
        (tmp_path / f"{kind}.pem").write_bytes(identity.key_pem + identity.pem)
    return tmp_path


def violations(directory: Path, profile_name: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    main(["-c", str(directory), "--profile", profile_name, "--postfix-version", "3.7", "--format", "jsonl"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("pki")).directory


def contexts(pki: Path, seed: int, version: str) -> tuple[str, str, Callable[[str, str], Context]]:
    """Return main.cf and master.cf of two services, and a function that makes a context of such texts."""
    chance = random.Random(seed)
    first, second = configuration(seed), sorted(configuration(seed + 10_000).items())
    overrides = chance.sample(second, min(3, len(second)))
    main_cf = "".join(f"{each} = {value}\n" for each, value in first.items())
    master_cf = "smtp inet n - n - - smtpd\nsubmission inet n - n - - smtpd\n"
    master_cf += "".join(f"  -o {{ {each} = {value} }}\n" for each, value in overrides)

    def make(main_cf: str, master_cf: str) -> Context:
        options = Options(directory="/etc/postfix")
        main, master = MainFile("main.cf", main_cf), MasterFile("master.cf", master_cf)
        return Context(main, master, release(version), FileSystem(), options)

    return main_cf.replace("{pki}", str(pki)), master_cf.replace("{pki}", str(pki)), make


@pytest.mark.parametrize("profile_name", profile_names())
def test_fixes_end_violations_that_settings_can_end(profile_name: str, pki: Path) -> None:
    """Of generated configurations, for old and new releases: nothing is left that a setting could end."""
    for seed in range(8):
        main_cf, master_cf, make = contexts(pki, seed, "3.5" if seed % 4 == 3 else "3.10")
        context = make(main_cf, master_cf)
        found = comply(context, Bundled(), profile(profile_name)).findings
        edits = usable(found, unsafe=True)
        assert context.master
        changed = make(apply(context.main, edits), apply(context.master, edits))
        left = comply(changed, Bundled(), profile(profile_name)).findings
        assert not [each for each in left if each.fix]
        assert not {each.message for each in left} & {each.message for each in found if each.fix}


def test_fix_makes_one_value_of_several_services(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "main.cf").write_text(
        f"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {directory}/rsa3072.pem\n"
        "tls_preempt_cipherlist = yes\nsmtpd_tls_protocols = >=TLSv1\n"
    )
    (directory / "master.cf").write_text(
        "smtp inet n - n - - smtpd\n2525 inet n - n - - smtpd\n  -o smtpd_tls_protocols=!SSLv3\n"
        "  -o smtpd_tls_ciphers=low\n"
    )
    arguments = ["-c", str(directory), "--profile", "ncsc-nl-sufficient", "--postfix-version", "3.7"]
    assert main([*arguments, "--fix"]) == 0
    assert main(arguments) == 0
    capsys.readouterr()
    assert "smtpd_tls_protocols = >=TLSv1.2\n" in (directory / "main.cf").read_text()
    assert "-o smtpd_tls_protocols=>=TLSv1.2\n" in (directory / "master.cf").read_text()


def test_fix_of_35_has_a_list_that_35_reads(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "main.cf").write_text(
        f"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {directory}/ec256.pem\n"
    )
    assert main(["-c", str(directory), "--profile", "rfc9325", "--postfix-version", "3.5"]) == 1
    assert "set smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1" in capsys.readouterr().out


def test_change_that_would_end_all_tls_is_not_proposed(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "main.cf").write_text(
        f"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {directory}/ec256.pem\n"
        "tls_medium_cipherlist = ECDHE-ECDSA-AES128-SHA\nsmtpd_tls_protocols = TLSv1.2\n"
    )
    found = {each["rule"]: each for each in violations(directory, "mozilla-intermediate", capsys)}
    assert found["G002"]["help"].startswith("no cipher would be left for TLSv1.2")


def test_violation_is_where_the_setting_is(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "main.cf").write_text(
        "smtpd_tls_security_level = may\n"
        f"smtpd_tls_chain_files = {directory}/ec256.pem\n"
        "smtpd_tls_protocols = >=TLSv1.1\n"
        "smtpd_tls_exclude_ciphers = aNULL, ARIA\n"
    )
    found = {each["rule"]: each for each in violations(directory, "mozilla-intermediate", capsys)}
    assert (found["G001"]["line"], found["G001"]["help"]) == (3, "set smtpd_tls_protocols = >=TLSv1.2")
    assert found["G002"]["line"] == 4
    assert found["G002"]["help"].startswith("set smtpd_tls_exclude_ciphers = aNULL, ARIA, ")


def test_violation_ends_with_status_1_in_sarif(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "main.cf").write_text(
        f"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {directory}/ec256.pem\n"
    )
    assert main(["-c", str(directory), "--profile", "rfc9325", "--format", "sarif"]) == 1
    run = json.loads(capsys.readouterr().out)["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert {rules[each["ruleIndex"]]["id"] for each in run["results"]} <= {"G001", "G002", "G003", "G004", "G005"}


def test_unknown_profile_is_a_usage_error(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-c", str(directory), "--profile", "mozilla"]) == 2
    assert "mozilla-modern" in capsys.readouterr().err


def test_exclusions_hit_exactly_the_bad_ciphers() -> None:
    bad, good = ["ADH-AES256-SHA", "AECDH-AES128-SHA", "AES256-SHA"], ["ECDHE-RSA-AES256-SHA"]
    assert exclusions(bad, good) == ["aNULL", "AES256-SHA"]


SUITES = "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"


def test_profiles_say_where_they_come_from() -> None:
    for each in map(profile, profile_names()):
        assert each.source
        assert each.date.year >= 2016
        assert each.ciphers is None or any(each.ciphers.fullmatch(suite) for suite in SUITES), each.name


@pytest.mark.parametrize(
    ("name", "suite"),
    [
        ("ncsc-nl-sufficient", "DHE-RSA-AES128-CCM"),
        ("ncsc-nl-sufficient", "ECDHE-RSA-CAMELLIA256-SHA384"),
        ("ncsc-nl-phase-out", "CAMELLIA128-SHA"),
        ("rfc9325", "ECDHE-ARIA128-GCM-SHA256"),
    ],
)
def test_suites_that_a_guideline_tolerates_are_allowed(name: str, suite: str) -> None:
    ciphers = profile(name).ciphers
    assert ciphers
    assert ciphers.fullmatch(suite)


def test_curves_below_224_bits_violate_rfc_9325() -> None:
    found = profile("rfc9325")
    for curves in (found.groups, found.curves):
        assert curves
        assert {"secp224r1", "prime256v1", "secp521r1"} <= {*curves}
        assert not {"prime192v1", "secp192k1", "sect163r2"} & {*curves}


def test_ccm_8_violates_ncsc_nl_at_every_level() -> None:
    for level in ("good", "sufficient", "phase-out"):
        suites = profile(f"ncsc-nl-{level}").tls13
        assert suites
        assert "TLS_AES_128_CCM_SHA256" in suites
        assert "TLS_AES_128_CCM_8_SHA256" not in suites


def test_nist_wants_keys_on_two_curves_for_three_years() -> None:
    found = profile("nist-sp-800-52r2")
    assert (found.keys, found.curves, found.days) == (("ECDSA", "RSA"), ("prime256v1", "secp384r1"), 3 * 365)


@pytest.mark.parametrize(
    "main_cf, printed",
    [
        ("smtpd_tls_security_level = none\n", "no service offers TLS, so nothing was compared with mozilla-old"),
        ("smtpd_tls_security_level = may\nsmtpd_tls_cert_file = none\n", "1 service compared with mozilla-old"),
    ],
)
def test_profile_reports_how_many_services_were_compared(
    main_cf: str, printed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\n" + main_cf)
    (tmp_path / "master.cf").write_text("smtp inet n - n - - smtpd\n")
    main(["--no-fs", "-c", str(tmp_path), "--profile", "mozilla-old"])
    assert capsys.readouterr().err == f"tlsproxy-check: {printed}\n"
