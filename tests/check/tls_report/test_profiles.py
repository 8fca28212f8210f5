"""Guidelines: violations at their lines, and changes that satisfy a profile when they are made."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from peers.tools.certificates import Identity, name

from tlsproxy.check.command.cli import main
from tlsproxy.check.tls_report.compliance import exclusions
from tlsproxy.check.tls_report.openssl.ciphers import cipher
from tlsproxy.check.tls_report.profiles import profile, profile_names

_CHANGE = re.compile(r"(?:set|and|or) (\w+) = (.*?)(?=, (?:and|or) \w+ |$)")
_OUT_OF_REACH = "Postfix has no parameter"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for kind in ("ec256", "rsa3072"):
        identity = Identity(name("mail.example.com"), kind=kind, hosts=["mail.example.com"], days=(-10, 70))
        (tmp_path / f"{kind}.pem").write_bytes(identity.key_pem + identity.pem)
    return tmp_path


def violations(directory: Path, profile_name: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    main(["-c", str(directory), "--profile", profile_name, "--postfix-version", "3.7", "--format", "jsonl"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("profile_name", profile_names())
def test_changes_satisfy_the_profile(profile_name: str, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each change is made, until no change is left; a key fits every profile but one."""
    key = "rsa3072" if profile_name == "mozilla-old" else "ec256"
    settings = {"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": f"{directory}/{key}.pem"}
    for _ in range(3):
        (directory / "main.cf").write_text("".join(f"{each} = {value}\n" for each, value in settings.items()))
        found = [each for each in violations(directory, profile_name, capsys) if _OUT_OF_REACH not in each["help"]]
        for each in found:
            settings.update(_CHANGE.findall(each["help"])[:1])
    assert not found


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


def test_profiles_say_where_they_come_from() -> None:
    for each in map(profile, profile_names()):
        assert each.source
        assert each.date
        assert each.ciphers is None or cipher("ECDHE-RSA-AES128-GCM-SHA256")
