"""The command: formats, services, origins, and files that can't be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from peers.tools.certificates import Identity, name

from tlsproxy.check.command.cli import main
from tlsproxy.check.text.sources import MOST_CHARACTERS

MASTER = """\
smtp      inet  n  -  n  -  1  postscreen
smtpd     pass  -  -  n  -  -  smtpd
tlsproxy  unix  -  -  n  -  0  tlsproxy
submission inet n  -  n  -  -  smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_mandatory_ciphers=high
smtps     inet  n  -  n  -  -  smtpd
  -o smtpd_tls_wrappermode=yes
plain     inet  n  -  n  -  -  smtpd
  -o smtpd_tls_security_level=none
smtp      unix  -  -  n  -  -  smtp
lmtp      unix  -  -  n  -  -  lmtp
"""
MAIN = """\
smtpd_tls_security_level = may
smtpd_tls_chain_files = {directory}/chain.pem
postscreen_tls_security_level = may
smtp_tls_security_level = dane
smtp_tls_policy_maps = texthash:{directory}/policy
lmtp_tls_security_level = encrypt
tls_server_sni_maps = texthash:{directory}/names
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    chain = Identity(name("mail.example.com"), hosts=["mail.example.com", "mx.example.com"])
    other = Identity(name("other.example"), hosts=["other.example"], kind="rsa2048")
    (tmp_path / "chain.pem").write_bytes(chain.key_pem + chain.pem)
    (tmp_path / "other.pem").write_bytes(other.key_pem + other.pem)
    (tmp_path / "names").write_text(f"other.example {tmp_path}/other.pem\n")
    (tmp_path / "policy").write_text("# policies\nexample.net secure protocols=TLSv1.3\nexample.org none\n")
    (tmp_path / "main.cf").write_text(MAIN.format(directory=tmp_path))
    (tmp_path / "master.cf").write_text(MASTER)
    return tmp_path


def report(directory: Path, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, dict[str, Any]]:
    assert main(["-c", str(directory), "--tls-report", "--format", "json", "--postfix-version", "3.7", *options]) == 0
    made = json.loads(capsys.readouterr().out)
    assert list(made) == ["openssl", "services"]
    return {f"{each['service']} {each['role']}": each for each in made["services"]}


