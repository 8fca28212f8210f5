"""What the checker says of files that are fine as they are shipped, and of files that it has to look into."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from check.examples import run

from postconf.catalogue import release, upstream_releases
from tlsproxy.check.cli import main
from tlsproxy.check.context import Options
from tlsproxy.check.engine import check
from tlsproxy.check.filesystem import FileSystem
from tlsproxy.check.rule import all_rules
from tlsproxy.check.sources import MainFile, MasterFile

RULES = [rule for rule in all_rules() if not rule.optional]
SHARE = Path("/usr/share/postfix")


@pytest.mark.postfix
@pytest.mark.parametrize("version", [each for each in upstream_releases() if not each.startswith("3.5")])
@pytest.mark.parametrize("main_cf", ["main.cf.debian", "main.cf.dist"])
def test_shipped_files_are_fine(main_cf: str, version: str) -> None:
    result = check(
        MainFile("main.cf", (SHARE / main_cf).read_text()),
        MasterFile("master.cf", (SHARE / "master.cf.dist").read_text()),
        RULES,
        release(version),
        FileSystem(),
        options=Options(directory="/etc/postfix"),
    )
    # Under a newer release, these files have an old compatibility level.
    assert {each.rule for each in result.findings} <= ({"C002"} if release(version).since("3.11") else set())


@pytest.mark.postfix
def test_a_clean_installation_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    if "smtpd_tls_cert_file" in Path("/etc/postfix/main.cf").read_text():
        pytest.skip("this installation has been configured")
    assert main(["--fail-on", "info"]) == 0
    assert capsys.readouterr().out == ""


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


def test_a_table_of_certificates_is_compared_with_their_files(
    tmp_path: Path, certificate_files: dict[str, bytes]
) -> None:
    from maps.cli import main as postmap

    for name in ("chain.pem", "full.pem"):
        (tmp_path / name).write_bytes(certificate_files[name])
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


def test_a_stale_table_is_reported(tmp_path: Path) -> None:
    (tmp_path / "transport").write_text("example.com smtp:\n")
    (tmp_path / "transport.db").write_text("")
    text = "transport_maps = hash:$config_directory/transport\n"
    os.utime(tmp_path / "transport.db", (1, 1))
    assert "T003" in rules_of(text, tmp_path)
    os.utime(tmp_path / "transport", (1, 1))
    assert "T003" not in rules_of(text, tmp_path)
