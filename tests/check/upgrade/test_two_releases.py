"""Upgrade reports against reality: Postfix 3.7 and 3.10 run side by side."""

from __future__ import annotations

import json
import re
import smtplib
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from check.examples import run
from peers.real.postfix import MASTER_CF, PrivatePostfix
from peers.real.two_releases import NEEDED, Release, is_there, two_releases
from peers.tools.certificates import Identity, name
from peers.tools.children import PATIENCE

from tlsproxy.check.command.cli import main
from tlsproxy.check.rule import all_rules

pytestmark = [pytest.mark.postfix, pytest.mark.skipif(not is_there(), reason=NEEDED)]

OLD, NEW = "3.7", "3.10"


def changes(postfix: PrivatePostfix, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    """Return the findings for an instance."""
    main(["-c", str(postfix.conf), "--upgrade", NEW, "--from", OLD, "--format", "json"])
    found: list[dict[str, str]] = json.loads(capsys.readouterr().out)["changes"]
    return found


def ids(postfix: PrivatePostfix, capsys: pytest.CaptureFixture[str]) -> set[str]:
    return {each["id"] for each in changes(postfix, capsys)}


def talk(release: Release, *lines: str) -> str:
    """Send lines and QUIT after the greeting, all at once, and return the replies until the server closes."""
    with socket.create_connection(("127.0.0.1", release.ports["submission"]), timeout=PATIENCE) as peer:
        heard = peer.recv(4096)
        try:
            peer.sendall("".join([*lines, "QUIT\r\n"]).encode())
            while data := peer.recv(4096):
                heard += data
        except ConnectionError:
            pass  # it closed with input unread
    return heard.decode()


def session(release: Release, *commands: str, port: str = "submission") -> list[str]:
    """The replies to commands, one after the other."""
    replies = []
    with socket.create_connection(("127.0.0.1", release.ports[port]), timeout=PATIENCE) as peer:
        stream = peer.makefile("rb")
        replies.append(reply(stream))
        for command in commands:
            peer.sendall(command.encode() + b"\r\n")
            replies.append(reply(stream))
    return replies


def reply(stream: object) -> str:
    text = ""
    while line := stream.readline().decode():  # type: ignore[attr-defined]
        text += line
        if line[3:4] != "-":
            break
    return text


TLS_EVERYWHERE = {
    "smtpd_milters": "inet:127.0.0.1:1",
    "smtp_tls_security_level": "encrypt",
    "smtp_dns_support_level": "dnssec",
    "inet_protocols": "all",
    "smtp_tls_mandatory_ciphers": "high",
}


def with_tls(tmp: Path) -> dict[str, str]:
    identity = Identity(name("mail.example.com"), hosts=["mail.example.com"])
    return {"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": chain(tmp, identity)}


def chain(tmp: Path, identity: Identity) -> str:
    path = tmp / "chain.pem"
    path.write_bytes(identity.key_pem + identity.pem)
    return str(path)


def test_old_and_new_values_are_those_of_both_releases(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with two_releases({**TLS_EVERYWHERE, **with_tls(tmp_path)}, started=False) as (old, new):
        found = {each["parameter"]: each for each in changes(old.postfix, capsys) if each["kind"] == "default"}
        printed = [values(each, list(found)) for each in (old, new)]
    assert len(found) >= 11, sorted(found)
    for parameter, each in found.items():
        assert printed[1][parameter] == each["new"]
        # The old release knows some of them not at all, and behaves as `old` has it.
        assert printed[0].get(parameter, each["old"]) == each["old"]
    unknown = {parameter for parameter in found if parameter not in printed[0]}
    assert unknown == {
        "full_name_encoding_charset",
        "smtpd_client_ipv6_prefix_length",
        "tls_ffdhe_auto_groups",
        "tls_required_enable",
    }


def values(release: Release, names: list[str]) -> dict[str, str]:
    shown = release.run("/usr/sbin/postconf", "-x", "-c", release.postfix.conf, *names).stdout
    pairs = [line.partition(" =") for line in shown.splitlines()]
    return {parameter: value.strip() for parameter, _, value in pairs}


def test_no_other_default_differs_between_both_releases(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Unreported differences have a reason in the knowledge, or do not count in this configuration."""
    from tlsproxy.check.upgrade.knowledge import knowledge

    with two_releases({**TLS_EVERYWHERE, **with_tls(tmp_path)}, started=False) as (old, new):
        reported = {each["parameter"] for each in changes(old.postfix, capsys)}
        before, after = (values(each, []) for each in (old, new))
    differing = {each for each in after if each in before and before[each] != after[each]}
    silent = differing - reported - knowledge().ignored.keys()
    own_paths = {each for each in silent if re.search("/tmp/tlsproxy-test-", after[each])}
    counts_elsewhere = {"postscreen_forbidden_commands", "proxy_read_maps"}
    assert silent - own_paths - counts_elsewhere == {"tls_null_cipherlist"}


DEPRECATED = [
    "disable_dns_lookups",
    "lmtp_enforce_tls",
    "lmtp_tls_per_site",
    "lmtp_use_tls",
    "postscreen_enforce_tls",
    "postscreen_use_tls",
    "smtp_enforce_tls",
    "smtp_tls_per_site",
    "smtp_use_tls",
    "smtpd_enforce_tls",
    "smtpd_tls_dh1024_param_file",
    "smtpd_tls_eecdh_grade",
    "smtpd_use_tls",
    "tlsproxy_client_enforce_tls",
    "tlsproxy_client_per_site",
    "tlsproxy_client_use_tls",
    "tlsproxy_enforce_tls",
    "tlsproxy_use_tls",
]


def test_deprecated_parameters_are_warned_of_by_the_new(capsys: pytest.CaptureFixture[str]) -> None:
    settings = {each: "auto" if "eecdh" in each else "no" for each in DEPRECATED}
    with two_releases(settings, started=False) as (old, new):
        reported = [each for each in changes(old.postfix, capsys) if each["id"] == "parameter-deprecated"]
        quiet, warned = (each.run("/usr/sbin/postconf", "-c", each.postfix.conf, "-n").stderr for each in (old, new))
        text = (new.postfix.conf / "main.cf").read_text()
        findings = run(text, [each for each in all_rules() if each.id in ("C001", "L001")], version=NEW).findings
    assert quiet == ""
    assert sorted(each["parameter"] for each in reported) == DEPRECATED
    assert sorted(re.findall('support for parameter "([a-z0-9_]+)" will be removed', warned)) == DEPRECATED
    assert {each.rule for each in findings} == {"C001", "L001"}
    named = re.findall(r"\w+", " ".join(each.message for each in findings))
    assert sorted(set(named) & set(DEPRECATED)) == DEPRECATED


def test_parameter_that_was_unknown_takes_effect(capsys: pytest.CaptureFixture[str]) -> None:
    with two_releases({"smtpd_hide_client_session": "yes", "defer_transports": "smtp"}) as (old, new):
        [found] = [each for each in changes(old.postfix, capsys) if each["id"] == "parameter-known"]
        assert found["parameter"] == "smtpd_hide_client_session"
        before, after = (each.run("/usr/sbin/postconf", "-c", each.postfix.conf, "-n").stderr for each in (old, new))
        assert "unused parameter: smtpd_hide_client_session" in before
        assert after == ""
        assert [" from " in received(each) for each in (old, new)] == [True, False]


MAIL = ("EHLO client.example", "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.org>", "DATA")


def received(release: Release) -> str:
    """The Received: header of a message that `defer_transports` keeps in the queue."""
    [*_, queued] = session(release, *MAIL, "Subject: x\r\n\r\nx\r\n.")
    [identity] = re.findall(r"queued as (\w+)", queued)
    release.postfix.wait_for_line(rf"{identity}: .*status=deferred")  # before, it is moved between queues
    text = release.run("/usr/sbin/postcat", "-c", release.postfix.conf, "-hq", identity).stdout
    return text[text.index("Received:") :].partition(" id ")[0]


BARE = "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\n"


def test_bare_newline_no_longer_ends_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    with two_releases({"smtpd_forbid_bare_newline_exclusions": ""}) as releases:
        assert "default-smtpd-forbid-bare-newline" in ids(releases[0].postfix, capsys)
        assert [ends_by_bare_newline(each) for each in releases] == [True, False]


def ends_by_bare_newline(release: Release) -> bool:
    with smtplib.SMTP("127.0.0.1", release.ports["submission"], timeout=PATIENCE) as client:
        client.ehlo("client.example")
        client.mail("a@example.com")
        client.rcpt("b@example.org")
        client.putcmd("data")
        client.getreply()
        client.send(b"Subject: x\r\n\r\nx\r\n.\nstill the message\r\n.\r\n")
        client.getreply()
        client.putcmd("quit")
        status, _ = client.getreply()
        client.close()
    return status != 221  # the text behind the first end was taken for a command


def test_early_commands_make_the_new_server_disconnect(capsys: pytest.CaptureFixture[str]) -> None:
    with two_releases({}) as releases:
        assert "default-smtpd-forbid-unauth-pipelining" in ids(releases[0].postfix, capsys)
        early = [talk(each, "EHLO client.example\r\n", BARE) for each in releases]
    assert "554 5.5.0" not in early[0]
    assert "554 5.5.0" in early[1]


@pytest.mark.parametrize("restriction", ["reject_maps_rbl", "check_relay_domains", "permit_naked_ip_address"])
def test_removed_restriction_answers_451(restriction: str, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"smtpd_recipient_restrictions": f"{restriction}, permit_mynetworks, reject"}
    with two_releases(settings) as releases:
        assert "restriction-removed" in ids(releases[0].postfix, capsys)
        answers = [session(each, *MAIL[:3])[-1] for each in releases]
        log = releases[1].postfix.wait_for_log(f'"{restriction}" has been removed')
    assert not answers[0].startswith("451 4.3.5")
    assert answers[1].startswith("451 4.3.5 Server configuration error")
    assert "3.9" in log


def test_permit_mx_backup_is_warned_of_by_the_new(capsys: pytest.CaptureFixture[str]) -> None:
    with two_releases({"smtpd_recipient_restrictions": "permit_mx_backup, permit_mynetworks, reject"}) as releases:
        assert "permit-mx-backup" in ids(releases[0].postfix, capsys)
        for each in releases:
            session(each, *MAIL[:3])
        releases[1].postfix.wait_for_log('"permit_mx_backup" will be removed')
        assert "permit_mx_backup" not in releases[0].postfix.log()


def test_milter_that_fails_disconnects_the_client(capsys: pytest.CaptureFixture[str]) -> None:
    with two_releases({"smtpd_milters": "inet:127.0.0.1:1"}) as releases:
        assert "default-milter-default-action" in ids(releases[0].postfix, capsys)
        old, new = (talk(each) for each in releases)
    assert "421" not in old
    assert "221" in old
    assert "421" in new
    assert "221" not in new


def test_finite_field_groups_are_offered_by_the_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with two_releases({}) as releases:
        tls_for(releases)
        assert "default-tls-ffdhe-auto-groups" in ids(releases[0].postfix, capsys)
        assert [handshake(each, "ffdhe2048") for each in releases] == [False, True]


def tls_for(releases: Sequence[Release], **settings: str) -> None:
    """Turn TLS on, with a certificate that each release finds in its own instance."""
    identity = Identity(name("mail.example.com"), hosts=["mail.example.com"])
    for each in releases:
        path = chain(each.postfix.root, identity)
        each.postfix.configure({"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": path, **settings})
        each.postfix.reload()
        master_cf = each.postfix.conf / "master.cf"
        master_cf.write_text(master_cf.read_text().replace("  -o smtpd_tls_security_level=none\n", ""))
        each.postfix.reload()


def handshake(release: Release, groups: str) -> bool:
    """Return True if TLS 1.3 with one of these groups succeeds. The client is the newer OpenSSL, for both."""
    from peers.real.two_releases import in_new_root

    address = f"127.0.0.1:{release.ports['submission']}"
    command = in_new_root(
        *("/usr/bin/openssl", "s_client", "-connect", address, "-starttls", "smtp"),
        *("-tls1_3", "-groups", groups, "-brief"),
    )
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:  # a reload takes a moment
        run = subprocess.run(command, input="QUIT\r\n", capture_output=True, text=True, timeout=60)
        if "STARTTLS" not in run.stderr and "Didn't find" not in run.stderr:
            return "CONNECTION ESTABLISHED" in run.stderr
        time.sleep(0.2)
    raise AssertionError(run.stderr)


def test_fixed_list_keeps_post_quantum_groups_out(capsys: pytest.CaptureFixture[str]) -> None:
    with two_releases({}) as releases:
        tls_for(releases, tls_eecdh_auto_curves="X25519, prime256v1")
        assert "curves-fixed" in ids(releases[0].postfix, capsys)
        assert not handshake(releases[1], "X25519MLKEM768")
        tls_for(releases, tls_eecdh_auto_curves="", tls_ffdhe_auto_groups="")
        assert handshake(releases[1], "X25519MLKEM768")


def test_header_lowers_the_level_with_the_new(capsys: pytest.CaptureFixture[str]) -> None:
    with two_releases({"smtp_tls_security_level": "encrypt", "relayhost": ""}) as releases:
        assert "default-tls-required-enable" in ids(releases[0].postfix, capsys)
        results = []
        for each in releases:
            each.postfix.configure(
                {"smtp_tls_security_level": "encrypt", "relayhost": f"[127.0.0.1]:{each.ports['sink']}"}
            )
            each.postfix.reload()
            session(each, *MAIL, "TLS-Required: no\r\nSubject: x\r\n\r\nx\r\n.")
            log = each.postfix.wait_for_line(r"postfix/smtp\[\d+\].* status=\w+")
            results.append(re.findall(r"status=(\w+)", log)[0])
    assert results == ["deferred", "sent"]


def test_spawn_kills_a_command_that_runs_too_long(capsys: pytest.CaptureFixture[str]) -> None:
    master_cf = MASTER_CF + "sleeper unix - n n - 0 spawn user=nobody argv=/bin/sleep 60\n"
    with two_releases({"sleeper_time_limit": "1s"}, master_cf) as releases:
        assert "spawn-time-limit" in ids(releases[0].postfix, capsys)
        peers = []
        for each in releases:
            peer = socket.socket(socket.AF_UNIX)
            peer.settimeout(PATIENCE)
            peer.connect(str(each.postfix.queue / "private/sleeper"))
            peers.append(peer)
        assert peers[1].recv(1) == b""
        peers[0].settimeout(0.5)
        with pytest.raises(TimeoutError):
            peers[0].recv(1)
        for peer in peers:
            peer.close()


def test_full_name_is_encoded_by_the_new(capsys: pytest.CaptureFixture[str]) -> None:
    with two_releases({"defer_transports": "smtp", "authorized_submit_users": "static:anyone"}) as releases:
        assert "default-full-name-encoding-charset" in ids(releases[0].postfix, capsys)
        shown = [from_header(each) for each in releases]
    assert "Jörg" in shown[0]
    assert "=?utf-8?" in shown[1].lower()


def from_header(release: Release) -> str:
    conf = release.postfix.conf
    command = ("/usr/sbin/sendmail", "-C", conf, "-f", "a@example.com", "-F", "Jörg", "b@example.org")
    run = release.run(*command, stdin="Subject: x\n\nx\n")
    assert run.returncode == 0, run.stderr
    log = release.postfix.wait_for_line(r"qmgr\[\d+\]: \w+: from=")
    [identity, *_] = re.findall(r"qmgr\[\d+\]: (\w+): from=", log)
    release.postfix.wait_for_line(rf"{identity}: .*status=deferred")
    text = release.run("/usr/sbin/postcat", "-c", conf, "-hq", identity).stdout
    return next(line for line in text.splitlines() if line.startswith("From:"))


def test_hiding_the_session_is_worth_it_with_the_new(capsys: pytest.CaptureFixture[str]) -> None:
    master_cf = MASTER_CF.replace(
        "  -o smtpd_tls_security_level=none\n",
        "  -o smtpd_tls_security_level=none -o cleanup_service_name=cleanup -o smtpd_hide_client_session=yes\n",
    )
    with two_releases({"defer_transports": "smtp"}, master_cf) as releases:
        assert "hide-client-session" in ids(releases[0].postfix, capsys)
        assert [" from " in received(each) for each in releases] == [True, False]
