"""Help, versions and completion scripts of all commands."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
from peers.daemon.proxy import script
from peers.tools.children import PATIENCE

COMMANDS = ("tlsproxy", "tlsproxy-check", "tlsproxy-postconf", "tlsproxy-postmap", "tlsproxy-trace")


def output_of(*arguments: str) -> str:
    command = [script(arguments[0]), *arguments[1:]]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert ended.stderr == ""
    return ended.stdout


def options_in(help: str) -> set[str]:
    return set(re.findall(r"^  (?:-\w(?: [A-Z=]+)?, )?(--[a-z-]+)", help, re.MULTILINE))


@pytest.mark.parametrize("command", COMMANDS)
def test_version_names_program_openssl_and_postfix(command: str) -> None:
    first, second, third = output_of(command, "--version").splitlines()
    assert first == f"{command} {version('tlsproxy')}"
    assert re.fullmatch(r"OpenSSL \S+ .*\(pyOpenSSL \S+, cryptography \S+\)", second)
    assert re.match(r"Postfix 3\.\d+", third)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_lists_the_command_s_own_options(command: str) -> None:
    help = output_of(command, "--help")
    assert help.startswith(f"usage: {command} ")
    assert {"--help", "--version", "--completion"} <= options_in(help)
    assert ("--origin" in options_in(help)) == (command == "tlsproxy-postconf")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_has_every_option_of_the_help(tmp_path: Path, command: str, shell: str) -> None:
    completion = output_of(command, "--completion", shell)
    for option in options_in(output_of(command, "--help")):
        assert (f"-l {option[2:]} " if shell == "fish" else option) in completion
    if shutil.which(shell) is not None:
        (tmp_path / "script").write_text(completion)
        subprocess.run([shell, "-n", tmp_path / "script"], check=True, timeout=PATIENCE)


@pytest.mark.parametrize("command", COMMANDS)
def test_misspelled_option_is_named_with_the_right_one(command: str) -> None:
    ended = subprocess.run([script(command), "--versoin"], capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode in (1, 2)
    assert ended.stderr.count("\n") == 1
    assert 'unrecognized option --versoin (did you mean "--version"?)' in ended.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("tlsproxy --print", ["--print-config"]),
        ("tlsproxy --log j", ["json"]),
        ("tlsproxy --completion f", ["fish"]),
        ("tlsproxy-check --fail-on w", ["warning"]),
        ("tlsproxy-check --unsafe", ["--unsafe-fixes"]),
        ("tlsproxy-postmap --comp", ["--completion"]),
    ],
)
def test_bash_completes_options_and_their_values(tmp_path: Path, line: str, completed: list[str]) -> None:
    command, *words = line.split()
    (tmp_path / "script").write_text(output_of(command, "--completion", "bash"))
    function = "_" + command.replace("-", "_")
    shell = (
        f"source {tmp_path}/script; COMP_WORDS=({line}); COMP_CWORD={len(words)};"
        f' {function}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    ended = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert ended.stdout.split() == completed
