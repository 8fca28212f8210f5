"""Reading of any file by the command, and the modules that it loads for that."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postconf.command.cli import PostconfCommand

MAIN = ["smtpd_tls_protocols", "alias_maps", "foo", "bar", "smtpd_restriction_classes", "ldap:foo", "inline:{"]
MASTER = ["smtp inet n - y - - smtpd", "tlsproxy unix - - y - 0 tlsproxy", "-o", "-v", "foo=", "{", "}", "--"]
ODD = [
    "\n",
    "\n ",
    "#",
    "=",
    " = ",
    " ",
    "\t",
    "\0",
    "\r",
    "\v",
    "$",
    "${",
    "}",
    "{",
    "?",
    ":",
    ",",
    "é",
    "\udcff",
    "x",
]
MODES = ["-n", "-x", "-nf", "-H", "-M", "-Mfx", "-F", "-Fhf", "-P", "-Px", "--json", "--origin", "-j"]


def texts(words: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(words + ODD), max_size=15).map("".join)


@given(
    texts(MAIN),
    texts(MASTER),
    st.sampled_from(MODES),
    st.sampled_from(["3.7", "3.12"]),
    st.lists(texts([]), max_size=2),
)
def test_no_file_and_no_name_is_too_odd(
    main_cf: str, master_cf: str, mode: str, version: str, names: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        for name, text in (("main.cf", main_cf), ("master.cf", master_cf)):
            Path(directory, name).write_bytes(text.encode("utf-8", "surrogateescape"))
        command = PostconfCommand("postconf", ["--postfix-version", version, "-c", directory, mode, "--", *names])
        said: list[bytes] = []
        command.diagnose = said.append  # type: ignore[method-assign, assignment]
        assert command.run() in (0, 1)
        assert all(line.startswith(b"postconf: ") and line.endswith(b"\n") for line in said)


@given(st.lists(st.text("-aAbCdefFhHlmMnopPtTvxX#=:zé", max_size=4), max_size=4))
def test_no_command_line_is_too_odd(arguments: list[str]) -> None:
    no_bounce = mock.patch.object(os, "execv", side_effect=FileNotFoundError(2, "No such file"))
    with tempfile.TemporaryDirectory() as directory, no_bounce:
        for name in ("main.cf", "master.cf"):
            Path(directory, name).touch()
        command = PostconfCommand("postconf", ["-c", directory, *arguments])
        command.diagnose = lambda line: None  # type: ignore[method-assign]
        assert command.run() in (0, 1)


@pytest.mark.parametrize("opening", ["{", "inline:{", "${foo?{", "${{"])
def test_braces_may_be_nested_in_any_depth(tmp_path: Path, opening: str) -> None:
    depth = 1500
    (tmp_path / "main.cf").write_text(f"foo = 1\nalias_maps = {opening * depth}x{'}' * depth}{'}' * depth}\n")
    (tmp_path / "master.cf").write_text(f"smtp inet n - y - - smtpd -o {opening * depth}\n")
    command = PostconfCommand("postconf", ["-c", str(tmp_path), "-n"])
    said: list[bytes] = []
    command.diagnose = said.append  # type: ignore[method-assign, assignment]
    assert command.run() in (0, 1)
    assert said


COSTLY = {"OpenSSL", "cryptography", "pydantic", "pyparsing", "re", "socket", "enum", "dataclasses", "typing", "json"}


@pytest.mark.parametrize("arguments", ["-n", "-d", "-h smtpd_tls_protocols", "-M", "-P", "-F", "-x", "-e a=b"])
def test_listing_loads_nothing_that_it_could_wait_for(tmp_path: Path, arguments: str) -> None:
    (tmp_path / "main.cf").write_text("smtpd_tls_protocols = >=$lowest\nlowest = TLSv1.2\n")
    (tmp_path / "master.cf").write_text("smtp inet n - y - - smtpd -o mynetworks=$inet_interfaces\n")
    script = (
        "import sys; before = set(sys.modules); from postconf.command.cli import main; status = main(sys.argv[1:])\n"
    )
    script += "print(*(set(sys.modules) - before), file=sys.stderr); sys.exit(status)"
    command = [sys.executable, "-S", "-c", script, "-c", str(tmp_path), *arguments.split()]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    loaded = set(done.stderr.split())
    assert "postconf.command.cli" in loaded
    # An edit handles signals, so that no temporary file stays behind, and Python's numbers of signals are an enum.
    assert not loaded & (COSTLY - {"enum"} if arguments.startswith("-e") else COSTLY)


@pytest.mark.parametrize(
    ("redirection", "answer"),
    [
        (">&-", "0"),
        ("2>&- nosuch", "0"),
        (">/dev/full", "postconf: warning: write error: No space left on device\n1"),
        ("| true; echo ${PIPESTATUS[0]} >&2; false", "141\n1"),
    ],
)
def test_lost_output_is_reported_without_a_traceback(tmp_path: Path, redirection: str, answer: str) -> None:
    (tmp_path / "master.cf").touch()
    # Enough output for more than a pipe holds.
    script = "import sys; from postconf.command import cli; sys.argv[0] = 'postconf'\n"
    script += "from postconf.program.running import run\n"
    script += "cli.Listing.parameters = lambda listing: listing._show('x' * 1_000_000); run('postconf.command.cli')"
    command = f'$0 -c "$1" -d {redirection}; echo $? >&3'
    done = subprocess.run(
        ["bash", "-c", f"exec 3>&2; {command}", sys.executable, script],
        env=os.environ | {"MAIL_CONFIG": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.stderr.rstrip("\n") == answer
