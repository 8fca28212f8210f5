"""Findings about other files: certificates, tables, and files that a user may not read."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from check.examples import run
from peers.tools.certificates import Identity, name
from peers.tools.users import unprivileged

from postconf.catalogue import release
from tlsproxy.check.command.cli import main
from tlsproxy.check.context import Options
from tlsproxy.check.engine import check
from tlsproxy.check.facts.filesystem import FileSystem
from tlsproxy.check.rule import all_rules
from tlsproxy.check.text.sources import MainFile

RULES = [rule for rule in all_rules() if not rule.optional]


class OthersFiles(FileSystem):
    """Files that do not belong to root."""

    def stat(self, path: str) -> os.stat_result:
        facts = list(super().stat(path))
        facts[4] = 1000
        return os.stat_result(facts)


@pytest.mark.parametrize("files", [FileSystem, OthersFiles])
def test_plug_ins_belong_to_root(files: type[FileSystem], tmp_path: Path) -> None:
    (tmp_path / "etc/postfix").mkdir(parents=True)
    (tmp_path / "etc/postfix/dynamicmaps.cf").write_text("")
    os.chown(tmp_path / "etc/postfix/dynamicmaps.cf", os.geteuid(), -1)
    if files is FileSystem and os.geteuid() != 0:
        pytest.skip("files of this user are not root's")
    result = check(
        MainFile("main.cf", ""),
        None,
        [rule for rule in RULES if rule.id == "T007"],
        release("3.7"),
        files(str(tmp_path)),
        options=Options(directory="/etc/postfix"),
    )
    assert len(result.findings) == (files is OthersFiles)


def rules_of(text: str, directory: Path) -> set[str]:
    return {finding.rule for finding in run(text, RULES, directory).findings}


def test_table_of_certificates_is_compared_with_their_files(
    tmp_path: Path, certificate_files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from maps.command.cli import main as postmap

    monkeypatch.setenv("MAIL_CONFIG", str(tmp_path))  # which the command sets as well: not for the tests after this one

    for file in ("chain.pem", "full.pem"):
        (tmp_path / file).write_bytes(certificate_files[file])
    (tmp_path / "main.cf").write_text("")
    (tmp_path / "sni").write_text(f"mail.example.com {tmp_path}/chain.pem\n")
    text = "tls_server_sni_maps = hash:$config_directory/sni\n"
    assert "T003" in rules_of(text, tmp_path)
    assert not postmap(["-c", str(tmp_path), f"hash:{tmp_path}/sni"])
    assert "T004" in rules_of(text, tmp_path), "the values are names of files"
    assert not postmap(["-c", str(tmp_path), "-F", f"hash:{tmp_path}/sni"])
    assert "T004" not in rules_of(text, tmp_path)
    (tmp_path / "chain.pem").write_bytes(certificate_files["full.pem"])
    assert "T004" in rules_of(text, tmp_path), "the certificate was renewed"


def test_mistakes_in_tables_are_shown_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "policy").write_text(
        "# levels\nexample.com may\nexample.net encrypt\n  protocols=TLSv1.2 cipher=high\n"
    )
    (tmp_path / "headers").write_text("/good/ REJECT\n/ba(d/ REJECT\n")
    text = (
        "smtp_tls_policy_maps = texthash:$config_directory/policy\nheader_checks = regexp:$config_directory/headers\n"
    )
    found = {finding.rule: finding for finding in run(text, RULES, tmp_path).findings}
    assert str(found["L010"].span).startswith(f"{tmp_path}/policy:3")
    assert "example.net" in found["L010"].message
    assert str(found["T006"].span) == f"{tmp_path}/headers:2"


def test_stale_table_is_reported(tmp_path: Path) -> None:
    (tmp_path / "transport").write_text("example.com smtp:\n")
    (tmp_path / "transport.db").write_text("")
    text = "transport_maps = hash:$config_directory/transport\n"
    os.utime(tmp_path / "transport.db", (1, 1))
    assert "T003" in rules_of(text, tmp_path)
    os.utime(tmp_path / "transport", (1, 1))
    assert "T003" not in rules_of(text, tmp_path)


def certified(directory: Path, identity: Identity, more: str = "", version: str = "3.7") -> dict[str, str]:
    """Return the findings for a server with one key and certificate: rule → message."""
    chain = directory / "own.pem"
    chain.write_bytes(identity.key_pem + identity.pem)
    chain.chmod(0o600)
    text = f"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {chain}\n{more}"
    return {finding.rule: finding.message for finding in run(text, RULES, directory, version).findings}


@pytest.mark.parametrize(
    "kind, exclusions, is_found",
    [
        ("ec256", "aECDSA", True),
        ("ec256", "aRSA", False),
        ("rsa2048", "aRSA", True),
        ("rsa2048", "kEECDH, kEDH", False),
        ("rsa2048", "kEECDH, kEDH, kRSA", True),
        ("rsa2048", "aECDSA", False),
    ],
)
def test_exclusions_that_leave_no_cipher_for_the_key_are_found(
    kind: str, exclusions: str, is_found: bool, tmp_path: Path
) -> None:
    identity = Identity(name("mail.example.com"), kind=kind)
    setting = f"smtpd_tls_exclude_ciphers = {exclusions}\n"
    assert ("P009" in certified(tmp_path, identity, setting)) is is_found
    assert "P009" not in certified(tmp_path, identity, setting + "smtpd_tls_protocols = >=TLSv1.3\n")


@pytest.mark.parametrize(
    "own, found",
    [
        ("", set()),
        ("smtpd_tls_security_level=encrypt", set()),
        ("smtpd_tls_exclude_ciphers=aECDSA", {"P009"}),
        ("smtpd_tls_chain_files={}/two-keys.pem", {"K005"}),
        ("tls_high_cipherlist=nothing -o smtpd_tls_ciphers=high", {"P009"}),
        ("smtpd_tls_CAfile={}/key.pem", {"K017"}),
    ],
)
def test_right_service_does_not_excuse_a_wrong_one(
    own: str, found: set[str], tmp_path: Path, certificate_files: dict[str, bytes]
) -> None:
    for file, content in certificate_files.items():
        (tmp_path / file).write_bytes(content)
    text = (
        "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/chain.pem\n"
        "--- master.cf\nsmtp inet n - y - - smtpd\nsubmission inet n - y - - smtpd\n"
    )
    options = f"  -o {own.format(tmp_path)}\n" if own else ""
    assert rules_of(text + options, tmp_path) & {"K003", "K005", "K017", "P009"} == found


@pytest.mark.parametrize("own", ["smtpd_tls_session_cache_database", "smtpd_tls_session_cache_timeout"])
@pytest.mark.parametrize("first", [True, False])
def test_service_with_settings_of_tlsmgr_is_checked_too(
    own: str, first: bool, tmp_path: Path, certificate_files: dict[str, bytes]
) -> None:
    (tmp_path / "chain.pem").write_bytes(certificate_files["chain.pem"])
    text = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/chain.pem\n--- master.cf\n"
    text += "smtp inet n - y - - smtpd\n  -o smtpd_tls_exclude_ciphers=aECDSA\n" if first else ""
    text += f"submission inet n - y - - smtpd\n  -o smtpd_tls_exclude_ciphers=aECDSA\n  -o {own}=${{x?{{y}}\n"
    found = [(each.rule, each.span.line) for each in run(text, RULES, tmp_path).findings]
    lines = [2, 4] if first else [2]
    assert [line for rule, line in found if rule == "P009"] == lines
    assert ("S006", lines[-1] + 1) in found


def test_one_curve_is_not_enough_for_a_key_on_another(tmp_path: Path) -> None:
    identity = Identity(name("mail.example.com"), kind="ec384")
    strong = "smtpd_tls_eecdh_grade = strong\n"
    assert "K011" in certified(tmp_path, identity, strong, "3.5")
    assert "K011" not in certified(tmp_path, identity, strong, "3.7")
    assert "K011" not in certified(tmp_path, identity, "smtpd_tls_eecdh_grade = ultra\n", "3.5")
    assert "is ignored" in certified(tmp_path, identity, strong, "3.7")["P010"]
    assert "one curve" in certified(tmp_path, identity, strong, "3.5")["P010"]


def test_key_readable_by_mail_owner_is_found(tmp_path: Path) -> None:
    identity = Identity(name("mail.example.com"))
    me = pwd.getpwuid(os.geteuid()).pw_name
    assert "K008" not in certified(tmp_path, identity, "mail_owner = no-such-user\n")
    assert f"{me} can read" in certified(tmp_path, identity, f"mail_owner = {me}\n")["K008"]


def test_files_that_the_user_may_not_read_are_reported(
    public_path: Path, certificate_files: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    chain, main_cf = public_path / "chain.pem", public_path / "main.cf"
    chain.write_bytes(certificate_files["mismatch.pem"])
    chain.chmod(0o600)
    main_cf.write_text(f"compatibility_level = 3.7\nsmtpd_tls_security_level = may\nsmtpd_tls_chain_files = {chain}\n")
    arguments = ["-c", str(public_path), "--postfix-version", "3.7", "--format", "concise"]
    assert main(arguments) == 1
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == ["K003"]
    chain.chmod(0)
    with unprivileged():
        assert main(arguments) == 0
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == ["K018"]
    main_cf.chmod(0)
    with unprivileged():
        assert main(arguments) == 3
    assert f"{main_cf}: Permission denied" in capsys.readouterr().err
    main_cf.chmod(0o644)
    public_path.chmod(0)
    with unprivileged():
        assert main(arguments) == 3
    public_path.chmod(0o755)
    assert f"{main_cf}: Permission denied" in capsys.readouterr().err


def test_project_settings_out_of_reach_are_ignored(public_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (public_path / "main.cf").write_text("compatibility_level = 3.7\n")
    private = public_path / "private"
    private.mkdir()
    (private / "tlsproxy-check.toml").write_text("no = 1\n")
    monkeypatch.chdir(private)
    private.chmod(0)
    with unprivileged():
        assert main(["-c", str(public_path), "--postfix-version", "3.7"]) == 0
    private.chmod(0o755)


def test_wrong_side_of_a_pair_gets_a_suggestion() -> None:
    twice = "smtp_tls_security_level = may\nsmtp_tls_security_level = encrypt\n"
    found = {finding.rule: finding for finding in run(twice, RULES).findings}
    assert found["N003"].help == 'did you mean "smtpd_tls_security_level" here, or there?'
    assert found["S011"].fix
    assert not found["S011"].fix.safe
    both = {finding.rule: finding for finding in run(twice + "smtpd_tls_security_level = may\n", RULES).findings}
    assert "N003" not in both
    assert both["S011"].fix
    assert both["S011"].fix.safe
    client_only = "smtpd_tls_security_level = may\nsmtp_tls_cert_file = /etc/ssl/mail.pem\n"
    found = {finding.rule: finding for finding in run(client_only, RULES).findings}
    assert "did you mean smtpd_tls_cert_file?" in found["K015"].help


@pytest.mark.parametrize("kind", ["texthash", "regexp", "pcre", "cidr"])
def test_table_without_an_end_is_reported_and_not_read(tmp_path: Path, kind: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "null").symlink_to("/dev/null")
    tables = " ".join(f"{kind}:{tmp_path}/{each}" for each in ("fifo", "zero", "null"))
    lists = f"smtpd_recipient_restrictions = check_client_access {kind}:{tmp_path}/fifo, reject_unauth_destination\n"
    found = run(f"virtual_alias_maps = {tables}\n{lists}", RULES, tmp_path).findings
    messages = [each.message for each in found if each.rule == "T006" and each.span.line == 1]
    assert [message.partition(": ")[0] for message in messages] == [
        f"table {kind}:{tmp_path}/fifo",
        f"table {kind}:{tmp_path}/zero",
    ]
