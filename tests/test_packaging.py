"""The installed package: the one that users get, not the checkout."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sysconfig
from importlib.metadata import files
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.mark.skipif("TLSPROXY_TEST_INSTALLED" not in os.environ, reason="an editable install; make test uses the wheel")
@pytest.mark.parametrize("package", ["postconf", "maps", "tlsproxy"])
def test_tests_see_the_installed_wheel_and_not_the_checkout(package: str) -> None:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    assert not Path(spec.origin).is_relative_to(CHECKOUT / package)


@pytest.mark.parametrize("package", ["postconf", "maps", "tlsproxy"])
def test_packages_declare_their_types(package: str) -> None:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    assert (Path(spec.origin).parent / "py.typed").exists()


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("tlsproxy-postconf -dh mail_owner", "postfix\n"),
        ("tlsproxy-postmap -q key static:value", "value\n"),
    ],
)
def test_every_command_is_installed(command: str, answer: str) -> None:
    program, *arguments = command.split()
    path = Path(sysconfig.get_path("scripts"), program)
    assert subprocess.run([path, *arguments], capture_output=True, text=True, check=True).stdout == answer


def test_every_command_is_installed_with_its_manual_page() -> None:
    installed = {Path(str(file)).name for file in files("tlsproxy") or []}
    pages = {page.name for page in (CHECKOUT / "docs" / "man").iterdir()}
    assert {page.partition(".")[0] for page in pages} == {command.name for command in (CHECKOUT / "bin").iterdir()}
    assert pages <= installed
