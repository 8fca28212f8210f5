"""Mistakes that show in postconf(1), postmap(1) and master(8), or in nothing but a result."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest
from check.effects.test_server_effects import RULES, rules_of, talk
from check.examples import run
from peers.real.postfix import MASTER_CF, PrivatePostfix

from tlsproxy.check.rule import all_rules

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("check-effects")]


def _shown(directory: Path, main_cf: str, *arguments: str) -> str:
    """Return the output of a command on a configuration."""
    (directory / "main.cf").write_text(f"compatibility_level = 3.6\n{main_cf}")
    (directory / "master.cf").touch()
    os.utime(directory / "main.cf", (1, 1))
    command = [arguments[0], "-c", str(directory), *arguments[1:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "rule, main_cf, arguments, shown",
    [
        ("N004", "office_relay = x\n", ["-n"], "unused parameter: office_relay=x"),
        ("N005", "smtp_tlsrpt_enable = yes\n", ["-n"], "unused parameter: smtp_tlsrpt_enable"),
        ("N006", "tls_dane_digest_agility = on\n", ["-n"], "unused parameter: tls_dane_digest_agility"),
        ("N008", "SMTPD_tls_security_level = may\n", ["-n"], "unused parameter: SMTPD_tls"),
        ("T012", "x = 1\n", ["regexp"], ""),
    ],
)
def test_command_shows_the_mistake_of_its_rule(
    rule: str, main_cf: str, arguments: list[str], shown: str, tmp_path: Path
) -> None:
    if rule == "T012":
        (tmp_path / "a.pcre").write_text("/^\\d+$/ x\n")
        answers = [
            _shown(tmp_path, main_cf, "postmap", "-q", "12", f"{kind}:{tmp_path}/a.pcre") for kind in ("regexp", "pcre")
        ]
        assert answers == ["", "x\n"]
        assert rule in rules_of(f"header_checks = regexp:{tmp_path}/a.pcre\n")
        return
    assert shown in _shown(tmp_path, main_cf, "postconf", *arguments)
    assert rule in rules_of(main_cf)


def test_text_appended_to_an_open_line_joins_it(tmp_path: Path) -> None:
    assert "a.testmyorigin = b" in _shown(tmp_path, "relayhost = a.testmyorigin = b\n", "postconf", "-h", "relayhost")
    assert "S009" in rules_of("relayhost = a.test")


def test_lines_behind_a_comment_belong_to_the_value(tmp_path: Path) -> None:
    main_cf = "mynetworks = 127.0.0.0/8\n#  192.0.2.0/24\n  198.51.100.0/24\n"
    assert _shown(tmp_path, main_cf, "postconf", "-h", "mynetworks") == "127.0.0.0/8 198.51.100.0/24\n"
    assert "S005" in {each.rule for each in run(main_cf, all_rules()).findings}


def test_byte_order_mark_is_part_of_the_first_name(tmp_path: Path) -> None:
    (tmp_path / "main.cf").write_text("\ufeffmyhostname = a.test\ncompatibility_level = 3.6\n")
    (tmp_path / "master.cf").touch()
    os.utime(tmp_path / "main.cf", (1, 1))
    command = ["postconf", "-c", str(tmp_path), "-n"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    assert "unused parameter: ???myhostname" in shown.stderr
    assert "S008" in rules_of("\ufeffmyhostname = a.test\n")


def test_defaults_of_an_old_level_are_those_listed(tmp_path: Path) -> None:
    main_cf = "compatibility_level = 0\nrelay_clientcerts = inline:{a=b}\n"
    [message] = [each.message for each in run(main_cf, RULES).findings if each.rule == "C002"]
    listed = dict(re.findall(r"(\w+) = (\w+)", message))
    assert len(listed) > 5
    (tmp_path / "main.cf").write_text(main_cf)
    command = ["postconf", "-c", str(tmp_path), "-x", *listed]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    own_names = "relay_domains"  # contains the names of this host
    values = {
        name: value.strip() or "empty" for name, _, value in (line.partition(" =") for line in shown.splitlines())
    }
    assert values | {own_names: ""} == listed | {own_names: ""}


def test_lines_without_a_value_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "transport").write_text("a.test\nb.test smtp:\nb.test relay:\n")
    shown = _shown(tmp_path, "", "postmap", f"hash:{tmp_path}/transport")
    assert "expected format: key whitespace value" in shown
    assert "duplicate entry" in shown
    assert "T014" in rules_of(f"transport_maps = hash:{tmp_path}/transport\n", tmp_path)


def test_postmap_copies_the_mode_of_the_passwords(tmp_path: Path) -> None:
    table = tmp_path / "passwords"
    table.write_text("a.test u:p\n")
    modes = {}
    for mode in (0o644, 0o600):
        table.chmod(mode)
        _shown(tmp_path, "", "postmap", f"hash:{table}")
        modes[mode] = (tmp_path / "passwords.db").stat().st_mode & 0o777
        assert ("T013" in rules_of(f"smtp_sasl_password_maps = hash:{table}\n", tmp_path)) is (mode == 0o644)
        (tmp_path / "passwords.db").unlink()
    assert modes == {0o644: 0o644, 0o600: 0o600}


def test_table_type_without_its_plug_in_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dynamicmaps.cf").write_text("pcre postfix-pcre.so dict_pcre_open\n")
    (tmp_path / "makedefs.out").write_text("# CCARGS=-DHAS_MYSQL\n# dynamicmaps=yes\n")
    main_cf = f"meta_directory = {tmp_path}\ntransport_maps = mysql:/etc/postfix/transport.cf\n"
    assert "unsupported dictionary type: mysql" in _shown(tmp_path, main_cf, "postmap", "-q", "x", "mysql:/x")
    assert "T002" in rules_of(main_cf, tmp_path)


def test_log_file_stays_empty_without_postlog(public_path: Path) -> None:
    entries = "".join(each for each in MASTER_CF.splitlines(keepends=True) if not each.startswith("postlog"))
    with PrivatePostfix(public_path / "postfix", {}, entries) as instance:
        talk(instance.ports["submission"])
        assert "postfix/smtpd" not in instance.log()
    assert "X008" in rules_of("maillog_file = /var/log/postfix\n--- master.cf\nsmtp inet n - n - - smtpd\n")


def test_session_cache_outside_of_data_directory_is_warned_of(public_path: Path) -> None:
    cache = f"btree:{public_path}/scache"
    instance = PrivatePostfix(public_path / "postfix", {"smtp_tls_session_cache_database": cache})
    with instance, socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(instance.queue / "private/tlsmgr"))
        instance.wait_for_log("non-postfix directory")
    assert "X007" in rules_of(f"smtp_tls_session_cache_database = {cache}\n")


def test_table_without_a_database_is_fatal(tmp_path: Path) -> None:
    (tmp_path / "a.cf").write_text("query = SELECT x FROM y WHERE z = '%s'\n")
    main_cf = f"virtual_alias_maps = sqlite:{tmp_path}/a.cf\n"
    assert "bad string length 0 < 1: dbpath" in _shown(
        tmp_path, main_cf, "postmap", "-q", "x", f"sqlite:{tmp_path}/a.cf"
    )
    assert "T016" in rules_of(main_cf, tmp_path)


@pytest.mark.parametrize("kind", ["regexp", "pcre"])
def test_flag_of_case_is_the_opposite_of_the_default(kind: str, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("/^offer/ x\n")
    (tmp_path / "flag").write_text("/^offer/i x\n")
    command = ("postmap", "-q", "OFFER")
    answers = [_shown(tmp_path, "", *command, f"{kind}:{tmp_path}/{name}") for name in ("plain", "flag")]
    assert answers == ["x\n", ""]
    assert "T018" in rules_of(f"header_checks = {kind}:{tmp_path}/flag\n", tmp_path)