def test_services_of_every_kind_are_reported(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert {name: each["level"] for name, each in report(directory, capsys).items()} == {
        "smtp/inet server": "may",
        "smtpd/pass server": "may",
        "tlsproxy/unix server": "may",
        "submission/inet server": "encrypt",
        "smtps/inet server": "encrypt",
        "smtp/unix client": "dane",
        "smtp/unix example.net client": "secure",
        "lmtp/unix client": "encrypt",
        "tlsproxy/unix client": "dane",
    }


def test_settings_of_a_service_decide_for_it_only(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = report(directory, capsys)
    submission = found["submission/inet server"]
    assert submission["origins"]["smtpd_tls_mandatory_ciphers"] == f"{directory}/master.cf:6"
    assert submission["origins"]["smtpd_tls_chain_files"] == f"{directory}/main.cf:2"
    assert "smtpd_tls_mandatory_ciphers" not in found["smtps/inet server"]["origins"]


def test_policy_entry_decides_with_its_own_line(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = report(directory, capsys)["smtp/unix example.net client"]
    assert policy["protocols"] == ["TLSv1.3"]
    assert policy["origins"]["smtp_tls_policy_maps"] == f"{directory}/policy:2"


def test_certificates_are_listed_by_server_name(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certificates = report(directory, capsys)["smtps/inet server"]["certificates"]
    assert [(each["server_name"], each["algorithm"], each["bits"], each["names"]) for each in certificates] == [
        ("", "ECDSA", 256, ["mail.example.com", "mx.example.com"]),
        ("other.example", "RSA", 2048, ["other.example"]),
    ]
    assert certificates[0]["not_after"].endswith("Z")


def test_without_files_the_usual_keys_are_assumed(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = report(directory, capsys, "--no-fs")["smtps/inet server"]
    assert server["protocols"]
    assert server["certificates"][0]["not_after"] is None


def test_files_of_an_image_are_below_its_root(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Certificates, those of names and of the client roles among them."""
    image = directory / "image"
    (image / "etc").mkdir(parents=True)
    for each in ("chain.pem", "other.pem", "names", "policy", "main.cf", "master.cf"):
        file = directory / each
        file.rename(image / "etc" / each)
        text = (image / "etc" / each).read_text()
        (image / "etc" / each).write_text(text.replace(str(directory), "/etc"))
    with (image / "etc/main.cf").open("a") as main_cf:
        main_cf.write("smtp_tls_chain_files = /etc/chain.pem\n")
    found = report(image / "etc", capsys, "--root", str(image))
    names = {name: [each["names"][0] for each in service["certificates"]] for name, service in found.items()}
    both = ["mail.example.com", "other.example"]
    assert names["smtps/inet server"] == names["smtp/inet server"] == names["tlsproxy/unix server"] == both
    assert names["smtp/unix client"] == names["tlsproxy/unix client"] == ["mail.example.com"]


def test_program_other_than_openssl_is_a_usage_error(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for program, problem in (("/nonexistent", "No such file"), ("/bin/echo", "is not openssl")):
        assert main(["-c", str(directory), "--tls-report", "--openssl", program]) == 2
        assert problem in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("exec cat /dev/zero", "writes more than"),
        ("cat /dev/zero >&2", "writes more than"),
        ("sleep 600 & echo OpenSSL 3.0.2", "no answer within"),
        ("exec >&- 2>&-; sleep 600", "no answer within"),
        ("kill -9 $$", "is not openssl"),
    ],
    ids=["endless output", "endless errors", "child with the output", "closed output", "killed"],
)
def test_program_without_an_end_is_stopped(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str, problem: str
) -> None:
    monkeypatch.setattr("tlsproxy.check.tls_report.openssl.running._PATIENCE", 1.0)
    program = directory / "program"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    assert main(["-c", str(directory), "--tls-report", "--openssl", str(program)]) == 2
    assert problem in capsys.readouterr().err


def test_program_is_asked_for_a_bounded_number_of_groups(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tlsproxy.check.tls_report.openssl.library._MOST_GROUPS", 3)
    asked = directory / "asked"
    program = directory / "program"
    program.write_text(f"#!/bin/sh\necho $1 >> {asked}\necho OpenSSL 3.0.2\n")
    program.chmod(0o755)
    with (directory / "main.cf").open("a") as main_cf:
        main_cf.write(f"tls_eecdh_auto_curves = {' '.join(f'X{number}MLKEM' for number in range(20))}\n")
    assert main(["-c", str(directory), "--tls-report", "--openssl", str(program)]) == 0
    assert capsys.readouterr().out.startswith("OpenSSL 3.0.2\n")
    assert asked.read_text().split().count("s_client") == 3


@pytest.mark.parametrize("option", [["--tls-report"], ["--profile", "rfc9325"], ["--upgrade", "3.10"]])
def test_report_of_a_part_of_a_file_is_refused(
    directory: Path, capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    with (directory / "main.cf").open("a") as main_cf:
        main_cf.write("#" * MOST_CHARACTERS)
    assert main(["-c", str(directory), *option]) == 3
    assert "main.cf: too large to be reported" in capsys.readouterr().err


def test_text_shows_equal_services_once(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-c", str(directory), "--tls-report", "--postfix-version", "3.7"]) == 0
    assert "\nsmtpd/pass: server, level may\n" in capsys.readouterr().out


def test_page_shows_odd_names_as_text(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "policy").write_text("<script>alert(1)</script> encrypt\n")
    assert main(["-c", str(directory), "--tls-report", "--format", "html"]) == 0
    page = capsys.readouterr().out
    assert "&lt;script&gt;" in page
    assert "<script" not in page


def test_anonymous_dhe_is_as_strong_as_its_cipher(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """OpenSSL takes 1024 bits for an anonymous cipher of 128, with any certificate."""
    options = ["-c", str(directory), "--tls-report", "--postfix-version", "3.7", "--openssl", "openssl"]
    assert main(options) == 0
    assert "finite field    1024 bits up to TLSv1.2" in capsys.readouterr().out


@pytest.mark.parametrize("option", [["--tls-report"], ["--profile", "rfc9325"]])
def test_report_of_too_many_services_is_refused(
    directory: Path, capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    with (directory / "master.cf").open("a") as master_cf:
        master_cf.write("".join(f"{number} inet n - n - - smtpd\n" for number in range(1001)))
    assert main(["-c", str(directory), *option]) == 3
    assert "more than 1,000 services are too many" in capsys.readouterr().err


def test_report_of_a_huge_list_is_refused(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (directory / "main.cf").open("a") as main_cf:
        main_cf.write(f"smtpd_tls_exclude_ciphers = {'x ' * 6000}\n")
    assert main(["-c", str(directory), "--tls-report"]) == 3
    assert "the value of smtpd_tls_exclude_ciphers is too long" in capsys.readouterr().err
