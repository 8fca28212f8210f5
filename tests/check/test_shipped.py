"""Files that are right as they are shipped: by Postfix in each release, by Debian."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from peers.tools.certificates import Identity, name
from peers.tools.users import unprivileged

from postconf.catalogue import Release, release, upstream_releases
from tlsproxy.check.command.cli import main
from tlsproxy.check.context import Options
from tlsproxy.check.engine import check
from tlsproxy.check.facts.filesystem import FileSystem
from tlsproxy.check.findings import Finding
from tlsproxy.check.rule import all_rules
from tlsproxy.check.text.sources import MainFile, MasterFile

RULES = [rule for rule in all_rules() if not rule.optional]
SHARE = Path("/usr/share/postfix")


def judge(main_cf: str, master_cf: str, version: Release, *, files: bool = True) -> list[Finding]:
    return check(
        MainFile("main.cf", main_cf),
        MasterFile("master.cf", master_cf),
        RULES,
        version,
        FileSystem(enabled=files),
        options=Options(directory="/etc/postfix"),
    ).findings


@pytest.mark.postfix
@pytest.mark.parametrize("version", [each for each in upstream_releases() if not each.startswith("3.5")])
@pytest.mark.parametrize("main_cf", ["main.cf.debian", "main.cf.dist"])
def test_shipped_files_are_fine(main_cf: str, version: str) -> None:
    found = judge((SHARE / main_cf).read_text(), (SHARE / "master.cf.dist").read_text(), release(version))
    # Under a newer release, these files have an old compatibility level.
    assert {each.rule for each in found} <= ({"C002"} if release(version).since("3.11") else set())


@pytest.mark.postfix
def test_clean_installation_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    if "smtpd_tls_cert_file" in Path("/etc/postfix/main.cf").read_text():
        pytest.skip("this installation has been configured")
    assert main(["--fail-on", "info", "--ignore", "Q006"]) == 0  # the name of this machine can be a single word
    assert capsys.readouterr().out == ""


POSTINST = """
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
myhostname = mail.example.com
alias_maps = hash:/etc/aliases
alias_database = hash:/etc/aliases
myorigin = /etc/mailname
mydestination = $myhostname, mail.example.com, localhost.example.com, , localhost
relayhost =
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128
mailbox_size_limit = 0
recipient_delimiter = +
inet_interfaces = all
inet_protocols = all
"""
"""The settings that Debian's package adds to main.cf for an Internet site."""


@pytest.mark.postfix
def test_internet_site_of_debian_is_fine(public_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    identity = Identity(name("mail.example.com"), kind="rsa2048", hosts=["mail.example.com"])
    postfix = public_path / "etc/postfix"
    key = public_path / "etc/ssl/private/ssl-cert-snakeoil.key"
    certificate = public_path / "etc/ssl/certs/ssl-cert-snakeoil.pem"
    copier = public_path / "usr/lib/postfix/configure-instance.sh"
    for path in (postfix / "main.cf", key, certificate, copier):
        path.parent.mkdir(parents=True, exist_ok=True)
    texts = [(SHARE / file).read_text() for file in ("main.cf.debian", "main.cf.tls")]
    (postfix / "main.cf").write_text("".join([*texts, POSTINST]))
    (postfix / "master.cf").write_text((SHARE / "master.cf.dist").read_text())
    for file in ("aliases", "aliases.db"):
        (public_path / "etc" / file).write_text("")
    copier.write_text("")
    certificate.write_bytes(identity.pem)
    key.write_bytes(identity.key_pem)
    key.chmod(0o640)
    arguments = ["--root", str(public_path), "--postfix-version", "3.7", "--fail-on", "info", "--format", "concise"]
    assert main(arguments) == 0, capsys.readouterr().out
    with unprivileged():
        assert main(arguments) == 1
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == ["K018"]


def test_files_shipped_by_each_release_have_no_findings() -> None:
    """All releases since 3.5, out of Postfix's history (CONTRIBUTING.md)."""
    directory = os.environ.get("TLSPROXY_POSTFIX_GIT")
    if not directory:
        pytest.skip("TLSPROXY_POSTFIX_GIT does not name a git directory of Postfix's source")

    def git(*arguments: str) -> str:
        command = ["git", "--git-dir", directory, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    known = {re.match(r"\d+\.\d+", name)[0]: release(name) for name in upstream_releases()}  # type: ignore[index]
    tags = {tag: tag.removeprefix("v").rsplit(".", 1)[0] for tag in git("tag", "--list", "v3.*").split()}
    findings = {}
    for tag, branch in {**tags, "HEAD": list(known)[-1]}.items():
        if branch in known:
            main_cf, master_cf = (git("show", f"{tag}:postfix/conf/{name}") for name in ("main.cf", "master.cf"))
            for files in (True, False):
                findings[tag, files] = judge(main_cf, master_cf, known[branch], files=files)
    assert len(findings) > 100
    assert {key: found for key, found in findings.items() if found} == {}
