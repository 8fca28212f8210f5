"""`-e`, `-X` and `-#` work as in postconf(1), and keep lines that it loses."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

import postconf
from postconf import catalogue
from postconf.command import cli
from postconf.editing import editor
from postconf.errors import ConfigError

MAIN = """\
# main
myhostname = mail.example.com
mynetworks = 127.0.0.0/8
  # office

  192.0.2.0/24
foo=bar
\tmore
mynetworks=::1
smtpd_banner = $myhostname
"""

MASTER = """\
# master
smtp      inet  n       -       y       -       -       smtpd
submission inet n - y - - smtpd
  -o syslog_name=postfix/submission -v
# comment
  -o { smtpd_client_restrictions = permit_sasl_authenticated, reject }
#628       inet  n       -       y       -       -       qmqpd
maildrop  unix  -       n       n       -       -       pipe
  flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient} {a b}
smtp      unix  -       -       y       -       -       smtp
"""

COMMANDS = r"""
-e foo=baz
-e foo=baz mynetworks= new=1 newer=2 relayhost=a another=b
foo=1 foo=2
-e ' foo  =  a b  ' 'x='
-X mynetworks
-X foo nosuch 'smtpd_banner '
-# mynetworks foo
-M -e 'smtp/inet=smtp inet n - n - 10 smtpd -v -o foo=bar -o { a = b c }'
-M -e 'new/unix=new unix - - n - 0 pipe flags=R argv=/bin/cat {x y} -z' 'smtp/unix=x inet n - n - - y'
-M -e '*/inet=all inet n - n - - smtpd' 'smtp/*=smtp inet n - n - - smtpd'
-M -X 'smtp/*'
-M -# submission/inet 'maildrop/*'
-F -e 'smtp/inet/chroot=n' '*/unix/process_limit=5' 'smtp/unix/service=relay'
-F -e 'submission/inet/command=smtpd -o a=b -vo { c = d e } x {f g}'
-F -e 'nosuch/inet/chroot=n'
-P -e 'submission/inet/syslog_name=other' '*/unix/foo=bar' 'smtp/inet/x='
-P -X 'submission/inet/smtpd_client_restrictions' '*/*/syslog_name'
""".strip().splitlines()

FATAL = r"""
-e 'a b = c'
-e '#a=b'
-X ''
-X 'x' 'a=b'
-M -e 'smtp/inet=smtp inet n'
-M -e 'smtp/inet/x=y'
-M -X smtp
-F -e 'smtp/inet/*=y'
-F -e 'smtp/inet/colour=y'
-F -e 'smtp/inet/chroot=x'
-F -e 'smtp/inet/chroot=a b'
-P -e 'smtp/inet/*=y'
-P -e 'smtp/inet/foo=a b'
-e
-X
""".strip().splitlines()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "etc"
    directory.mkdir()
    (directory / "main.cf").write_text(MAIN)
    (directory / "master.cf").write_text(MASTER)
    return directory


def ours(directory: Path, arguments: list[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
    command = cli.PostconfCommand("postconf", ["-c", str(directory), "--postfix-version", "3.7.11", *arguments])
    return command.run(), capfd.readouterr().err


def start_postconf(directory: Path, arguments: list[str]) -> subprocess.Popen[str]:
    environment = {**os.environ, "NORANDOMIZE": "1", "LC_ALL": "C"}
    command = ["postconf", "-c", str(directory), *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)


@pytest.mark.postfix
@pytest.mark.parametrize("command", COMMANDS)
def test_files_and_diagnostics_are_those_of_postconf(
    directory: Path, command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = shlex.split(command)
    theirs = directory.parent / "theirs"
    shutil.copytree(directory, theirs)
    real = start_postconf(theirs, arguments)
    _, expected = real.communicate()
    status, diagnostics = ours(directory, arguments, capfd)
    assert diagnostics == expected.replace(str(theirs), str(directory))
    assert status == real.returncode
    for name in ("main.cf", "master.cf"):
        assert (directory / name).read_text() == (theirs / name).read_text()


@pytest.mark.postfix
def test_refusals_have_the_messages_of_postconf(directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    running = []
    for index, command in enumerate(FATAL):  # at once, since postconf sleeps before it dies
        theirs = directory.parent / str(index)
        shutil.copytree(directory, theirs)
        running.append((theirs, shlex.split(command), start_postconf(theirs, shlex.split(command))))
    for theirs, arguments, real in running:
        _, expected = real.communicate()
        assert ours(directory, arguments, capfd) == (1, expected.replace(str(theirs), str(directory)))
        assert (directory / "main.cf").read_text() == MAIN
        assert (directory / "master.cf").read_text() == MASTER


def test_name_given_twice_to_remove_is_removed_once(directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert ours(directory, ["-X", "foo", "foo"], capfd) == (0, "")
    assert "foo" not in (directory / "main.cf").read_text()


@pytest.mark.parametrize("version", ["3.7.17", "3.12"])
def test_new_settings_are_sorted_by_releases_that_do(directory: Path, version: str) -> None:
    edit(directory, version, "b=1", "c=1", "a=1")
    assert (directory / "main.cf").read_text() == MAIN + "a = 1\nb = 1\nc = 1\n"


@pytest.mark.parametrize(("version", "completed"), [("3.7.11", False), ("3.7.15", True), ("3.10", True)])
def test_missing_newline_at_the_end_is_added_by_some_releases(
    directory: Path, version: str, *, completed: bool
) -> None:
    (directory / "main.cf").write_text("foo = 1\nlast = 2")
    edit(directory, version, "foo=3")
    assert (directory / "main.cf").read_text() == "foo = 3\nlast = 2" + "\n" * completed


def edit(directory: Path, version: str, *arguments: str) -> list[str]:
    warnings: list[str] = []
    editor.run(
        "e",
        list(arguments),
        subject="",
        directory=str(directory),
        release=catalogue.release(version),
        warn=warnings.append,
    )
    return warnings


def test_repeated_request_is_reported_unless_harmless(directory: Path) -> None:
    assert edit(directory, "3.7.11", "a=1", "a=1") == ["ignoring earlier request: 'a = 1'"]
    assert edit(directory, "3.11", "a=1", "a=1") == []
    assert edit(directory, "3.11", "a=1", "a=2") == ["ignoring earlier request: 'a = 1'"]


def test_programs_edit_both_files(directory: Path) -> None:
    with postconf.edit_main(directory) as main:
        main.set("smtpd_tls_security_level", "may")
        main.comment_out("foo")
    with postconf.edit_master(directory) as master:
        master.set_parameter("submission", "inet", "smtpd_tls_security_level", "encrypt")
    config = postconf.load(directory)
    assert config["smtpd_tls_security_level"] == "may"
    assert "#foo=bar\n#\tmore\n" in (directory / "main.cf").read_text()
    assert config.service("submission", "inet")["smtpd_tls_security_level"] == "encrypt"


def test_program_that_fails_changes_nothing(directory: Path) -> None:
    with pytest.raises(ConfigError), postconf.edit_master(directory) as master:
        master.remove_entry("smtp", "inet")
        master.set_field("smtp", "unix", "chroot", "perhaps")
    assert (directory / "master.cf").read_text() == MASTER
    assert sorted(path.name for path in directory.iterdir()) == ["main.cf", "master.cf"]
