"""The commands in README.md print what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"^```\n(\$ .*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
EXAMPLES = [
    (command, printed)
    for block in BLOCKS
    for command, printed in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    if "--standalone" not in command
]


@pytest.mark.parametrize(("command", "printed"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_commands_print_what_the_readme_says(command: str, printed: str) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    run = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, env=environment, stdout=subprocess.PIPE, timeout=60, text=True, check=False
    )
    assert run.stdout == printed


def test_a_bad_configuration_is_named_as_the_readme_says(tmp_path: Path) -> None:
    (tmp_path / "main.cf").write_text("\n\nsmtpd_tls_security_level = sometimes\n")
    (tmp_path / "master.cf").touch()
    command = [Path(sys.executable).with_name("tlsproxy"), "--standalone", "-c", ".", "--user", "nobody"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr in (ROOT / "README.md").read_text()
    assert run.stderr.startswith("tlsproxy: fatal: ./main.cf:3:28: ")
