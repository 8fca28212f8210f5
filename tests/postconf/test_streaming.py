"""Additions of Postfix 3.9 to 3.12 to 3.7: -q, -j, -PP, warnings about deprecated names, functions in values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postconf.command.cli import PostconfCommand
from postconf.command.streaming import object_line

MASTER_CF = """\
smtp inet n - n - - smtpd -v -o { smtpd_banner = a  b } -o mynetworks=$relayhost
tlsproxy unix - - y - 0 tlsproxy
"""


class Run:
    """One run of the command: its output, its messages, its exit status."""

    def __init__(self, directory: Path, version: str, *arguments: str) -> None:
        command = PostconfCommand("postconf", [f"--postfix-version={version}", "-c", str(directory), *arguments])
        diagnostics: list[bytes] = []
        command.diagnose = diagnostics.append  # type: ignore[method-assign, assignment]
        self.status = command.run()
        self.output = command.output
        self.diagnostics = b"".join(diagnostics).decode()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "main.cf").write_text('relayhost = "a\\b"\tc\nsmtp_use_tls = yes\nunheard = of\n')
    (tmp_path / "master.cf").write_text(MASTER_CF)
    return tmp_path


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_object_line_is_json_on_one_line(text: str) -> None:
    line = object_line(text, text)
    assert json.loads(line, strict=True) == {text: text}
    assert "\n" not in line
    assert "\r" not in line


def test_values_stream_as_they_are(directory: Path) -> None:
    assert Run(directory, "3.11", "-j", "relayhost").output == ['{"relayhost": "\\"a\\\\b\\"\\tc"}']


def test_services_stream_with_single_blanks(directory: Path) -> None:
    assert Run(directory, "3.11", "-Mj").output == [
        '{"smtp/inet": "smtp inet n - n - - smtpd -v -o {smtpd_banner=a  b} -o mynetworks=$relayhost"}',
        '{"tlsproxy/unix": "tlsproxy unix - - y - 0 tlsproxy"}',
    ]
    assert Run(directory, "3.11", "-Fj", "tlsproxy/unix/chroot").output == ['{"tlsproxy/unix/chroot": "y"}']
    assert Run(directory, "3.11", "-Pj", "smtp").output[0] == '{"smtp/inet/mynetworks": "$relayhost"}'


def test_second_p_shows_effective_settings_of_a_service(directory: Path) -> None:
    assert Run(directory, "3.11", "-PP", "smtp/inet/relayhost").output == ['smtp/inet/relayhost = "a\\b" c']
    assert Run(directory, "3.11", "-PP", "tlsproxy/unix/smtp_use_tls").output == ["tlsproxy/unix/smtp_use_tls = yes"]
    assert Run(directory, "3.10", "-PP", "tlsproxy/unix/smtp_use_tls").output == []


@pytest.mark.parametrize(("options", "words"), [("-jf", "-f"), ("-jX", "-X"), ("-jh", "-h")])
def test_streaming_excludes_options_for_people(directory: Path, options: str, words: str) -> None:
    run = Run(directory, "3.11", options, "relayhost")
    assert run.status == 1
    assert f"do not specify {words}" in run.diagnostics


@pytest.mark.parametrize(("version", "message"), [("3.10", "-d -X -#"), ("3.11", "-X, -#")])
def test_first_reported_contradiction_depends_on_the_release(directory: Path, version: str, message: str) -> None:
    assert Run(directory, version, "-dX#", "a").diagnostics == f"postconf: fatal: specify one of {message}\n"


def test_deprecated_names_are_named_with_advice(directory: Path) -> None:
    advice = 'support for parameter "smtp_use_tls" will be removed; instead, specify "smtp_tls_security_level"'
    assert advice not in Run(directory, "3.8", "-n").diagnostics
    assert advice in Run(directory, "3.9", "-n").diagnostics
    assert "DEPRECATION_README" not in Run(directory, "3.9", "-n").diagnostics
    assert (
        Run(directory, "3.11", "-n")
        .diagnostics.splitlines()[-1]
        .endswith("See https://www.postfix.org/DEPRECATION_README.html for details")
    )
    assert Run(directory, "3.9", "-qn").diagnostics == ""
    assert "unused parameter: unheard=of" in Run(directory, "3.9", "-n").diagnostics


def test_functions_convert_domains_since_3_11(directory: Path) -> None:
    (directory / "main.cf").write_text(
        "myhostname = mail.example.com\nrelayhost = ${domain_to_ascii{b\u00fccher.example}}\n"
    )
    assert Run(directory, "3.11", "-x", "relayhost").output == ["relayhost = xn--bcher-kva.example"]
    assert 'unknown function "nosuch"' in _with(directory, "${nosuch{x}}").diagnostics
    assert Run(directory, "3.10", "-x", "relayhost").status == 1


def _with(directory: Path, value: str) -> Run:
    (directory / "main.cf").write_text(f"myhostname = mail.example.com\nrelayhost = {value}\n")
    return Run(directory, "3.11", "-x", "relayhost")


def test_text_behind_a_nul_is_warned_of_since_3_9(directory: Path) -> None:
    (directory / "main.cf").write_bytes(b"relayhost = a\0b\n c\n")
    assert "line 1-2: text after null byte may be ignored" in Run(directory, "3.9", "-n").diagnostics
    assert "null byte" not in Run(directory, "3.8", "-n").diagnostics
