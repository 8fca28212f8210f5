"""The commands in docs/upgrade.md have the output that it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tlsproxy.check.upgrade.systems import distributions

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/upgrade.md").read_text()
EXAMPLES = re.findall(r"^```\n\$ ([^\n]*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("command", "printed"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_commands_print_the_output_in_the_page(command: str, printed: str) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    run = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, env=environment, stdout=subprocess.PIPE, timeout=60, text=True, check=False
    )
    assert run.stdout == printed


def test_page_has_four_examples() -> None:
    assert len(EXAMPLES) == 4


def test_page_names_the_ends_of_each_family() -> None:
    families: dict[str, list[str]] = {}
    for system in distributions():
        families.setdefault(system.family, []).append(system.name)
    for names in families.values():
        if len(names) == 1:
            assert f"`{names[0]}`" in PAGE
            continue
        assert f"`{names[0]}` to" in PAGE
        assert re.search(rf"to\s+`{re.escape(names[-1])}`", PAGE)
