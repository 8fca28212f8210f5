"""The commands in docs/tls-report.md have the output that it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tlsproxy.check.tls_report.guidelines.profiles import profile_names

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/tls-report.md").read_text()
EXAMPLES = re.findall(r"^```\n\$ ([^\n]*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("command", "printed"), EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_commands_print_the_output_in_the_page(command: str, printed: str) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    run = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, env=environment, stdout=subprocess.PIPE, timeout=120, text=True, check=False
    )
    assert run.stdout == printed


def test_page_has_three_examples() -> None:
    assert len(EXAMPLES) == 3


def test_page_names_all_profiles() -> None:
    assert re.findall(r"^\| `([a-z0-9.-]+)` \| ", PAGE, re.MULTILINE)[-len(profile_names()) :] == profile_names()
